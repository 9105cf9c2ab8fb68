// What a benchmark found: one row, as a line of a table for people or as a JSON object for scripts.
#pragma once

#include <string>

#include "base/statistics.h"

namespace fude {

struct BenchRow {
  std::string name, unit;
  Spread value;
  double limit = 0;  // what the machine allows, in the same unit; 0: there is no such number

  double fraction() const { return limit > 0 ? value.median / limit : 0; }
};

std::string bench_table_head();
std::string bench_table_line(const BenchRow& row);
// {"name", "value", "unit", "low", "high"} and, with a limit, "limit" and "fraction"; numbers to five digits.
std::string bench_json_line(const BenchRow& row);

}  // namespace fude
