#include "tests/support/op_case.h"

#include <fmt/format.h>
#include <time.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>

#include "autograd/closure_tape.h"
#include "backend/cpu/tier.h"
#include "base/random.h"

namespace fude {
namespace {

struct Data {
  std::vector<std::vector<float>> inputs, parameters, cotangents;
};

struct Outcome {
  std::vector<std::vector<float>> values, input_gradients;
  std::vector<std::vector<float>> parameter_gradients;  // row-major
  std::vector<std::vector<float>> stored_gradients;     // padding included
};

std::vector<Parameter> make_parameters(const OpCase& op, const Data& data, Device& device) {
  std::vector<Parameter> parameters;
  for (size_t i = 0; i < op.parameters.size(); ++i) {
    const ParameterShape& shape = op.parameters[i];
    parameters.emplace_back(device, "p" + std::to_string(i), shape.layout,
                            std::vector<Segment>{{"p" + std::to_string(i), shape.rows}}, shape.cols,
                            Precision{op.compute, /*keeps_master=*/i % 2 == 0});
    parameters.back().set_rows(0, shape.rows, data.parameters[i].data());
  }
  return parameters;
}

std::vector<Tensor> make_inputs(const OpCase& op, const Data& data, Device& device, const std::vector<int64_t>& rows) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < op.input_cols.size(); ++i) {
    const int64_t cols = op.input_cols[i];
    std::vector<float> chosen;
    for (int64_t row : rows)
      chosen.insert(chosen.end(), data.inputs[i].begin() + row * cols, data.inputs[i].begin() + (row + 1) * cols);
    inputs.push_back(tensor_of(device, {int64_t(rows.size()), cols}, chosen));
  }
  return inputs;
}

bool all_trained(size_t) { return true; }

// Of parameters that are not trained, the outcome has empty gradients.
Outcome run_op(const OpCase& op, const Data& data, const Kernels& kernels, int threads, int passes,
               const std::function<bool(size_t)>& is_trained = all_trained) {
  GuardedDevice device(threads);
  const std::vector<int64_t> rows = all_rows(op.rows);
  const std::vector<Parameter> parameters = make_parameters(op, data, device);
  const std::vector<Tensor> inputs = make_inputs(op, data, device, rows);
  Outcome outcome;
  std::unordered_set<const Parameter*> trained;
  for (size_t i = 0; i < parameters.size(); ++i)
    if (is_trained(i)) trained.insert(&parameters[i]);
  GradientStore gradients(device, trained);
  ClosureTape tape;
  const Pass pass{device, kernels, &tape};
  for (int i = 0; i < passes; ++i) {
    const std::vector<Tensor> outputs = op.run(pass, inputs, parameters, rows);
    outcome.values.clear();
    for (size_t o = 0; o < outputs.size(); ++o) {
      outcome.values.push_back(floats_of(outputs[o]));
      std::copy(data.cotangents[o].begin(), data.cotangents[o].end(), gradients.into(outputs[o]).tensor.data<float>());
    }
    tape.backward(gradients);
  }
  for (const Tensor& input : inputs) {
    const GradientPlace place = gradients.into(input);
    EXPECT_TRUE(place.add) << op.name << ": an input has no gradient";
    outcome.input_gradients.push_back(floats_of(place.tensor));
  }
  for (const Parameter& parameter : parameters) {
    const Tensor gradient = gradients.of(parameter);
    if (!trained.contains(&parameter)) {
      EXPECT_TRUE(gradient.is_empty()) << op.name << ": " << parameter.name() << " is not trained and has a gradient";
      outcome.parameter_gradients.emplace_back(), outcome.stored_gradients.emplace_back();
      continue;
    }
    std::vector<float> row_major(size_t(parameter.count()), NAN), stored;
    if (gradient.is_empty()) {
      ADD_FAILURE() << op.name << ": " << parameter.name() << " has no gradient";
    } else {
      parameter.get_rows_of(gradient, 0, parameter.rows(), row_major.data());
      stored = floats_of(gradient);
    }
    outcome.parameter_gradients.push_back(row_major);
    outcome.stored_gradients.push_back(stored);
  }
  return outcome;
}

