#include "train/chart.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace fude {
namespace {

TEST(Chart, TicksAreRound) {
  EXPECT_EQ(axis_ticks(0, 100, 5), (std::vector<double>{0, 20, 40, 60, 80, 100}));
  EXPECT_EQ(axis_ticks(2.9, 11.2, 4), (std::vector<double>{5, 10}));
  EXPECT_TRUE(axis_ticks(1, 1, 5).empty());
  EXPECT_TRUE(axis_ticks(0, std::numeric_limits<double>::infinity(), 5).empty());
}

TEST(Chart, WhatIsNotFiniteLeavesAGap) {
  Curve curve{"", "line", {}};
  for (int step = 0; step < 100; ++step) curve.points.push_back({double(step), 10 / double(step + 1)});
  curve.points[50].y = std::numeric_limits<double>::quiet_NaN();
  const std::string svg = chart_svg({curve}, {.label = "a < b", .marks = {}});
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_NE(svg.find("a &lt; b"), std::string::npos);
  const size_t begin = svg.find("<path class=\"line\" d=\"M56.0"), end = svg.find("/>", begin);
  ASSERT_NE(begin, std::string::npos);
  const std::string path = svg.substr(begin, end - begin);
  EXPECT_EQ(std::count(path.begin(), path.end(), 'M'), 2);
}

TEST(Chart, OneValueOrNoneIsDrawnOrLeftOut) {
  EXPECT_NE(chart_svg({{"", "line", {{0, 0}}}}, {.label = "", .marks = {}}).find("<svg"), std::string::npos);
  EXPECT_EQ(chart_svg({{"", "line", {{0, std::numeric_limits<double>::infinity()}}}}, {.label = "", .marks = {}}), "");
  EXPECT_EQ(chart_svg({}, {.label = "", .marks = {}}), "");
}

}  // namespace
}  // namespace fude
