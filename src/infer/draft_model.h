// Guesses how answers go on by asking a smaller model with the same tokens (Leviathan et al., "Fast inference from
// Transformers via speculative decoding", 2023).
//
// It draws as the answer will be drawn: the same options, and the same draw for each position. So where the two models
// agree about a distribution they agree about the token, at every temperature. All sequences are guessed for at once,
// one token of each per pass of the small model. It keeps keys and values in pages of its own, which no two sequences
// share; the first in order have room there, and for the others nothing is guessed.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "infer/paged_kv.h"
#include "infer/sequence.h"
#include "model/transformer.h"

namespace fude {

class DraftModel {
 public:
  // The model and the kernels must outlive it. `cache_tokens`: positions in pages, of all sequences.
  DraftModel(const Transformer& model, const Kernels& kernels, int64_t cache_tokens, DType kv = DType::f32);

  // At most `most` tokens that may follow, behind the drafts that it has already.
  struct Wish {
    Sequence* sequence;
    int64_t most;
  };
  // Adds to the drafts of these sequences, and forgets all others. What was not read yet, a long prompt, is read in the
  // course of several calls.
  void draft(const std::vector<Wish>& wishes);
  // Forgets everything, as after a change of the model's parameters.
  void forget();

 private:
  struct Known {
    std::vector<Page> pages;
    std::vector<int32_t> tokens;  // whose keys and values the pages hold
  };
  using Key = std::pair<RequestId, int64_t>;  // request and choice
  static Key key_of(const Sequence& sequence) { return {sequence.live->id, sequence.choice}; }
  std::vector<Wish> keep(const std::vector<Wish>& wishes);
  void read_on(const Sequence& sequence, Known& known, TokenBatch& batch);
  void release(Known& known);

  const Transformer& model_;
  const Kernels& kernels_;
  PagePool pool_;
  std::map<Key, Known> known_;
};

}  // namespace fude
