// Random adapters that change what a small model says, for tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/architecture.h"
#include "model/lora.h"

namespace fude {

// Which modules an adapter has.
enum class AdapterKind { everywhere, queries_and_values, mlp };

inline std::vector<LoraPair> random_pairs(const Transformer& model, uint64_t seed,
                                          AdapterKind kind = AdapterKind::everywhere) {
  std::vector<LoraPair> pairs;
  uint64_t stream = 0;
  const auto rank_of = [&](uint64_t stream) { return 1 + int64_t((seed * 5 + stream * 3) % 9); };
  const auto values = [&](int64_t count, uint64_t stream, float scale) {
    return [=] {
      static const NormalTable normals;
      std::vector<float> x;
      for (uint64_t i = 0; int64_t(x.size()) < count; ++i)
        for (const float value : normals.eight(seed, stream, i)) x.push_back(scale * value);
      x.resize(size_t(count));
      return x;
    };
  };
  for (const Parameter* weight : model.block_matrices())
    for (size_t part = 0; part < weight->segments().size(); ++part) {
      const Segment& segment = weight->segments()[part];
      const bool is_mlp = segment.name.find("mlp") != std::string::npos;
      const bool is_qkv = weight->segments().size() == 3 || segment.name.find("c_attn") != std::string::npos;
      ++stream;
      if (kind == AdapterKind::mlp && !is_mlp) continue;
      if (kind == AdapterKind::queries_and_values && (!is_qkv || part == 1)) continue;
      const int64_t rank = rank_of(stream);
      pairs.push_back({segment.name,
                       {rank, weight->cols()},
                       {segment.rows, rank},
                       values(rank * weight->cols(), 2 * stream, 0.3f),
                       values(segment.rows * rank, 2 * stream + 1, 0.3f),
                       0.25 * double(1 + stream % 3)});
    }
  if (kind != AdapterKind::everywhere) return pairs;
  const TensorNames& names = architecture_of(model.config().family).names;
  const int64_t vocabulary = model.config().vocabulary, width = model.config().width, rank = rank_of(++stream);
  for (const bool is_embedding : {false, true})
    pairs.push_back({is_embedding ? names.embedding : names.head,
                     is_embedding ? std::vector{vocabulary, rank} : std::vector{rank, width},
                     {is_embedding ? width : vocabulary, rank},
                     values(rank * (is_embedding ? vocabulary : width), 1000 + is_embedding, 0.1f),
                     values(rank * (is_embedding ? width : vocabulary), 1002 + is_embedding, 0.1f),
                     0.5,
                     is_embedding});
  return pairs;
}

inline std::shared_ptr<const Adapter> random_adapter(const Transformer& model, uint64_t seed,
                                                     AdapterKind kind = AdapterKind::everywhere) {
  return make_adapter(model, "random", random_pairs(model, seed, kind));
}

}  // namespace fude
