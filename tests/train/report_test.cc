#include "train/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fude {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(Report, EscapesWhatOthersWrote) {
  EXPECT_EQ(escape_html("<b a=\"x\">&'\x01"), "&lt;b a=&quot;x&quot;&gt;&amp;&#39;\xEF\xBF\xBD");
  const std::string html = report_html({.title = "<script>",
                                        .machine = "a & b",
                                        .settings = {{"<k>", "<v>"}},
                                        .steps = {},
                                        .samples = {{3, "<p>", "</pre><script>alert(1)</script>"}}});
  EXPECT_FALSE(contains(html, "<script>"));
  EXPECT_TRUE(contains(html, "a &amp; b"));
  EXPECT_TRUE(contains(html, "&lt;/pre&gt;"));
  EXPECT_TRUE(contains(html, "No finite loss yet"));
  EXPECT_TRUE(contains(html, "width=device-width"));
  for (const char* outside : {"http://", "https://", "src=", "@import", "url("}) EXPECT_FALSE(contains(html, outside));
}

TEST(Report, TicksAreRound) {
  EXPECT_EQ(axis_ticks(0, 100, 5), (std::vector<double>{0, 20, 40, 60, 80, 100}));
  EXPECT_EQ(axis_ticks(2.9, 11.2, 4), (std::vector<double>{5, 10}));
  EXPECT_TRUE(axis_ticks(1, 1, 5).empty());
  EXPECT_TRUE(axis_ticks(0, std::numeric_limits<double>::infinity(), 5).empty());
}

TEST(Report, DrawsBothCurvesAndLeavesGaps) {
  std::vector<StepMetrics> steps;
  for (int64_t step = 0; step < 100; ++step) {
    steps.push_back({.step = step, .loss = 10 / double(step + 1)});
    if (step % 10 == 9) steps.back().validation = {{"en", 12 / double(step + 1)}, {"ja", 14 / double(step + 1)}};
  }
  steps[50].loss = std::numeric_limits<double>::quiet_NaN();
  const std::string svg = loss_svg(steps);
  EXPECT_TRUE(contains(svg, "<path class=\"train\" d=\"M52.0"));
  EXPECT_TRUE(contains(svg, "<path class=\"set0\""));
  EXPECT_TRUE(contains(svg, "<path class=\"set1\""));
  EXPECT_TRUE(contains(svg, ">ja<"));
  EXPECT_TRUE(contains(svg, "nats per token"));
  EXPECT_FALSE(contains(svg, "nan"));
  const size_t begin = svg.find("<path class=\"train\""), end = svg.find("/>", begin);
  const std::string path = svg.substr(begin, end - begin);
  EXPECT_EQ(std::count(path.begin(), path.end(), 'M'), 2);  // a gap at step 50
}

TEST(Report, StaysSmallForLongRunsAndSurvivesShortOnes) {
  std::vector<StepMetrics> steps;
  for (int64_t step = 0; step < 200000; ++step) steps.push_back({.step = step, .loss = 3, .validation = {{"v", 3, 1.5}}});
  EXPECT_LT(loss_svg(steps).size(), 40000u);
  EXPECT_TRUE(contains(loss_svg({{.step = 0, .loss = 0}}), "<svg"));
  EXPECT_TRUE(contains(report_html({.title = "t", .machine = "", .settings = {}, .steps = steps, .samples = {}}),
                       "validation: v"));
}

}  // namespace
}  // namespace fude
