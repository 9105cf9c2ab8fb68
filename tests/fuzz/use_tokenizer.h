// What fuzz targets do with a tokenizer from a stranger.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "check.h"
#include "text/tokenizer.h"

namespace fude {

// The ids of a text, which lie below its size and can be decoded; nothing where its pattern takes too many steps, or
// its normaliser makes too much of the text.
inline std::optional<std::vector<TokenId>> ids_of(const Tokenizer& tokenizer, std::string_view text,
                                                  SpecialTokens special) {
  std::vector<TokenId> ids;
  try {
    ids = tokenizer.encode(text, special);
  } catch (const Error&) { return {}; }
  tokenizer.decode(ids);
  for (const TokenId id : ids) check(id < tokenizer.vocabulary_size());
  return ids;
}

}  // namespace fude
