// For a lexeme in a state of its lexer: which tokens stay inside it, and which would leave it.
//
// Tokens that stay inside are allowed whatever stands around the lexeme, so their mask is computed once and kept. Of
// tokens that go on behind an end of the lexeme, only what stands behind the end matters to the parser: these rests are
// kept as a small tree. In a JSON string that leaves some hundred of 200,000 tokens to walk, the method of xgrammar
// (Dong et al., 2024) and llguidance.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "infer/grammar/automaton.h"
#include "infer/grammar/plain_steps.h"
#include "infer/grammar/token_set.h"
#include "infer/grammar/token_trie.h"

namespace fude::grammar {

struct LexemeMask {
  TokenSet inside;           // empty if `few` says it all
  std::vector<TokenId> few;  // what is inside, if that takes less memory
  TokenTrie rests;           // bytes behind an end of the lexeme, and the token they end
  // Where so much lies behind an end that a copy would cost more than it saves: the place in the vocabulary's tree.
  struct Place {
    const TokenTrie* trie;
    int32_t node;
  };
  std::vector<Place> places;

  bool has_rests() const { return !rests.nodes().empty() || !places.empty(); }
  void add_inside(TokenSet& mask) const;
  size_t bytes() const {
    return inside.words().size_bytes() + few.size() * sizeof(TokenId) + rests.bytes() + places.size() * sizeof(Place);
  }
};

// What one mask may still take.
struct MaskSteps {
  uint64_t most, left = most;
  void take() {
    require(left > 0, "[grammar] the grammar takes more than {} steps for one mask", most);
    --left;
  }
};

// Masks by lexeme and state, up to some bytes: then all are dropped and made anew as they are needed.
class LexemeMasks {
 public:
  // `tries` must outlive it.
  LexemeMasks(const VocabularyTries& tries, int64_t vocabulary_size, uint64_t most_bytes)
      : tries_(tries), vocabulary_size_(vocabulary_size), most_bytes_(most_bytes) {}
  // Valid until the next call. Error if a limit is passed.
  const LexemeMask& find(int32_t lexeme, int32_t state, Lexer& lexer, MaskSteps& steps);

 private:
  LexemeMask make(uint64_t key, Lexer& lexer, MaskSteps& steps);

  const VocabularyTries& tries_;
  int64_t vocabulary_size_;
  uint64_t most_bytes_, bytes_ = 0;
  std::unordered_map<uint64_t, LexemeMask> masks_;       // by lexeme and state
  std::unordered_map<int32_t, PlainSteps> plain_steps_;  // by lexeme
};

}  // namespace fude::grammar
