// Keeps the keys and values of each layer and says where page p of sequence s lies.
//
// BatchKv (training, scoring) keeps nothing: a sequence's keys are its own rows of the batch, the identity page table.
// KvCache keeps the keys of one sequence across calls, for generation.
#pragma once

#include <vector>

#include "ops/kv_view.h"
#include "ops/token_batch.h"

namespace fude {

class KvStore {
 public:
  virtual ~KvStore() = default;
  // Takes the batch's keys and values of a layer; the view holds them and all earlier ones of the batch's sequences.
  virtual KvView put(int64_t layer, const Tensor& k_NGD, const Tensor& v_NGD, const TokenBatch& batch) = 0;
};

class BatchKv : public KvStore {
 public:
  // Every sequence of the batch must begin at position 0.
  KvView put(int64_t layer, const Tensor& k_NGD, const Tensor& v_NGD, const TokenBatch& batch) override;
};

class KvCache : public KvStore {
 public:
  // Room for `capacity` positions of one sequence.
  KvCache(Device& device, int64_t layers, int64_t kv_heads, int64_t head_size, int64_t capacity);
  // Batches of one sequence, positions continuing what is kept (or going back to any earlier one, which drops the
  // rest).
  KvView put(int64_t layer, const Tensor& k_NGD, const Tensor& v_NGD, const TokenBatch& batch) override;

 private:
  int64_t capacity_;
  std::vector<int64_t> kept_;  // positions of each layer
  std::vector<Tensor> k_, v_;
};

}  // namespace fude
