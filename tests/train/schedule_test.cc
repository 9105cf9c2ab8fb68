#include "train/schedule.h"

#include <gtest/gtest.h>

namespace fude {
namespace {

TEST(Schedule, WarmsUpAndEndsAtTheFinalFraction) {
  for (const auto kind : {ScheduleKind::cosine, ScheduleKind::linear, ScheduleKind::wsd}) {
    const Schedule s{.kind = kind, .learning_rate = 2.0, .steps = 100, .warmup_steps = 10, .final_fraction = 0.25};
    s.check();
    EXPECT_DOUBLE_EQ(s.at(0), 0.2);
    EXPECT_DOUBLE_EQ(s.at(9), 2.0);
    EXPECT_NEAR(s.at(99), 0.5, 1e-12);
    EXPECT_EQ(s.at(500), s.at(99));
    for (int64_t step = 10; step < 100; ++step) EXPECT_LE(s.at(step), s.at(step - 1)) << name_of(kind) << step;
  }
}

TEST(Schedule, WsdIsStableBeforeItDecays) {
  const Schedule s{.kind = ScheduleKind::wsd, .learning_rate = 1.0, .steps = 100, .warmup_steps = 10};
  EXPECT_EQ(s.at(10), 1.0);
  EXPECT_EQ(s.at(79), 1.0);
  EXPECT_LT(s.at(80), 1.0);
}

TEST(Schedule, MidwayValues) {
  const Schedule cosine{.kind = ScheduleKind::cosine, .learning_rate = 1.0, .steps = 101, .final_fraction = 0.0};
  EXPECT_NEAR(cosine.at(50), 0.5, 1e-12);
  const Schedule linear{.kind = ScheduleKind::linear, .learning_rate = 1.0, .steps = 101, .final_fraction = 0.0};
  EXPECT_NEAR(linear.at(25), 0.75, 1e-12);
  const Schedule constant{.kind = ScheduleKind::constant, .learning_rate = 1.0, .steps = 10, .warmup_steps = 2};
  EXPECT_EQ(constant.at(0), 0.5);
  EXPECT_EQ(constant.at(9), 1.0);
}

TEST(Schedule, SurvivesTheSmallestRunsAndRefusesNonsense) {
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::cosine, ScheduleKind::linear, ScheduleKind::wsd})
    for (int64_t warmup = 0; warmup <= 2; ++warmup)
      for (int64_t steps = std::max<int64_t>(1, warmup); steps <= 3; ++steps) {
        const Schedule s{.kind = kind, .learning_rate = 1.0, .steps = steps, .warmup_steps = warmup};
        s.check();
        for (int64_t step = 0; step < steps; ++step) EXPECT_TRUE(s.at(step) > 0 && s.at(step) <= 1);
      }
  EXPECT_EQ(schedule_kind_of("wsd"), ScheduleKind::wsd);
  EXPECT_THROW(schedule_kind_of("sine"), Error);
  EXPECT_THROW((Schedule{.steps = 3, .warmup_steps = 4}).check(), Error);
}

}  // namespace
}  // namespace fude
