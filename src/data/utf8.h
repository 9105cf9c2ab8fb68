// Where a text stops being UTF-8. Strict, as the standard has it: no overlong forms, no surrogates, nothing
// above U+10FFFF. Corpora are checked once, here at the door, so that no later stage has to.
#pragma once

#include <cstddef>
#include <string_view>

namespace fude {

// Offset of the first byte that does not belong to a well-formed sequence, or text.size() if all do.
size_t utf8_valid_prefix(std::string_view text);

}  // namespace fude
