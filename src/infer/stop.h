// Watches streamed text for stop strings and holds back what may still become one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fude {

class StopMatcher {
 public:
  // Error if a stop string is empty.
  explicit StopMatcher(std::vector<std::string> stops);
  // The text that is now certain to come before any stop string. After a match: the rest before it, then nothing.
  std::string add(std::string_view text);
  // What was held back, at the end of the answer.
  std::string flush();
  bool matched() const { return matched_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool matched_ = false;
};

}  // namespace fude
