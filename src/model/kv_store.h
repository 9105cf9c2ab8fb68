// Keeps the keys and values of each layer and says where page p of sequence s lies.
//
// BatchKv (training) keeps nothing: a sequence's keys are its own rows of the batch, behind those of the sequence that
// it goes on from. What keeps them across calls, for generation, is infer/paged_kv.h.
#pragma once

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
  // Every sequence of the batch must begin at position 0, or behind whole pages of its prefix.
  KvView put(int64_t layer, const Tensor& k_NGD, const Tensor& v_NGD, const TokenBatch& batch) override;
};

}  // namespace fude
