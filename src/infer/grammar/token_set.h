// Sets of tokens as bits, as wide as a vocabulary: what a grammar allows and a sampler obeys.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "text/bpe.h"

namespace fude::grammar {

class TokenSet {
 public:
  TokenSet() = default;
  explicit TokenSet(int64_t vocabulary_size) : words_(size_t(vocabulary_size + 63) / 64) {}
  void clear() { words_.assign(words_.size(), 0); }
  void set(TokenId token) { words_[size_t(token) / 64] |= uint64_t(1) << (token % 64); }
  bool has(TokenId token) const { return (words_[size_t(token) / 64] >> (token % 64) & 1) != 0; }
  bool operator==(const TokenSet&) const = default;
  // Token t is bit t % 64 of word t / 64.
  std::span<const uint64_t> words() const { return words_; }
  std::span<uint64_t> words() { return words_; }
  int64_t count() const;

 private:
  std::vector<uint64_t> words_;
};

// Takes the tokens that are not in the mask out of a row of log-probabilities (they become -infinity): the sampler
// then draws from the others, with their probabilities in proportion. Error if none is left or the sizes differ.
void keep_allowed(const TokenSet& allowed, std::span<float> logprobs_V);

}  // namespace fude::grammar
