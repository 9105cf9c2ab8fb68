// metrics.jsonl: one JSON object per step, appended as the run goes on.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fude {

// Losses are means over targets, in nats; beside them bits per byte of the text the targets stand for, where the bytes
// are known. A loss that is not finite is written as null and read back as NaN.
struct ValidationMetrics {
  std::string name;
  double loss = 0;
  std::optional<double> bits_per_byte = {};
};

// What the model says to a prompt.
struct Sample {
  std::string prompt, text;
};

// What is known after a step.
struct StepMetrics {
  int64_t step = 0;
  double loss = 0;
  std::optional<double> bits_per_byte = {};
  std::vector<ValidationMetrics> validation = {};  // one per set, in steps that validate
  std::vector<Sample> samples = {};                // likewise, where prompts are given
  double learning_rate = 0;
  double gradient_norm = 0;
  int64_t tokens = 0;           // seen since the run began
  double flop = 0;              // of this step, as train/flop.h counts it; 0: not known
  double seconds = 0;           // of this step, without saving and validation
  double sampling_seconds = 0;  // of them, for the model's own answers
  std::string event = {};       // what was wrong with it, or nothing
  // What else was measured, by its name for people: "reward", "entropy", …
  std::vector<std::pair<std::string, double>> values = {};
};

// Without the newline.
std::string metrics_line(const StepMetrics& metrics);
// Error, naming `where`, if the line is not one that metrics_line writes.
StepMetrics parse_metrics_line(std::string_view line, std::string_view where);
// The complete lines of a file's text; a last line without newline (a crash) is left out.
std::vector<StepMetrics> parse_metrics(std::string_view text, std::string_view where);

// The file, open for appending; every line is handed to the system at once.
class MetricsFile {
 public:
  // Keeps what the file says of steps up to `last_step` (that of the restored checkpoint) and drops the rest; with -1 a
  // new file begins.
  MetricsFile(std::string path, int64_t last_step);
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

  void append(const StepMetrics& metrics);
  // All steps, those of before the restart too: for the report.
  const std::vector<StepMetrics>& steps() const { return steps_; }

 private:
  std::string path_;
  std::vector<StepMetrics> steps_;
  std::FILE* file_ = nullptr;
};

}  // namespace fude
