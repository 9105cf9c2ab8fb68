// Decides which tokens may come next in one answer: the place of a grammar.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fude {

class TokenMask {
 public:
  virtual ~TokenMask() = default;
  // Makes the logits of tokens that may not come next -∞; at least one stays.
  virtual void apply(std::span<float> logits_V) = 0;
  // The answer has gone on by this token.
  virtual void accept(int32_t token) = 0;
  // At most `most` tokens that probably come next, where there is all but one way on. They are tried as guesses.
  virtual std::vector<int32_t> foreseen(int64_t most) {
    static_cast<void>(most);
    return {};
  }
};

}  // namespace fude