std::vector<std::vector<float>> infer(const OpCase& op, const Data& data, const Kernels& kernels,
                                      const std::vector<int64_t>& rows) {
  GuardedDevice device(1);
  const std::vector<Parameter> parameters = make_parameters(op, data, device);
  std::vector<std::vector<float>> values;
  for (const Tensor& output : op.run(Pass{device, kernels}, make_inputs(op, data, device, rows), parameters, rows))
    values.push_back(floats_of(output));
  return values;
}

Array complex_of(const std::vector<float>& x) { return Array(x.begin(), x.end()); }

double largest_of(const std::vector<float>& x) {
  double most = 0;
  for (float v : x) most = std::max(most, double(std::fabs(v)));
  return most;
}

void expect_near(const std::vector<float>& got, const Array& wanted, double terms, const std::string& what) {
  ASSERT_EQ(got.size(), wanted.size()) << what;
  double most = 0;
  for (const Complex& w : wanted) most = std::max(most, std::fabs(w.real()));
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_LE(std::fabs(got[i] - wanted[i].real()), terms * kUnit * most)
        << what << ", element " << i << ": got " << got[i] << ", reference " << wanted[i].real();
}

void expect_same(const Outcome& a, const Outcome& b, const std::string& what) {
  for (size_t i = 0; i < a.values.size(); ++i) expect_same_bits(a.values[i], b.values[i], what + ", values");
  for (size_t i = 0; i < a.input_gradients.size(); ++i)
    expect_same_bits(a.input_gradients[i], b.input_gradients[i], what + ", gradient of input " + std::to_string(i));
  for (size_t i = 0; i < a.stored_gradients.size(); ++i)
    expect_same_bits(a.stored_gradients[i], b.stored_gradients[i],
                     what + ", gradient of parameter " + std::to_string(i));
}

// Single elements and two random directions of one tensor's gradient.
void check_gradient(const OpCase& op, const Data& data, const std::vector<float>& gradient, bool is_input, size_t index,
                    const std::string& what) {
  std::vector<Array> inputs, parameters;
  for (const auto& x : data.inputs) inputs.push_back(complex_of(x));
  for (const auto& x : data.parameters) parameters.push_back(complex_of(x));
  Array& probed = is_input ? inputs[index] : parameters[index];
  ASSERT_EQ(gradient.size(), probed.size()) << what;
  const auto derivative = [&] {
    const std::vector<Array> outputs = op.reference(inputs, parameters);
    double total = 0;
    for (size_t o = 0; o < outputs.size(); ++o)
      for (size_t i = 0; i < outputs[o].size(); ++i)
        total += outputs[o][i].imag() / kStep * double(data.cotangents[o][i]);
    return total;
  };
  const double unit = op.rounding_terms * kUnit * largest_of(gradient);
  const int64_t size = int64_t(gradient.size()), probes = std::min<int64_t>(size, op.probes);
  Random random{7, index};
  for (int64_t probe = 0; probe < probes; ++probe) {
    const size_t at = probes == size ? size_t(probe)
                      : probe == 0   ? 0
                      : probe == 1   ? size_t(size - 1)
                                     : size_t(random.below(uint64_t(size)));
    probed[at] += Complex(0, kStep);
    ASSERT_LE(std::fabs(derivative() - gradient[at]), unit)
        << what << ", element " << at << ": got " << gradient[at] << ", reference " << derivative();
    probed[at] = probed[at].real();
  }
  for (int direction = 0; direction < 2; ++direction) {
    double got = 0;
    for (size_t i = 0; i < probed.size(); ++i) {
      const double sign = random.below(2) ? 1 : -1;
      probed[i] = Complex(probed[i].real(), sign * kStep);
      got += sign * double(gradient[i]);
    }
    // Independent errors of random sign: four standard deviations.
    ASSERT_LE(std::fabs(derivative() - got), 4 * unit * std::sqrt(double(size)))
        << what << ", direction " << direction << ": got " << got << ", reference " << derivative();
    for (Complex& x : probed) x = x.real();
  }
}

