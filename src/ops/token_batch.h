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
  // Training: what each sequence goes on from, an earlier one that begins at position 0, or -1. It begins at the end of
  // a page of that one (kv_view.h), and sees the pages before as its own. Empty: none goes on.
  std::vector<int32_t> prefixes;

  int64_t size() const { return int64_t(tokens_N.size()); }
  int64_t sequences() const { return int64_t(sequence_starts.size()) - 1; }
  int64_t prefix_of(int64_t sequence) const { return prefixes.empty() ? -1 : prefixes[size_t(sequence)]; }
};

}  // namespace fude
