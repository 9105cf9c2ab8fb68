// Low-rank adapters out of files: a folder of PEFT (peft_folder.h), or a GGUF file of llama.cpp (gguf_adapter.h).
//
// Either is read as a list of pairs, each for one tensor of the family's own files; here they are held to the model's
// shapes and put beside its weights. Queries, keys and values, stacked in one parameter, have adapters of their own
// ranks, or none. So have the token embedding and the head, also where they are one tensor.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/transformer.h"
#include "ops/low_rank.h"

namespace fude {

// Rows of a weight that have a name of their own in files, and may have an adapter.
struct AdapterPlace {
  std::string tensor;
  const Parameter* weight;
  int64_t first, rows;
  std::string module() const;  // as adapters name it: q_proj
};
// The products of the blocks, in the model's order.
std::vector<AdapterPlace> block_places(const Transformer& model);
// What the adapter has there; null: nothing.
const LowRank* part_at(const Adapter& adapter, const AdapterPlace& place);

// One module's matrices, row-major: A [rank, in], B [out, rank]. Beside the token embedding A is [vocabulary, rank].
struct LoraPair {
  std::string weight;  // the tensor they stand beside, as the family's own files call it
  std::vector<int64_t> a_shape, b_shape;
  std::function<std::vector<float>()> read_a, read_b;
  double scale = 0;
  bool is_embedding = false;
  // The weight that they were trained beside, where the file has it: some of its rows.
  std::vector<int64_t> base_shape{};
  std::function<std::vector<float>(int64_t first, int64_t count)> read_base{};
};

inline constexpr int64_t kLargestRank = 4096;

// `source` is named in errors. Error if a module is not one of attention or MLP, token embedding or head, comes twice,
// has other shapes, or was trained beside a weight that is not the model's. The model must outlive the adapter; its
// device is not touched, so any thread may do this while the model runs. The matrices are called as PEFT's files do.
std::shared_ptr<Adapter> make_adapter(const Transformer& model, const std::string& source,
                                      const std::vector<LoraPair>& pairs);

// Error if `path` is neither, asks for what cannot be done, or does not fit the model. Any thread, as above.
std::shared_ptr<Adapter> load_adapter(const Transformer& model, const std::string& path);

}  // namespace fude
