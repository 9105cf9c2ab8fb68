#include "reason/vote.h"

#include <algorithm>

namespace fude {

void Vote::add(const std::string& key, size_t number, double weight) {
  if (key.empty()) return;
  auto found = std::ranges::find(answers_, key, &Answer::key);
  if (found == answers_.end()) found = answers_.insert(answers_.end(), {key, number});
  ++found->count, found->weight += weight;
}

std::vector<Vote::Answer> Vote::ranking() const {
  std::vector<Answer> ranked = answers_;
  std::ranges::stable_sort(ranked, std::ranges::greater{}, &Answer::weight);
  return ranked;
}

bool Vote::is_decided(int64_t left) const {
  const std::vector<Answer> ranked = ranking();
  if (ranked.empty()) return left == 0;
  // The answer that comes first in a tie is the one that was given first, so a tie is not decided yet.
  const double second = ranked.size() > 1 ? ranked[1].weight : 0;
  return ranked[0].weight > second + double(left);
}

}  // namespace fude
