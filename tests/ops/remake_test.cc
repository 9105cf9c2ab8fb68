// What ops make again in backward instead of keeping it is the same bits, and is not kept.
#include <gtest/gtest.h>

#include "autograd/closure_tape.h"
#include "ops/elementwise.h"
#include "ops/gated.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/rms_norm.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

constexpr int64_t kRows = 70, kCols = 48, kOut = 40;

class Remade : public testing::Test {
 protected:
  Remade() {
    x = tensor_of(device, {kRows, kCols}, random_floats(kRows * kCols, 1));
    for (auto [name, p] : {std::pair("weight", &weight), {"bias", &bias}}) {
      *p = Parameter(device, name, Parameter::Layout::vector, {{name, kCols}}, 1);
      p->set_rows(0, kCols, random_floats(kCols, 2).data());
    }
  }

  // The op's output feeds two linears. Their weights' gradients need it in backward.
  void check(const std::function<Tensor(const Pass&)>& op) {
    ClosureTape tape;
    const Pass pass{device, default_kernels(), &tape};
    Tensor y = op(pass);
    std::vector<Parameter> weights;
    for (uint64_t seed : {3, 4}) {
      weights.emplace_back(device, "w", Parameter::Layout::panels, std::vector<Segment>{{"w", kOut}}, y.cols());
      weights.back().set_rows(0, kOut, random_floats(kOut * y.cols(), seed).data());
    }
    GradientStore gradients(device), wanted(device);
    for (const Parameter& w : weights) {
      const Tensor z = linear(pass, y, w);
      const Tensor dz = gradients.into(z).tensor;
      std::ranges::copy(random_floats(dz.size(), 5), dz.data<float>());
      default_kernels().linear_backward_weight(device.threads(), dz, y, DType::f32, wanted.into(w));
    }
    const int64_t bytes = y.bytes(), before = device.usage().total;
    y = {};
    EXPECT_EQ(before - device.usage().total, bytes) << "somebody keeps y";
    tape.backward(gradients);
    for (const Parameter& w : weights) expect_same_bits(floats_of(gradients.of(w)), floats_of(wanted.of(w)), "dW");
    EXPECT_FALSE(gradients.of(x.id()).is_empty());
  }

  Device device{2};
  Tensor x;
  Parameter weight, bias;
};

TEST_F(Remade, Gelu) {
  check([&](const Pass& pass) { return gelu(pass, x); });
}
TEST_F(Remade, SiluGated) {
  check([&](const Pass& pass) { return silu_gated(pass, x); });
}
TEST_F(Remade, RmsNorm) {
  check([&](const Pass& pass) {
    Residual stream{x, x};
    return rms_norm(pass, stream, weight, 1e-5f);
  });
}
TEST_F(Remade, LayerNorm) {
  check([&](const Pass& pass) {
    Residual stream{x, x};
    return layer_norm(pass, stream, weight, bias, 1e-5f);
  });
}

}  // namespace
}  // namespace fude