void check_padding(const OpCase& op, const Outcome& outcome) {
  for (size_t i = 0; i < op.parameters.size(); ++i) {
    const ParameterShape& shape = op.parameters[i];
    if (shape.layout != Parameter::Layout::panels) continue;
    const std::vector<float>& stored = outcome.stored_gradients[i];
    for (int64_t at = 0; at < int64_t(stored.size()); ++at) {
      const int64_t row = at / (kPanel * shape.cols) * kPanel + at % kPanel;
      if (row < shape.rows) continue;
      ASSERT_EQ(stored[size_t(at)], 0.0f)
          << op.name << ": the padding of parameter " << i << " has a gradient, row " << row;
    }
  }
}

}  // namespace

void check_op(const OpCase& op) {
  SCOPED_TRACE(op.name);
  Data data;
  uint64_t seed = 1;
  const auto random = [&](int64_t count) {
    std::vector<float> values = random_floats(count, seed++);
    if (op.compute == DType::bf16)
      for (float& value : values) value = float(BFloat16(value));
    return values;
  };
  for (int64_t cols : op.input_cols) data.inputs.push_back(random(op.rows * cols));
  for (const ParameterShape& shape : op.parameters) data.parameters.push_back(random(shape.rows * shape.cols));
  std::vector<Array> inputs, parameters;
  for (const auto& x : data.inputs) inputs.push_back(complex_of(x));
  for (const auto& x : data.parameters) parameters.push_back(complex_of(x));
  const std::vector<Array> wanted = op.reference(inputs, parameters);
  for (const Array& output : wanted) data.cotangents.push_back(random(int64_t(output.size())));

  std::map<std::string, Outcome> first_of;  // by how the tier sums
  for (Tier tier : supported_tiers()) {
    const Kernels& kernels = kernels_of(tier);
    const std::string name = op.name + " [" + std::string(name_of(tier)) + "]";
    const Outcome one = run_op(op, data, kernels, 1, 1), three = run_op(op, data, kernels, 3, 1);
    for (size_t o = 0; o < wanted.size(); ++o)
      expect_near(one.values[o], wanted[o], op.rounding_terms, name + ", output " + std::to_string(o));
    expect_same(one, three, name + ": 1 and 3 threads");
    check_padding(op, one);
    const auto inferred = infer(op, data, kernels, all_rows(op.rows));
    for (size_t o = 0; o < inferred.size(); ++o)
      expect_same_bits(inferred[o], one.values[o], name + ": with and without a tape");
    if (op.row_wise)
      for (int64_t row : {int64_t(0), op.rows / 2, op.rows - 1}) {
        const auto alone = infer(op, data, kernels, {row});
        for (size_t o = 0; o < alone.size(); ++o) {
          const auto begin = one.values[o].begin() + row * int64_t(alone[o].size());
          expect_same_bits(alone[o], {begin, begin + int64_t(alone[o].size())}, name + ": a row alone");
        }
      }
    for (size_t only = 0; only <= parameters.size() && !parameters.empty(); ++only) {  // the last: none at all
      const std::string what = name + ": not everything is trained";
      const Outcome some = run_op(op, data, kernels, 2, 1, [&](size_t i) { return i == only; });
      for (size_t i = 0; i < inputs.size(); ++i)
        expect_same_bits(some.input_gradients[i], one.input_gradients[i], what);
      if (only < parameters.size()) expect_same_bits(some.stored_gradients[only], one.stored_gradients[only], what);
    }
    const Outcome twice = run_op(op, data, kernels, 2, 2);
    const auto expect_doubled = [&](const std::vector<float>& two, const std::vector<float>& once) {
      Array doubled;
      for (float x : once) doubled.push_back(2.0 * double(x));
      expect_near(two, doubled, op.rounding_terms, name + ": two backward passes");
    };
    for (size_t i = 0; i < inputs.size(); ++i) expect_doubled(twice.input_gradients[i], one.input_gradients[i]);
    for (size_t i = 0; i < parameters.size(); ++i)
      expect_doubled(twice.parameter_gradients[i], one.parameter_gradients[i]);
    const std::string numerics = op.compute == DType::bf16 ? kernels.bf16 : "f32";
    if (!first_of.contains(numerics)) {
      first_of[numerics] = one;
      for (size_t i = 0; i < inputs.size(); ++i)
        check_gradient(op, data, one.input_gradients[i], true, i, name + ", gradient of input " + std::to_string(i));
      for (size_t i = 0; i < parameters.size(); ++i)
        check_gradient(op, data, one.parameter_gradients[i], false, i,
                       name + ", gradient of parameter " + std::to_string(i));
    } else {
      expect_same(one, first_of[numerics], name + ": tiers");
    }
    if (testing::Test::HasFailure()) return;
  }
}

