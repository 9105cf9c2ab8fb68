#include "infer/grammar/token_set.h"

#include <bit>
#include <limits>

#include "base/error.h"

namespace fude::grammar {

int64_t TokenSet::count() const {
  int64_t count = 0;
  for (const uint64_t word : words_) count += std::popcount(word);
  return count;
}

void keep_allowed(const TokenSet& allowed, std::span<float> logprobs_V) {
  bool any = false;
  for (size_t token = 0; token < logprobs_V.size(); ++token)
    if (token / 64 < allowed.words().size() && allowed.has(TokenId(token)))
      any = true;
    else
      logprobs_V[token] = -std::numeric_limits<float>::infinity();
  require(any, "[grammar] no token may follow");
}

}  // namespace fude::grammar
