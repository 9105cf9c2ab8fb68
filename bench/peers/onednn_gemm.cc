// The products of `fude bench gemm` in oneDNN: the same names, shapes and types, one line of JSON each.
//
//     onednn_gemm [--rounds R] [--type f32|bf16] [--filter TEXT]...        threads: OMP_NUM_THREADS
//
// The second operand is reordered beforehand into the layout that oneDNN likes best; for dW that is x, which
// a training step would have to reorder each time, so oneDNN is given more there than it could have. bf16
// operands, f32 results.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "dnnl.hpp"

namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

struct Options {
  int rounds = 5;
  std::vector<std::string> types = {"f32", "bf16"}, filters;

  bool wants(const std::string& name) const {
    return filters.empty() || std::any_of(filters.begin(), filters.end(),
                                          [&](const auto& f) { return name.find(f) != std::string::npos; });
  }
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// results[m, n] = a[m, k] b[k, n], with b packed.
class Product {
 public:
  Product(const dnnl::engine& engine, dnnl::stream& stream, Type type, memory::dim m, memory::dim n, memory::dim k,
          Tag a_tag, Tag b_tag, int copies)
      : stream_(stream) {
    const memory::desc a({m, k}, type, a_tag), b({k, n}, type, Tag::any), c({m, n}, Type::f32, Tag::ab);
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, c), engine);
    matmul_ = dnnl::matmul(description);
    a_ = memory(a, engine), c_ = memory(c, engine);
    fill(a_, {{m, k}, a_tag}, engine);
    for (int i = 0; i < copies; ++i) {
      b_.emplace_back(description.weights_desc(), engine);
      fill(b_.back(), {{k, n}, b_tag}, engine);
    }
  }

  void run() {
    for (memory& b : b_) matmul_.execute(stream_, {{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c_}});
    stream_.wait();
  }

 private:
  struct Plain {
    memory::dims extents;
    Tag tag;
  };
  // Small numbers of both signs, through a plain f32 matrix.
  void fill(memory& to, const Plain& plain, const dnnl::engine& engine) {
    memory from({plain.extents, Type::f32, plain.tag}, engine);
    float* values = static_cast<float*>(from.get_data_handle());
    for (memory::dim i = 0; i < plain.extents[0] * plain.extents[1]; ++i)
      values[i] = float(i * 7919 % 1009) / 1009 - 0.5f;
    dnnl::reorder(from, to).execute(stream_, from, to);
    stream_.wait();
  }

  dnnl::stream& stream_;
  dnnl::matmul matmul_;
  memory a_, c_;
  std::vector<memory> b_;
};

void print_samples(const Options& options, const std::string& name, const char* unit, double amount,
                   const std::function<void()>& work) {
  const auto seconds_of = [&](int calls) {
    const double began = now();
    for (int i = 0; i < calls; ++i) work();
    return now() - began;
  };
  const int calls = int(0.1 / std::min(seconds_of(1), seconds_of(1))) + 1;
  std::vector<double> values;
  for (int i = 0; i < options.rounds; ++i) values.push_back(amount * calls / seconds_of(calls));
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  const dnnl_version_t& version = *dnnl_version();
  std::printf("{\"name\":\"%s\",\"value\":%.5g,\"unit\":\"%s\",\"low\":%.5g,\"high\":%.5g,\"version\":\"%d.%d.%d\"}\n",
              name.c_str(), median, unit, values.front(), values.back(), version.major, version.minor, version.patch);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string key = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (key == "--rounds" && std::atoi(value.c_str()) > 0) {
      options.rounds = std::atoi(value.c_str());
    } else if (key == "--type" && (value == "f32" || value == "bf16")) {
      options.types = {value};
    } else if (key == "--filter" && !value.empty()) {
      options.filters.push_back(value);
    } else {
      std::fprintf(stderr, "usage: onednn_gemm [--rounds R] [--type f32|bf16] [--filter TEXT]...\n");
      return 2;
    }
  }
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);

  struct Shape {
    const char* kind;
    memory::dim m, n, k;
    Tag a, b;  // as the operands lie: weights [outputs, inputs], activations by rows
  };
  const Shape shapes[] = {
      {"forward", 2048, 2304, 768, Tag::ab, Tag::ba},  {"forward", 2048, 768, 768, Tag::ab, Tag::ba},
      {"forward", 2048, 3072, 768, Tag::ab, Tag::ba},  {"forward", 2048, 768, 3072, Tag::ab, Tag::ba},
      {"forward", 2048, 50304, 768, Tag::ab, Tag::ba}, {"dX", 2048, 768, 3072, Tag::ab, Tag::ab},
      {"dX", 2048, 768, 50304, Tag::ab, Tag::ab},      {"dW", 3072, 768, 2048, Tag::ba, Tag::ab},
      {"dW", 50304, 768, 2048, Tag::ba, Tag::ab}};
  const memory::dim few[][2] = {{8192, 2048}, {3072, 768}};  // outputs, inputs
  const auto print_type = [&](const std::string& type_name) {
    const Type type = type_name == "bf16" ? Type::bf16 : Type::f32;
    for (const Shape& s : shapes) {
      const std::string name =
          type_name + " " + s.kind + " " + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k);
      if (!options.wants(name)) continue;
      Product product(engine, stream, type, s.m, s.n, s.k, s.a, s.b, 1);
      print_samples(options, name, "GFLOP/s", 2e-9 * double(s.m) * double(s.n) * double(s.k), [&] { product.run(); });
    }
    for (const auto& [outputs, inputs] : few)
      for (memory::dim rows : {1, 2, 4, 8, 16}) {
        const std::string name =
            type_name + " rows " + std::to_string(rows) + " " + std::to_string(outputs) + "x" + std::to_string(inputs);
        if (!options.wants(name)) continue;
        const double bytes = double(outputs * inputs) * (type == Type::bf16 ? 2 : 4);
        const int copies = int(440e6 / bytes) + 1;
        Product product(engine, stream, type, rows, outputs, inputs, Tag::ab, Tag::ba, copies);
        print_samples(options, name, "GB/s", 1e-9 * bytes * copies, [&] { product.run(); });
      }
  };
  for (const std::string& type : options.types) {
    try {
      print_type(type);
    } catch (const dnnl::error& error) {
      std::fprintf(stderr, "onednn_gemm: no %s products on this CPU (%s)\n", type.c_str(), error.what());
    }
  }
}
