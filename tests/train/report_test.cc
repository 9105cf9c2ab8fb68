#include "train/report.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/json.h"
#include "train/chart.h"

namespace fude {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(Report, EscapesWhatOthersWrote) {
  EXPECT_EQ(escape_html("<b a=\"x\">&'\x01"), "&lt;b a=&quot;x&quot;&gt;&amp;&#39;\xEF\xBF\xBD");
  const std::string html = report_html({.title = "<script>",
                                        .machine = "a & b",
                                        .settings = {{"<k>", "<v>"}},
                                        .steps = {{.step = 3,
                                                   .loss = std::numeric_limits<double>::quiet_NaN(),
                                                   .samples = {{"<p>", "</pre><script>alert(1)</script>"}}}}});
  EXPECT_FALSE(contains(html, "<script>"));
  EXPECT_TRUE(contains(html, "a &amp; b"));
  EXPECT_TRUE(contains(html, "&lt;/pre&gt;"));
  EXPECT_TRUE(contains(html, "No finite loss yet"));
  EXPECT_TRUE(contains(html, "width=device-width"));
  for (const char* outside : {"http://", "https://", "src=", "@import", "url("}) EXPECT_FALSE(contains(html, outside));
}

TEST(Report, SettingsAreRows) {
  const Json settings = {{"row_tokens", 256},
                         {"betas", {0.9f, 0.95f}},
                         {"rate", 1e-3},
                         {"concat", false},
                         {"lora", {{"rank", 4}, {"targets", Json::array()}}},
                         {"from", ""},
                         {"weights", Json::array()},
                         {"adapter", nullptr}};
  EXPECT_EQ(
      setting_rows(settings),
      (SettingRows{
          {"row tokens", "256"}, {"betas", "0.9, 0.95"}, {"rate", "0.001"}, {"concat", "no"}, {"lora", "rank 4"}}));
}

Report report_of(const std::vector<StepMetrics>& steps) {
  return {.title = "t", .machine = "", .settings = {}, .steps = steps};
}

TEST(Report, DrawsLossesOfAllSetsInOneUnit) {
  std::vector<StepMetrics> steps;
  for (int64_t step = 0; step < 100; ++step) {
    steps.push_back(
        {.step = step, .loss = 10 / double(step + 1), .learning_rate = 0.1, .gradient_norm = 1, .seconds = 0.5});
    if (step % 10 == 9) steps.back().validation = {{"en", 12 / double(step + 1)}, {"ja", 14 / double(step + 1)}};
  }
  std::string html = report_html(report_of(steps));
  for (const char* part : {"<path class=\"train\"", "<path class=\"set0\"", "<path class=\"set1\"", ">ja<",
                           "nats per token", "learning rate", "gradient norm", "tokens per second"})
    EXPECT_TRUE(contains(html, part)) << part;
  EXPECT_FALSE(contains(html, "Events"));
  for (StepMetrics& m : steps) {
    m.bits_per_byte = m.loss / 3;
    for (ValidationMetrics& v : m.validation) v.bits_per_byte = v.loss / 3;
  }
  EXPECT_TRUE(contains(report_html(report_of(steps)), "<figcaption>bits per byte"));
}

TEST(Report, TellsOfEventsAndFoldsOldSamples) {
  std::vector<StepMetrics> steps = {{.step = 1, .loss = 3}, {.step = 2, .loss = 9, .event = "loss spike"}};
  steps.push_back({.step = 3, .loss = std::numeric_limits<double>::quiet_NaN(), .event = "loss is not a number"});
  steps[0].samples = {{"a", "the oldest"}};
  steps[1].samples = {{"a", "second"}, {"b", "third"}};
  Report report = report_of(steps);
  report.total_steps = 10;
  const std::string html = report_html(report);
  for (const char* part :
       {"<h2>Events</h2>", "step 2", "loss spike", "loss is not a number", "not finite", "3 of 10", "class=\"mark\""})
    EXPECT_TRUE(contains(html, part)) << part;
  const size_t fold = html.find("<details>");
  EXPECT_LT(html.find("second"), fold);
  EXPECT_LT(html.find("third"), fold);
  EXPECT_GT(html.find("the oldest"), fold);
}

TEST(Report, SpeedIsHeldAgainstTheMachine) {
  const MachineLimit limit{.flop_per_second = 100, .bytes_per_second = 320};
  std::vector<StepMetrics> steps;
  for (int64_t i = 1; i <= 4; ++i) steps.push_back({.step = i, .tokens = 6 * i, .flop = 100, .seconds = 4});
  // 100 FLOP at 100 a second, and 32 bytes for each of 10 parameters at 320 a second.
  const Speed speed = speed_of(steps, 2, limit, 10);
  EXPECT_EQ(speed.tokens_per_second, 1.5);
  EXPECT_EQ(speed.share, 0.5);
  steps.back().flop = 0;
  EXPECT_FALSE(speed_of(steps, 2, limit, 10).share.has_value());
  EXPECT_FALSE(speed_of(steps, 2, std::nullopt, 10).share.has_value());
  EXPECT_EQ(speed_of({}, 2, limit, 10).tokens_per_second, 0);
}

TEST(Report, StaysSmallForLongRunsAndSurvivesShortOnes) {
  std::vector<StepMetrics> steps;
  for (int64_t step = 0; step < 200000; ++step)
    steps.push_back({.step = step, .loss = 3, .validation = {{"v", 3, 1.5}}, .event = "e"});
  const std::string html = report_html(report_of(steps));
  EXPECT_LT(html.size(), 100000u);
  EXPECT_TRUE(contains(html, "validation: v"));
  EXPECT_TRUE(contains(report_html(report_of({{.step = 0, .loss = 0}})), "<svg"));
}

}  // namespace
}  // namespace fude
