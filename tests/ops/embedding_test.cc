#include "ops/embedding.h"

#include "autograd/closure_tape.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

std::vector<int32_t> pick(const std::vector<int32_t>& ids, const std::vector<int64_t>& rows) {
  std::vector<int32_t> chosen;
  for (int64_t row : rows) chosen.push_back(ids[size_t(row)]);
  return chosen;
}

TEST(Embedding, RepeatedIdsAndTwoTables) {
  const std::vector<int32_t> ids = {3, 0, 32, 3, 69, 31, 3, 33, 64, 3}, positions = {0, 1, 2, 3, 0, 1, 2, 3, 4, 5};
  for (int64_t cols : {1, 5, 33, 100}) {
    OpCase op{.name = fmt::format("embedding {}", cols), .rows = int64_t(ids.size()), .parameters = {matrix(70, cols)}};
    op.run = [=](const Pass& pass, const auto&, const auto& p, const auto& rows) {
      return std::vector<Tensor>{embedding(pass, pick(ids, rows), p[0])};
    };
    op.reference = [=](const auto&, const auto& p) {
      Array y;
      for (int32_t id : ids) y.insert(y.end(), p[0].begin() + id * cols, p[0].begin() + (id + 1) * cols);
      return std::vector<Array>{y};
    };
    op.rounding_terms = 4;  // one id comes four times
    check_op(op);
    if (cols % 2 == 0) {
      OpCase bf16 = op;
      bf16.name += " bf16", bf16.compute = DType::bf16;
      check_op(bf16);
    }

    OpCase scaled = op;
    scaled.name += " scaled";
    scaled.run = [=](const Pass& pass, const auto&, const auto& p, const auto& rows) {
      return std::vector<Tensor>{embedding(pass, pick(ids, rows), p[0], 2.75f)};
    };
    scaled.reference = [reference = op.reference](const auto& x, const auto& p) {
      auto y = reference(x, p);
      for (Complex& v : y[0]) v *= 2.75;
      return y;
    };
    scaled.rounding_terms = 5;
    check_op(scaled);

    op.name += " with positions";
    op.parameters.push_back(matrix(6, cols));
    op.run = [=](const Pass& pass, const auto&, const auto& p, const auto& rows) {
      Tensor x = embedding(pass, pick(ids, rows), p[0]);
      add_embedding(pass, pick(positions, rows), p[1], x);
      return std::vector<Tensor>{x};
    };
    op.reference = [=, tokens = op.reference](const auto& x, const auto& p) {
      Array y = tokens(x, p)[0];
      for (size_t i = 0; i < y.size(); ++i) y[i] += p[1][size_t(positions[i / size_t(cols)] * cols) + i % size_t(cols)];
      return std::vector<Array>{y};
    };
    check_op(op);
  }
}

TEST(Embedding, Speed) {
  std::vector<int32_t> ids;
  for (int64_t n = 0; n < 2048; ++n) ids.push_back(int32_t(n * n * 7919 % 50257));
  OpCase op{.name = "embedding 2048 of 50257x768", .rows = 2048, .parameters = {matrix(50257, 768)}};
  op.run = [=](const Pass& pass, const auto&, const auto& p, const auto&) {
    return std::vector<Tensor>{embedding(pass, ids, p[0])};
  };
  time_op(op);
}

TEST(Embedding, WithoutAGradientThereIsNone) {
  GuardedDevice device(1);
  ClosureTape tape;
  const Pass pass{device, default_kernels(), &tape};
  const Parameter table(device, "table", Parameter::Layout::panels, {{"table", 7}}, 4);
  Tensor x = embedding(pass, {1, 2}, table);
  add_embedding(pass, {3, 4}, table, x);
  GradientStore gradients(device);
  tape.backward(gradients);
  EXPECT_TRUE(gradients.of(table).is_empty());
}

TEST(Embedding, RefusesUnknownIds) {
  Device device(1);
  const Parameter table(device, "table", Parameter::Layout::panels, {{"table", 7}}, 4);
  const Pass pass{device, default_kernels()};
  EXPECT_THROW(embedding(pass, {0, 7}, table), Error);
  EXPECT_THROW(embedding(pass, {-1}, table), Error);
}

}  // namespace
}  // namespace fude
