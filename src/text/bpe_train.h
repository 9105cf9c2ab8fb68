// Training a byte-level BPE: count the pieces of a corpus, then merge the most frequent pair of neighbours,
// again and again.
//
// The corpus is streamed; what is kept is the table of distinct pieces, under a memory limit. Every count is
// exact at every step (Hugging Face's trainer keeps stale counts for pairs that form again), ties go to the
// smaller left, then the smaller right id, and no result depends on the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "text/tokenizer_file.h"

namespace fude {

struct BpeTrainOptions {
  int64_t vocabulary_size = 0;                // special tokens and the 256 bytes included
  int64_t min_frequency = 1;                  // pairs seen less often are not merged
  size_t max_token_bytes = 0;                 // longest entry; 0: what a file may hold
  std::vector<std::string> special_tokens;    // get the first ids, in this order
  std::vector<SplitStep> steps;               // how text is cut
  uint64_t memory_limit = uint64_t(4) << 30;  // bytes, for the table of pieces and the merging
  int threads = 1;
};

// Where training stands, for a progress display.
struct BpeTrainProgress {
  uint64_t text_bytes = 0;  // read so far
  uint64_t distinct_pieces = 0;
  int64_t entries = 0;  // vocabulary entries so far; 0 while reading
};

struct BpeTrainResult {
  TokenizerData tokenizer;
  uint64_t text_bytes = 0;
  uint64_t pieces = 0, distinct_pieces = 0;
  // What the memory limit cost: pieces dropped (with multiplicity), and the highest count that was dropped.
  // 0: nothing.
  uint64_t pruned_pieces = 0, pruned_below = 0;
};

// `next` puts the next document into its argument, or returns false at the end. Special tokens in documents are text.
BpeTrainResult train_bpe(const BpeTrainOptions& options, const std::function<bool(std::string&)>& next,
                         const std::function<void(const BpeTrainProgress&)>& progress = {});

}  // namespace fude
