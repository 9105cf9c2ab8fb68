// What is said of made-up runs.
#include "posttrain/doctor.h"

#include <gtest/gtest.h>

#include <string>

#include "base/json.h"

namespace fude {
namespace {

constexpr RolloutSigns kWell{.right = 0.4, .equal_groups = 0.3, .truncated = 0.02, .tokens = 60, .entropy = 0.5};

std::string said(Doctor& doctor, const RolloutSigns& signs, int rollouts = 12) {
  std::string all;
  for (int i = 0; i < rollouts; ++i) all += doctor.look(signs);
  return all;
}

TEST(Doctor, ARunThatGoesWellHearsNothing) {
  Doctor doctor;
  RolloutSigns signs = kWell;
  for (int i = 0; i < 200; ++i) {
    signs.right = 0.4 + 0.002 * i, signs.entropy = 0.5 - 0.001 * i, signs.tokens = 60 + 0.3 * i;
    EXPECT_EQ(doctor.look(signs), "") << i;
  }
}

TEST(Doctor, OneRolloutIsNoIllness) {
  Doctor doctor;
  said(doctor, kWell);
  EXPECT_EQ(doctor.look({0, 1, 1, 500, 0}), "");
  EXPECT_EQ(said(doctor, kWell, 20), "");
}

TEST(Doctor, Names) {
  const auto complaint = [](const RolloutSigns& later) {
    Doctor doctor;
    EXPECT_EQ(said(doctor, kWell), "");
    return said(doctor, later, 30);
  };
  EXPECT_NE(complaint({.right = 0.0, .equal_groups = 1, .tokens = 60, .entropy = 0.5}).find("every answer is wrong"),
            std::string::npos);
  EXPECT_NE(complaint({.right = 1.0, .equal_groups = 1, .tokens = 60, .entropy = 0.5}).find("every answer is right"),
            std::string::npos);
  EXPECT_NE(complaint({.right = 0.5, .equal_groups = 1, .tokens = 60, .entropy = 0.5}).find("though only 50 % are"),
            std::string::npos);
  EXPECT_NE(complaint({.right = 0.4, .truncated = 0.8, .tokens = 60, .entropy = 0.5}).find("cut off"),
            std::string::npos);
  EXPECT_NE(complaint({.right = 0.4, .tokens = 60, .entropy = 0.01}).find("hardly differ"), std::string::npos);
  EXPECT_NE(complaint({.right = 0.4, .tokens = 120, .entropy = 0.5}).find("grow longer"), std::string::npos);
  EXPECT_NE(complaint({.right = 0.1, .tokens = 60, .entropy = 0.5}).find("it has been 40 %"), std::string::npos);
  // Longer and better is what thinking looks like.
  EXPECT_EQ(complaint({.right = 0.7, .tokens = 120, .entropy = 0.5}), "");
}

// A run that was stopped is told what an uninterrupted one is told.
TEST(Doctor, RemembersAcrossARestart) {
  const RolloutSigns ill{.right = 0.4, .truncated = 0.8, .tokens = 60, .entropy = 0.5};
  for (int stop : {3, 12, 18}) {
    Doctor whole, first, second;
    for (int i = 0; i < 30; ++i) {
      if (i == stop) second.restore(first.state(), "state");
      const RolloutSigns& signs = i < 14 ? kWell : ill;
      const std::string expected = whole.look(signs);
      EXPECT_EQ((i < stop ? first : second).look(signs), expected) << i;
    }
  }
}

TEST(Doctor, RepeatsItselfOnlyAfterARecovery) {
  Doctor doctor;
  const RolloutSigns ill{.right = 0.4, .truncated = 0.8, .tokens = 60, .entropy = 0.5};
  said(doctor, kWell);
  EXPECT_NE(said(doctor, ill, 30), "");
  EXPECT_EQ(said(doctor, ill, 30), "");
  EXPECT_EQ(said(doctor, kWell, 30), "");
  EXPECT_NE(said(doctor, ill, 30), "");
}

}  // namespace
}  // namespace fude
