#include "base/progress.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace fude {

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9) return "?";
  const int64_t s = std::llround(seconds), minutes = s / 60, hours = s / 3600, days = s / 86400;
  if (days > 0) return fmt::format("{}d {:02}:{:02}", days, hours % 24, minutes % 60);
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes % 60, s % 60);
  return fmt::format("{}:{:02}", minutes, s % 60);
}

std::string quantity_text(double x) {
  if (!std::isfinite(x)) return "?";
  static constexpr const char* suffixes[] = {"", "k", "M", "G", "T"};
  int power = 0;
  while (std::abs(x) >= 999.5 && power < 4) x /= 1000, ++power;
  const double size = std::abs(x);
  if (power == 0 && x == std::floor(x)) return fmt::format("{:.0f}", x);
  return fmt::format("{:.{}f}{}", x, size < 9.995 ? 2 : size < 99.95 ? 1 : 0, suffixes[power]);
}

std::string progress_line(const ProgressState& state, int bar_width) {
  std::string line = state.label;
  if (state.total > 0) {
    const double share = std::clamp(double(state.done) / double(state.total), 0.0, 1.0);
    const int filled = int(share * bar_width);
    line += fmt::format("  [{}{}]  {}/{}  {:.0f}%", std::string(size_t(filled), '#'),
                        std::string(size_t(bar_width - filled), '-'), state.done, state.total, std::floor(100 * share));
  } else {
    line += fmt::format("  {}", state.done);
  }
  const double made = double(state.done - state.skipped);
  if (made > 0 && state.seconds > 0) {
    const double rate = made / state.seconds;
    line += fmt::format("  {} {}/s", quantity_text(rate), state.unit);
    if (state.total > state.done)
      line += fmt::format("  {} left", duration_text(double(state.total - state.done) / rate));
    if (state.total > 0 && state.done >= state.total) line += fmt::format("  in {}", duration_text(state.seconds));
  }
  if (!state.note.empty()) line += "  " + state.note;
  return line;
}

void Progress::update(const ProgressState& state, double now) {
  if (has_drawn_ && now - last_ < (is_terminal_ ? 0.2 : plain_interval_)) return;
  if (!is_terminal_ && state.total > 0 && state.done == state.total) return;  // finish() is about to say so
  has_drawn_ = true;
  last_ = now;
  draw(state, is_terminal_ ? "" : "\n");
}

void Progress::finish(const ProgressState& state) { draw(state, "\n"); }

void Progress::draw(const ProgressState& state, const char* end) {
  // "\r" goes to the line's begin, "\x1b[K" clears what a longer line left behind. In between, wrapping is
  // off: a line that is longer than the terminal is wide would leave its first rows behind each time.
  fmt::print(file_, "{}{}{}{}", is_terminal_ ? "\r\x1b[?7l" : "", progress_line(state),
             is_terminal_ ? "\x1b[K\x1b[?7h" : "", end);
  std::fflush(file_);
}

}  // namespace fude
