// Guesses how a text goes on: as it did the last time that it read like this (Saxena, "Prompt lookup decoding", 2023).
//
// Free, and right where an answer quotes its prompt or itself: code that is changed, documents that are summed up.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fude {

// At most `most` tokens that followed the latest earlier place where the last three tokens stood, or else the last two.
std::vector<int32_t> look_up(std::span<const int32_t> tokens, int64_t most);

}  // namespace fude
