#include "app/bench_report.h"

#include <cstdlib>

#include "base/json.h"

namespace fude {
namespace {

double to_five_digits(double x) { return std::strtod(fmt::format("{:.5g}", x).c_str(), nullptr); }

// Three digits or more, never an exponent.
std::string text_of(double x) { return fmt::format("{:.{}f}", x, x >= 100 ? 0 : x >= 10 ? 1 : 2); }

}  // namespace

std::string bench_table_head() {
  return fmt::format("{:<34} {:>9} {:<8} {:>9} {:>9} {:>9} {:>6}", "", "median", "", "low", "high", "limit", "share");
}

std::string bench_table_line(const BenchRow& row) {
  std::string line = fmt::format("{:<34} {:>9} {:<8} {:>9} {:>9}", row.name, text_of(row.value.median), row.unit,
                                 text_of(row.value.low), text_of(row.value.high));
  if (row.limit > 0) line += fmt::format(" {:>9} {:>4.0f} %", text_of(row.limit), 100 * row.fraction());
  return line;
}

std::string bench_json_line(const BenchRow& row) {
  Json json = {{"name", row.name},
               {"value", to_five_digits(row.value.median)},
               {"unit", row.unit},
               {"low", to_five_digits(row.value.low)},
               {"high", to_five_digits(row.value.high)}};
  if (row.limit > 0) json["limit"] = to_five_digits(row.limit), json["fraction"] = to_five_digits(row.fraction());
  return json.dump();
}

}  // namespace fude
