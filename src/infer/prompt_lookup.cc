#include "infer/prompt_lookup.h"

#include <algorithm>

namespace fude {

std::vector<int32_t> look_up(std::span<const int32_t> tokens, int64_t most) {
  const auto size = int64_t(tokens.size());
  for (int64_t length : {3, 2}) {
    const auto end = tokens.end() - std::min(length, size);
    for (int64_t from = size - length - 1; from >= 0 && most > 0; --from) {
      if (!std::equal(end, tokens.end(), tokens.begin() + from)) continue;
      const auto next = tokens.begin() + from + length;
      return {next, next + std::min(most, tokens.end() - next)};
    }
  }
  return {};
}

}  // namespace fude
