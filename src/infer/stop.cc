#include "infer/stop.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace fude {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_) require(!stop.empty(), "[stop] expected stop strings that are not empty");
}

std::string StopMatcher::add(std::string_view text) {
  if (matched_) return {};
  held_ += text;
  // The one that ends first, of these the longest: so it does not matter in which pieces the text comes.
  constexpr size_t kNone = std::string::npos;
  std::pair<size_t, size_t> match{kNone, kNone};  // its end and begin
  for (const std::string& stop : stops_)
    if (const size_t begin = held_.find(stop); begin != kNone) match = std::min(match, {begin + stop.size(), begin});
  if (match.second != kNone) {
    matched_ = true;
    return held_.substr(0, match.second);
  }
  size_t keep = 0;  // the longest end of the text that begins a stop string
  for (const std::string& stop : stops_)
    for (size_t n = std::min(stop.size() - 1, held_.size()); n > keep; --n)
      if (held_.ends_with(std::string_view(stop).substr(0, n))) keep = n;
  std::string certain = held_.substr(0, held_.size() - keep);
  held_.erase(0, certain.size());
  return certain;
}

std::string StopMatcher::flush() { return matched_ ? std::string() : std::exchange(held_, {}); }

}  // namespace fude
