#include "reason/vote.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "reason/choose.h"

namespace fude {
namespace {

TEST(Vote, TheMostWeightWinsAndTiesGoToTheFirst) {
  Vote vote;
  vote.add("7", 0), vote.add("8", 1), vote.add("", 2), vote.add("8", 3), vote.add("9", 4, 2.5);
  const auto ranking = vote.ranking();
  ASSERT_EQ(ranking.size(), 3u);
  EXPECT_EQ(ranking[0].key, "9");
  EXPECT_EQ(ranking[1].key, "8");
  EXPECT_EQ(ranking[1].count, 2);
  EXPECT_EQ(ranking[1].example, 1u);
  Vote tie;
  tie.add("b", 0), tie.add("a", 1);
  EXPECT_EQ(tie.ranking().front().key, "b");
}

// No votes that may still come change who is first, and one fewer would not be enough to know.
TEST(Vote, IsDecidedWhenNothingCanChangeIt) {
  Vote vote;
  EXPECT_FALSE(vote.is_decided(1));
  EXPECT_TRUE(vote.is_decided(0));
  for (int i = 0; i < 5; ++i) vote.add("a", size_t(i));
  vote.add("b", 5), vote.add("b", 6);
  EXPECT_TRUE(vote.is_decided(2));
  EXPECT_FALSE(vote.is_decided(3));
}

TEST(SelectAnswer, ByVoteBestAndWeight) {
  const std::vector<Candidate> answers = {{"a", 0.2}, {"b", 0.9}, {"a", 0.3}, {"c", 0.5}, {"a", 0.1}, {"", 0.95}};
  EXPECT_EQ(select_answer(ChooseBy::vote, answers).chosen, 2u);  // of three a the best
  EXPECT_EQ(select_answer(ChooseBy::best, answers).chosen, 5u);
  EXPECT_EQ(select_answer(ChooseBy::weighted, answers).chosen, 1u);  // 0.9 against 0.6
  EXPECT_EQ(select_answer(ChooseBy::vote, {{"x"}, {"y"}}).chosen, 0u);
  EXPECT_EQ(select_answer(ChooseBy::vote, {{""}, {""}}).chosen, 0u);
  EXPECT_EQ(select_answer(ChooseBy::vote, answers).ranking.front().count, 3);
  EXPECT_THROW(select_answer(ChooseBy::vote, {}), Error);
  EXPECT_THROW(choose_by_of("worst"), Error);
}

}  // namespace
}  // namespace fude
