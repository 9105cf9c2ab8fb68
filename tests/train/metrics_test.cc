#include "train/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/file.h"

namespace fude {
namespace {

StepMetrics metrics_of(int64_t step) {
  return {.step = step,
          .loss = 3.1 / double(step + 1),
          .learning_rate = 1e-3,
          .gradient_norm = 0.5,
          .tokens = 64 * step,
          .seconds = 0.25};
}

TEST(Metrics, LinesReadBackAsWritten) {
  StepMetrics m = metrics_of(7);
  EXPECT_EQ(metrics_line(m),
            R"({"step":7,"loss":0.3875,"learning_rate":0.001,"gradient_norm":0.5,"tokens":448,"seconds":0.25})");
  m.bits_per_byte = 0.125;
  m.validation = {{"日本語", 1.0 / 3, 0.1}, {"no bytes", 2}};
  EXPECT_EQ(
      metrics_line(m),
      R"({"step":7,"loss":0.3875,"bits_per_byte":0.125,"validation":{"日本語":{"loss":0.3333333333333333,"bits_per_byte":0.1},)"
      R"("no bytes":{"loss":2.0}},"learning_rate":0.001,"gradient_norm":0.5,"tokens":448,"seconds":0.25})");
  EXPECT_EQ(metrics_line(parse_metrics_line(metrics_line(m), "line")), metrics_line(m));
  m.flop = 1.5e12, m.event = "loss spike", m.samples = {{"A \"prompt\"\n", " 続き"}, {"not UTF-8: \xFF", ""}};
  const StepMetrics again = parse_metrics_line(metrics_line(m), "line");
  EXPECT_EQ(again.flop, m.flop);
  EXPECT_EQ(again.event, m.event);
  ASSERT_EQ(again.samples.size(), 2u);
  EXPECT_EQ(again.samples[0].prompt, m.samples[0].prompt);
  EXPECT_EQ(again.samples[0].text, m.samples[0].text);
  EXPECT_EQ(again.samples[1].prompt, "not UTF-8: \xEF\xBF\xBD");
  m.loss = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(parse_metrics_line(metrics_line(m), "line").loss));
  EXPECT_THROW(parse_metrics_line("{\"loss\": 3}", "line"), Error);
  EXPECT_THROW(parse_metrics_line(R"({"step": 1, "validation": 3})", "line"), Error);
  EXPECT_THROW(parse_metrics_line(R"({"step": 1, "samples": ["x"]})", "line"), Error);
}

TEST(Metrics, ALineOfLongSamplesReadsBack) {
  StepMetrics step{.step = 1, .loss = 2};
  step.samples.push_back({std::string(2 << 20, 'a'), "b"});
  EXPECT_EQ(parse_metrics_line(metrics_line(step), "line").samples[0].prompt.size(), size_t(2 << 20));
}

TEST(Metrics, ResumingDropsLaterStepsAndABrokenLine) {
  const std::string path = testing::TempDir() + "/fude_metrics.jsonl";
  {
    MetricsFile file(path, -1);
    for (int64_t step = 0; step < 10; ++step) file.append(metrics_of(step));
  }
  const std::string whole = read_file(path);
  EXPECT_EQ(parse_metrics(whole, path).size(), 10u);
  write_file(path, whole.substr(0, whole.size() - 20));  // killed while it wrote
  {
    MetricsFile file(path, 5);
    EXPECT_EQ(file.steps().size(), 6u);
    for (int64_t step = 6; step < 10; ++step) file.append(metrics_of(step));
    EXPECT_EQ(file.steps().size(), 10u);
  }
  EXPECT_EQ(read_file(path), whole);
  MetricsFile(path, -1);
  EXPECT_EQ(read_file(path), "");
}

}  // namespace
}  // namespace fude
