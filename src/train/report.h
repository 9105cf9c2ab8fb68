// report.html: one page about a run that needs nothing beside itself, for a large screen and a phone.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "train/metrics.h"

namespace fude {

struct ReportSample {
  int64_t step = 0;
  std::string prompt, text;
};

struct Report {
  std::string title;
  std::string machine;  // one line: processor, threads, tier
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<StepMetrics> steps;
  std::vector<ReportSample> samples;  // oldest first
};

// For text and attribute values.
std::string escape_html(std::string_view text);
// About `wanted` round numbers (1, 2 or 5 times a power of ten apart) within [low, high].
std::vector<double> axis_ticks(double low, double high, int wanted);
// Training and validation loss over steps as an <svg> element; what is not finite leaves a gap.
std::string loss_svg(const std::vector<StepMetrics>& steps);
std::string report_html(const Report& report);
void write_report(const std::string& path, const Report& report);

}  // namespace fude
