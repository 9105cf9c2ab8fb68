// The last tokens of each sequence of a batch, whose hidden rows alone somebody asks for: in the last block the others
// end as keys and values. Of a prompt of a 16-layer model that is 5 % of the work.
#pragma once

#include "ops/kv_view.h"
#include "ops/pass.h"
#include "ops/token_batch.h"

namespace fude {

class LastRows {
 public:
  // counts_S[s] of the tokens of sequence s; Error if it has fewer.
  LastRows(const TokenBatch& batch, const std::vector<int64_t>& counts_S);

  // These tokens as a batch of their own, without the sequences that have none of them.
  const TokenBatch& batch() const { return batch_; }
  // A copy of their rows of what all tokens of the batch have.
  Tensor of(const Pass& pass, const Tensor& all_N) const;
  // Where their sequences find their keys and values.
  KvView of(KvView all) const;

 private:
  struct Stretch {
    size_t sequence;
    int64_t first_row, count;
  };
  std::vector<Stretch> stretches_;
  TokenBatch batch_;
};

}  // namespace fude
