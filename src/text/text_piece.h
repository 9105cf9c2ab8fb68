// A stretch of text of one origin. Special tokens are only looked for in trusted text.
#pragma once

#include <string>

namespace fude {

struct TextPiece {
  std::string text;
  bool is_trusted = false;
  friend bool operator==(const TextPiece&, const TextPiece&) = default;
};

}  // namespace fude
