// A document as a list of segments: one plain segment, or the turns of a chat.
//
// The corpus says who speaks; how a turn is marked is the caller's (three special tokens). A loss mask for
// SFT falls out of the same list: learn the assistant's segments.
#pragma once

#include <string>
#include <vector>

namespace fude {

enum class Role { none, user, assistant };

struct Turn {
  Role role = Role::none;
  std::string text;
};

struct ChatMarkers {
  std::string user = "<|user|>";
  std::string assistant = "<|assistant|>";
  std::string end = "<|end|>";  // after each turn
};

struct Passage {
  std::vector<Turn> segments;

  // Plain text as it is; a turn as marker, text, end, with nothing in between.
  std::string render(const ChatMarkers& markers) const;
};

}  // namespace fude
