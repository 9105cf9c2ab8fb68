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
#include "infer/grammar/token_mask.h"
#include "infer/grammar/token_trie.h"

namespace fude::grammar {

struct LexemeMask {
  TokenMask inside;          // empty if `few` says it all
  std::vector<TokenId> few;  // what is inside, if that takes less memory
  TokenTrie rests;           // bytes behind an end of the lexeme, and the token they end
  void add_inside(TokenMask& mask) const;
  size_t bytes() const { return inside.words().size_bytes() + few.size() * sizeof(TokenId) + rests.bytes(); }
};

// Masks by lexeme and state, up to some bytes: then all are dropped and made anew as they are needed.
class LexemeMasks {
 public:
  // `trie` must outlive it.
  LexemeMasks(const TokenTrie& trie, int64_t vocabulary_size, uint64_t most_bytes)
      : trie_(trie), vocabulary_size_(vocabulary_size), most_bytes_(most_bytes) {}
  // Valid until the next call.
  const LexemeMask& find(int32_t lexeme, int32_t state, Lexer& lexer);

 private:
  LexemeMask make(int32_t state, Lexer& lexer);

  const TokenTrie& trie_;
  int64_t vocabulary_size_;
  uint64_t most_bytes_, bytes_ = 0;
  std::unordered_map<uint64_t, LexemeMask> masks_;
};

}  // namespace fude::grammar
