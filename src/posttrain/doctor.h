// Says in words what is wrong with a run of reinforcement learning, from what was measured of its last steps, and what
// to do about it: each complaint once, and again only after it had gone.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>

#include "base/json_fwd.h"

namespace fude {

// Of one rollout.
struct RolloutSigns {
  double right = 0;         // share of answers
  double equal_groups = 0;  // share of groups whose answers were worth the same
  double truncated = 0;     // share of answers cut off
  double tokens = 0;        // mean of an answer
  double entropy = 0;       // nats per token
};

class Doctor {
 public:
  // What is new; empty where all is well, or known.
  std::string look(const RolloutSigns& signs);

  // What it remembers; error, naming `where`, if that is damaged.
  Json state() const;
  void restore(const Json& state, std::string_view where);

 private:
  RolloutSigns median() const;
  std::deque<RolloutSigns> seen_;
  RolloutSigns first_{};   // of the first window
  double best_right_ = 0;  // of all windows
  bool knows_first_ = false;
  std::set<std::string, std::less<>> told_;  // names of complaints
};

}  // namespace fude
