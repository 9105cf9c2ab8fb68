// How long a step takes, learned from the steps that ran:
//
//   seconds ≈ a + b · tokens + c · keys,   keys: those that the step's tokens attend to, all together
//
// Least squares over recent steps (each new one lets the older weigh 2 % less), so that it follows other load on the
// machine. It decides how large a chunk of a prompt is, and so when a result comes, never what the result is.
#pragma once

#include <array>
#include <cstdint>

namespace fude {

class StepCost {
 public:
  void add(int64_t tokens, int64_t keys, double seconds);
  // False until there are enough steps to tell.
  bool is_known() const;
  // Seconds.
  double of(int64_t tokens, int64_t keys) const;
  // The longest chunk, from position `first` on, with which a step of `tokens` tokens and `keys` keys still takes at
  // most `seconds`; 0 if it takes longer without.
  int64_t largest_chunk(int64_t tokens, int64_t keys, int64_t first, double seconds) const;

 private:
  void solve();

  std::array<std::array<double, 3>, 3> products_{};
  std::array<double, 3> targets_{}, cost_{};
  int64_t steps_ = 0;
};

}  // namespace fude
