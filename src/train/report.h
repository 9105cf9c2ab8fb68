// report.html: one page about a run that needs nothing beside itself, for a large screen and a phone, by day and by
// night.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json_fwd.h"
#include "train/flop.h"
#include "train/metrics.h"

namespace fude {

// Names and values for people.
using SettingRows = std::vector<std::pair<std::string, std::string>>;
// Of settings as JSON: {"row_tokens": 256} is "row tokens", "256". What is empty has no row.
SettingRows setting_rows(const Json& settings);

struct Report {
  std::string title;
  std::string machine;  // one line: processor, threads, tier
  std::optional<MachineLimit> limit = {};
  int64_t parameters = 0, total_steps = 0;  // that are trained; 0: not known
  SettingRows settings;
  std::vector<StepMetrics> steps;
};

// The speed of some steps, without saving and validation: tokens a second, and the share of what the machine could do.
struct Speed {
  double tokens_per_second = 0;
  std::optional<double> share = {};
};
// Of the last `count` steps.
Speed speed_of(const std::vector<StepMetrics>& steps, size_t count, const std::optional<MachineLimit>& limit,
               int64_t parameters);

std::string report_html(const Report& report);
void write_report(const std::string& path, const Report& report);

}  // namespace fude
