#include "app/bench_report.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace fude {
namespace {

TEST(BenchReport, JsonHasLimitAndFractionOnlyWithALimit) {
  EXPECT_EQ(bench_json_line({"f32 peak", "GFLOP/s", {250.123456, 249, 251}}),
            R"({"name":"f32 peak","value":250.12,"unit":"GFLOP/s","low":249.0,"high":251.0})");
  const Json row = parse_json(bench_json_line({"x", "GB/s", {30, 29, 31}, 40}), "row");
  EXPECT_EQ(json_number(row, "limit", "row"), 40);
  EXPECT_EQ(json_number(row, "fraction", "row"), 0.75);
}

TEST(BenchReport, TableColumnsStandUnderTheirHeads) {
  const std::string head = bench_table_head();
  const std::string line = bench_table_line({"f32 forward 2048x2304x768", "GFLOP/s", {470.4, 9.876, 15234}, 500});
  EXPECT_EQ(line.size(), head.size());
  EXPECT_NE(line.find("470 GFLOP/s"), std::string::npos) << line;
  EXPECT_NE(line.find("9.88"), std::string::npos) << line;
  EXPECT_NE(line.find("15234"), std::string::npos) << line;
  EXPECT_NE(line.find("94 %"), std::string::npos) << line;
}

}  // namespace
}  // namespace fude
