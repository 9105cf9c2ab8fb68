// A flat ragged batch: N tokens of S sequences one after the other. Training packs documents, the engine mixes prompt
// chunks and single tokens; the model cannot tell which.
#pragma once

#include <cstdint>
#include <vector>

namespace fude {

struct Adapter;  // low_rank.h

// Rows [first, first + count) of a batch, which run with an adapter.
struct AdapterRows {
  const Adapter* adapter;
  int64_t first, count;
};

struct TokenBatch {
  std::vector<int32_t> tokens_N;
  std::vector<int32_t> positions_N;      // of each token in its sequence; consecutive inside a sequence
  std::vector<int32_t> sequence_starts;  // S + 1 offsets into the batch, the last is N
  std::vector<AdapterRows> adapters;     // each row in one of them at most; those in none have no adapter

  int64_t size() const { return int64_t(tokens_N.size()); }
  int64_t sequences() const { return int64_t(sequence_starts.size()) - 1; }
};

}  // namespace fude
