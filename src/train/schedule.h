// The learning rate of a step: a pure function of the step's number, so that a resumed run needs no state for it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace fude {

// wsd: warm-up, stable, decay (Hu et al., "MiniCPM", 2024); the decay is 1 - sqrt (Hägele et al., 2024).
enum class ScheduleKind { constant, cosine, linear, wsd };

inline std::string_view name_of(ScheduleKind kind) {
  static constexpr std::string_view names[] = {"constant", "cosine", "linear", "wsd"};
  return names[int(kind)];
}

inline ScheduleKind schedule_kind_of(std::string_view name) {
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::cosine, ScheduleKind::linear, ScheduleKind::wsd})
    if (name == name_of(kind)) return kind;
  fail("[schedule] expected constant, cosine, linear or wsd, got '{}'", name);
}

struct Schedule {
  ScheduleKind kind = ScheduleKind::cosine;
  double learning_rate = 1e-3;  // at its highest
  int64_t steps = 1;            // of the whole run
  int64_t warmup_steps = 0;     // rises linearly; the first step is not 0
  double final_fraction = 0.1;  // of learning_rate, reached by the last step (constant: ignored)
  double decay_fraction = 0.2;  // of the steps, at the end (wsd only)

  void check() const {
    require(std::isfinite(learning_rate) && learning_rate >= 0,
            "[schedule] expected a learning rate of at least 0, got {}", learning_rate);
    require(steps >= 1, "[schedule] expected at least one step, got {}", steps);
    require(warmup_steps >= 0 && warmup_steps <= steps, "[schedule] expected 0 to {} warm-up steps, got {}", steps,
            warmup_steps);
    require(final_fraction >= 0 && final_fraction <= 1, "[schedule] expected a final fraction from 0 to 1, got {}",
            final_fraction);
    require(decay_fraction >= 0 && decay_fraction <= 1, "[schedule] expected a decay fraction from 0 to 1, got {}",
            decay_fraction);
  }

  // For step 0 … steps - 1; later steps keep the last one's rate.
  double at(int64_t step) const {
    step = std::min(step, steps - 1);
    if (step < warmup_steps) return learning_rate * double(step + 1) / double(warmup_steps);
    if (kind == ScheduleKind::constant) return learning_rate;
    int64_t begin = warmup_steps;  // the last step at full rate, unless warm-up ended there
    if (kind == ScheduleKind::wsd)
      begin = std::max(begin, steps - 1 - int64_t(std::llround(decay_fraction * double(steps))));
    if (step <= begin) return learning_rate;
    const double t = double(step - begin) / double(steps - 1 - begin);  // in (0, 1]
    double share = 1 - t;
    if (kind == ScheduleKind::cosine) share = 0.5 * (1 + std::cos(3.141592653589793 * t));
    if (kind == ScheduleKind::wsd) share = 1 - std::sqrt(t);
    return learning_rate * (final_fraction + (1 - final_fraction) * share);
  }
};

}  // namespace fude
