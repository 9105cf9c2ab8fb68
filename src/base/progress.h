// A line that tells how far a long job is: redrawn in place on a terminal, one line now and then in a log.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace fude {

struct ProgressState {
  std::string label;  // "train", "tokenize"
  int64_t done = 0;
  int64_t total = 0;    // 0: unknown, no bar and no time left
  double seconds = 0;   // since the job (or its resumed part) began
  int64_t skipped = 0;  // of `done`, what an earlier run did: not part of the rate
  std::string unit;     // "steps": the rate is "12.3 steps/s"
  std::string note;     // at the end of the line: "loss 3.141"
};

// "train  [######----]  60/100  60%  12.3 steps/s  0:03 left  loss 3.141"
std::string progress_line(const ProgressState& state, int bar_width = 24);
// "0:09", "1:02:03", "3d 04:05"
std::string duration_text(double seconds);
// "950", "12.3k", "4.56M"
std::string quantity_text(double x);

class Progress {
 public:
  // Does not own the file. Redraws at most five times a second on a terminal; else a line every `plain_interval` s.
  Progress(std::FILE* file, bool is_terminal, double plain_interval = 10)
      : file_(file), is_terminal_(is_terminal), plain_interval_(plain_interval) {}

  // Shows the state if it is time to. `now` in seconds, as now_seconds() tells it.
  void update(const ProgressState& state, double now);
  // Shows the state in any case and ends the line.
  void finish(const ProgressState& state);

 private:
  void draw(const ProgressState& state, const char* end);

  std::FILE* file_;
  bool is_terminal_;
  double plain_interval_;
  double last_ = 0;
  bool has_drawn_ = false;
};

}  // namespace fude