bool is_timing() { return std::getenv("FUDE_BENCH") != nullptr; }

std::vector<Tier> timed_tiers() {
  std::vector<Tier> tiers = supported_tiers();
  if (tiers.size() > 1) tiers.erase(tiers.begin());
  return tiers;
}

void time_call(const std::string& name, double elements, double bytes, const std::function<void()>& call,
               const std::function<void()>& prepare) {
  const auto seconds = [] {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
  };
  double best = INFINITY;
  const double end = seconds() + 0.5;
  for (int runs = 0; runs < 3 || seconds() < end; ++runs) {
    prepare();
    const double begin = seconds();
    call();
    best = std::min(best, seconds() - begin);
  }
  fmt::print("{:<64} {:>9.3f} ms {:>8.3f} ns/element {:>7.1f} GB/s\n", name, 1e3 * best, 1e9 * best / elements,
             1e-9 * bytes / best);
}

void time_op(const OpCase& op) {
  if (!is_timing()) return;
  Data data;
  double input_floats = 0, parameter_floats = 0;
  for (int64_t cols : op.input_cols) {
    data.inputs.push_back(random_floats(op.rows * cols, 1));
    input_floats += double(op.rows * cols);
  }
  for (const ParameterShape& shape : op.parameters) {
    data.parameters.push_back(random_floats(shape.rows * shape.cols, 2));
    parameter_floats += double(shape.rows * shape.cols);
  }
  for (Tier tier : timed_tiers()) {
    Device device(1);
    const std::vector<int64_t> rows = all_rows(op.rows);
    const std::vector<Parameter> parameters = make_parameters(op, data, device);
    const std::vector<Tensor> inputs = make_inputs(op, data, device, rows);
    const std::string name = fmt::format("{} [{}]", op.name, name_of(tier));
    double output_floats = 0;
    std::vector<std::vector<float>> cotangents;
    for (const Tensor& output : op.run(Pass{device, kernels_of(tier)}, inputs, parameters, rows)) {
      output_floats += double(output.size());
      cotangents.push_back(random_floats(output.size(), 3));
    }
    time_call(name, output_floats, 4 * (input_floats + parameter_floats + output_floats), [&] {
      op.run(Pass{device, kernels_of(tier)}, inputs, parameters, rows);
    });
    // Back: reads what forward read and the outputs' gradients, writes the gradients of what forward read.
    GradientStore gradients(device);
    ClosureTape tape;
    const Pass pass{device, kernels_of(tier), &tape};
    time_call(
        name + " back", output_floats, 4 * (2 * (input_floats + parameter_floats) + output_floats),
        [&] { tape.backward(gradients); },
        [&] {
          gradients.clear();
          const std::vector<Tensor> outputs = op.run(pass, inputs, parameters, rows);
          for (size_t o = 0; o < outputs.size(); ++o)
            std::copy(cotangents[o].begin(), cotangents[o].end(), gradients.into(outputs[o]).tensor.data<float>());
        });
  }
}

std::vector<float> random_floats(int64_t count, uint64_t seed) {
  Random random{seed, 0};
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = float(random.normal());
  return values;
}

Tensor tensor_of(Device& device, Shape shape, const std::vector<float>& values) {
  Tensor tensor(device, shape, DType::f32);
  std::copy(values.begin(), values.end(), tensor.data<float>());
  return tensor;
}

std::vector<float> floats_of(const Tensor& tensor) {
  return std::vector<float>(tensor.data<float>(), tensor.data<float>() + tensor.size());
}

std::vector<int64_t> all_rows(int64_t count) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), int64_t(0));
  return rows;
}

void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_EQ(std::bit_cast<uint32_t>(a[i]), std::bit_cast<uint32_t>(b[i]))
        << what << ", element " << i << ": " << a[i] << " and " << b[i];
}

}  // namespace fude
