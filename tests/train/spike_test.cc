#include "train/spike.h"
#include "base/json.h"

#include <gtest/gtest.h>

#include <limits>

namespace fude {
namespace {

using Verdict = SpikeDetector::Verdict;

double wobble(int i) { return 3.0 + 0.01 * ((i * 7) % 5); }

TEST(Spike, FindsSpikesAndWhatIsNotFinite) {
  SpikeDetector detector;
  EXPECT_EQ(detector.observe(100.0), Verdict::usual);  // too few losses to judge
  detector = SpikeDetector();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(detector.observe(wobble(i)), Verdict::usual);
  EXPECT_EQ(detector.observe(5.0), Verdict::spike);
  EXPECT_EQ(detector.observe(3.02), Verdict::usual);
  EXPECT_EQ(detector.observe(1.0), Verdict::usual);  // falling is no spike
  EXPECT_EQ(detector.observe(std::numeric_limits<double>::quiet_NaN()), Verdict::not_finite);
  EXPECT_EQ(detector.observe(std::numeric_limits<double>::infinity()), Verdict::not_finite);
}

TEST(Spike, AcceptsALastingNewLevel) {
  SpikeDetector detector;
  for (int i = 0; i < 200; ++i) detector.observe(wobble(i));
  int spikes = 0;
  for (int i = 0; i < 300; ++i) spikes += detector.observe(3.5 + wobble(i) - 3.0) == Verdict::spike;
  EXPECT_GE(spikes, 1);
  EXPECT_LT(spikes, 50);
  EXPECT_EQ(detector.observe(3.5), Verdict::usual);
}

TEST(Spike, ContinuesFromItsState) {
  SpikeDetector one, other;
  for (int i = 0; i < 40; ++i) one.observe(wobble(i));
  other.restore(parse_json(one.state().dump(), "state"));
  for (const double loss : {3.01, 3.07, 9.0, 3.0}) {
    EXPECT_EQ(one.z_score(loss), other.z_score(loss));
    EXPECT_EQ(one.observe(loss), other.observe(loss));
  }
  EXPECT_THROW(other.restore(Json("no")), Error);
  EXPECT_THROW(other.restore(Json::array({"no"})), Error);
}

}  // namespace
}  // namespace fude
