// The one Transformer: token rows in, normalised hidden rows out. Training and serving call the same function; only the
// KvStore they hand it differs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/block.h"

namespace fude {

// The format in which a file has a tensor and the model is to keep it (Segment::format), or null.
using KeptFormats = std::function<const WeightFormat*(const std::string& tensor)>;

class Transformer {
 public:
  // Parameters zero; see initialise() and load_model(). With bf16, matrices multiply in bf16, sums stay f32. With
  // `formats`, matrices whose tensors can keep them (Parameter::can_keep_formats) do.
  Transformer(Device& device, const ModelConfig& config, Precision precision = {}, const KeptFormats& formats = {});

  const ModelConfig& config() const { return config_; }
  Device& device() const { return device_; }

  // Random weights: normal with deviation 0.02, output projections 0.02/√(2L), norms 1, biases 0. Each parameter draws
  // from its own stream, by its place, so the weights do not depend on the sizes of the others.
  void initialise(uint64_t seed);

  // Hidden rows after the last norm, [N, C]. `pass`, `batch` and, with checkpoints, `kv` must outlive the tape's
  // backward.
  Tensor forward(const Pass& pass, const TokenBatch& batch, KvStore& kv) const;
  // Those of the last counts_S[s] tokens of each sequence alone, [Σ counts, C], the same bits. Without a tape.
  Tensor forward(const Pass& pass, const TokenBatch& batch, KvStore& kv, const std::vector<int64_t>& counts_S) const;
  // Logits of hidden rows, [N, V]; `adapters` are those of these rows.
  Tensor logits(const Pass& pass, const Tensor& h_NC, const std::vector<AdapterRows>& adapters = {}) const;
  // The classifier's weight: the head, or the embedding table when tied.
  const Parameter& classifier() const { return head_ ? *head_ : embedding_; }
  const Parameter& token_table() const { return embedding_; }

  // In a fixed order. The pointers live as long as the model.
  std::vector<Parameter*> parameters();
  std::vector<const Parameter*> parameters() const;
  int64_t parameter_count() const;
  // The weights of the blocks' products, among them.
  std::vector<const Parameter*> block_matrices() const;

 private:
  Tensor forward(const Pass& pass, const TokenBatch& batch, KvStore& kv, const LastRows* last) const;

  ModelConfig config_;
  Device& device_;
  Parameter embedding_;
  std::optional<Parameter> positions_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::optional<Norm> final_norm_;
  std::optional<Parameter> head_;
  std::optional<Rotation> rotation_, local_rotation_;
};

}  // namespace fude
