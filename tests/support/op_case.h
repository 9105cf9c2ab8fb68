// One declaration of an op, from which everything that must hold for it is checked (check_op):
//
//   - values against the reference, in every tier this machine supports;
//   - gradients of all inputs and parameters against the reference's complex-step derivative, Im f(x + ih) /
//   h;
//   - a second backward pass adds to the first;
//   - a parameter that is not trained gets no gradient, and the other gradients are the same bits without it;
//   - f32 tiers, any number of threads, and inference without a tape give the same bits;
//   - a row alone is the row among many (row rule);
//   - nothing is written outside the tensors, and nothing unwritten is read (GuardedDevice).
//
// time_op takes the same declaration at a realistic size. It does nothing unless FUDE_BENCH is set:
//
//     FUDE_BENCH=1 build/release/tests/ops_test --gtest_filter='*.Speed'
#pragma once

#include <complex>
#include <functional>
#include <string>
#include <vector>

#include "backend/cpu/tier.h"
#include "ops/pass.h"
#include "tests/support/guarded_device.h"

namespace fude {

using Complex = std::complex<double>;
using Array = std::vector<Complex>;  // row-major

inline constexpr double kUnit = 0x1p-24;  // unit roundoff of f32
inline constexpr double kStep = 1e-30;    // h of the complex step

struct ParameterShape {
  Parameter::Layout layout;
  int64_t rows, cols;
};
inline ParameterShape matrix(int64_t rows, int64_t cols) { return {Parameter::Layout::panels, rows, cols}; }
inline ParameterShape vector_of(int64_t count) { return {Parameter::Layout::vector, count, 1}; }

struct OpCase {
  std::string name;
  int64_t rows = 0;                      // of every input
  std::vector<int64_t> input_cols = {};  // one input per entry: [rows, cols]
  std::vector<ParameterShape> parameters = {};
  // `rows` names the rows of the case that the inputs hold: all, or one.
  std::function<std::vector<Tensor>(const Pass&, const std::vector<Tensor>& inputs, const std::vector<Parameter>&,
                                    const std::vector<int64_t>& rows)>
      run = {};
  // Written naively and analytically; where it compares, by real part. One array per output, over all rows.
  std::function<std::vector<Array>(const std::vector<Array>& inputs, const std::vector<Array>& parameters)> reference =
      {};
  // Roundings in the longest chain of the values and of the gradients, each at most 2^-24 of the largest entry.
  double rounding_terms = 0;
  bool row_wise = true;
  // In bf16 all numbers given are exact in it, so that products are exact and f32's tolerance holds.
  DType compute = DType::f32;
  int probes = 24;  // single elements of each tensor whose gradient is probed, besides two random directions
};

void check_op(const OpCase& op);
// Prints the CPU time of forward and backward on one thread, per timed tier: the best of several runs, as ns per
// element of the outputs, and as GB/s of everything that must be read and written once.
void time_op(const OpCase& op);
// The same for any call; `prepare` runs before each call and is not timed.
void time_call(
    const std::string& name, double elements, double bytes, const std::function<void()>& call,
    const std::function<void()>& prepare = [] {});
bool is_timing();
// Not the portable tier, whose fused multiply-add may be a call, unless there is no other.
std::vector<Tier> timed_tiers();

// x[i] for all i, normally distributed; the same for the same seed.
std::vector<float> random_floats(int64_t count, uint64_t seed);
Tensor tensor_of(Device& device, Shape shape, const std::vector<float>& values);
std::vector<float> floats_of(const Tensor& tensor);
// 0, 1, … count - 1.
std::vector<int64_t> all_rows(int64_t count);
// Fails at the first place where the bits differ.
void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b, const std::string& what);

}  // namespace fude
