// layer: train
// metrics.jsonl from a stranger: refused with an Error, or what was read is the same after it was written and
// read again.
#include "base/error.h"
#include "train/metrics.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fude;
  std::vector<StepMetrics> steps;
  try {
    steps = parse_metrics({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const Error&) { return 0; }
  // Compared as lines: a loss that is not a number does not equal itself.
  for (const StepMetrics& step : steps) {
    const std::string line = metrics_line(step);
    if (metrics_line(parse_metrics_line(line, "again")) != line) __builtin_trap();
  }
  return 0;
}
