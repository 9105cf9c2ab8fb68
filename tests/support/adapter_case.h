// Random adapters that change what a small model says, for tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/lora.h"

namespace fude {

// Which modules an adapter has.
enum class AdapterKind { everywhere, queries_and_values, mlp };

inline std::vector<LoraPair> random_pairs(const Transformer& model, uint64_t seed,
                                          AdapterKind kind = AdapterKind::everywhere) {
  static const NormalTable normals;
  std::vector<LoraPair> pairs;
  uint64_t stream = 0;
  for (const Parameter* weight : model.block_matrices())
    for (size_t part = 0; part < weight->segments().size(); ++part) {
      const Segment& segment = weight->segments()[part];
      const bool is_mlp = segment.name.find("mlp") != std::string::npos;
      const bool is_qkv = weight->segments().size() == 3 || segment.name.find("c_attn") != std::string::npos;
      ++stream;
      if (kind == AdapterKind::mlp && !is_mlp) continue;
      if (kind == AdapterKind::queries_and_values && (!is_qkv || part == 1)) continue;
      const int64_t rank = 1 + int64_t((seed * 5 + stream * 3) % 9);
      const auto values = [=](int64_t count, uint64_t which) {
        return [=] {
          std::vector<float> x;
          for (uint64_t i = 0; int64_t(x.size()) < count; ++i)
            for (const float value : normals.eight(seed, 2 * stream + which, i)) x.push_back(0.3f * value);
          x.resize(size_t(count));
          return x;
        };
      };
      pairs.push_back({segment.name,
                       {rank, weight->cols()},
                       {segment.rows, rank},
                       values(rank * weight->cols(), 0),
                       values(segment.rows * rank, 1),
                       0.25 * double(1 + stream % 3)});
    }
  return pairs;
}

inline std::shared_ptr<const Adapter> random_adapter(const Transformer& model, uint64_t seed,
                                                     AdapterKind kind = AdapterKind::everywhere) {
  return make_adapter(model, "random", random_pairs(model, seed, kind));
}

}  // namespace fude
