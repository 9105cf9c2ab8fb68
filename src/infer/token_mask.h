// Decides which tokens may come next in one answer: the place of a grammar.
#pragma once

#include <cstdint>
#include <span>

namespace fude {

class TokenMask {
 public:
  virtual ~TokenMask() = default;
  // Makes the logits of tokens that may not come next -∞; at least one stays.
  virtual void apply(std::span<float> logits_V) = 0;
  // The answer has gone on by this token.
  virtual void accept(int32_t token) = 0;
};

}  // namespace fude
