#include "tasks/dialogue.h"

namespace fude {

std::string Passage::render(const ChatMarkers& markers) const {
  std::string text;
  for (const Turn& segment : segments) {
    if (segment.role == Role::none) {
      text += segment.text;
      continue;
    }
    text += segment.role == Role::user ? markers.user : markers.assistant;
    text += segment.text + markers.end;
  }
  return text;
}

}  // namespace fude
