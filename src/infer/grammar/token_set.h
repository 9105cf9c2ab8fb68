// Sets of tokens as bits, as wide as a vocabulary: what a grammar allows and a sampler obeys.
#pragma once

#include <bit>
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
  // `other` is of the same vocabulary.
  void add(const TokenSet& other) {
    for (size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
  }
  bool has(TokenId token) const { return (words_[size_t(token) / 64] >> (token % 64) & 1) != 0; }
  bool operator==(const TokenSet&) const = default;
  // Token t is bit t % 64 of word t / 64.
  std::span<const uint64_t> words() const { return words_; }
  std::span<uint64_t> words() { return words_; }
  int64_t count() const;
  template <class Use>
  void for_each(Use&& use) const {
    for (size_t i = 0; i < words_.size(); ++i)
      for (uint64_t word = words_[i]; word != 0; word &= word - 1)
        use(TokenId(i * 64 + size_t(std::countr_zero(word))));
  }

 private:
  std::vector<uint64_t> words_;
};

// Takes the tokens that are not in the mask out of a row of log-probabilities (they become -infinity): the sampler
// then draws from the others, with their probabilities in proportion. Either may have more tokens than the other. Error
// if none is left.
void keep_allowed(const TokenSet& allowed, std::span<float> logprobs_V);

}  // namespace fude::grammar
