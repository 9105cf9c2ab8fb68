// Letters are counted as they are, in both scripts, and answers made to fool the judge.
#include "tasks/letters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "text/unicode.h"

namespace fude {
namespace {

TEST(Letters, CountsTheStrawberry) {
  const auto [question, solution] = letters_example("strawberry", "r", Language::english, 0);
  EXPECT_EQ(question.prompt, "How many times does the letter r occur in strawberry?");
  EXPECT_EQ(question.answer, "3");
  EXPECT_EQ(solution, "s 0, t 0, r 1, a 1, w 1, b 1, e 1, r 2, r 3, y 3. The answer is 3.");
  const Example kana = letters_example("きつつき", "つ", Language::japanese, 0);
  EXPECT_EQ(kana.question.prompt, "「きつつき」に「つ」は何回出てきますか。");
  EXPECT_EQ(kana.solution, "き0、つ1、つ2、き2。答えは2です。");
  EXPECT_EQ(letters_example("しゃぼんだま", "や", Language::japanese, 0).question.answer, "0") << "a small ゃ is no や";
  EXPECT_EQ(letters_example("かがみ", "か", Language::japanese, 0).question.answer, "1") << "が is no か";
}

TEST(Letters, DifficultyIsTheLengthOfTheWord) {
  const Letters task(1);
  int real = 0;
  std::map<std::pair<int, std::string>, int> counts;  // by difficulty and answer
  for (uint64_t i = 0; i < 4000; ++i) {
    const auto [question, solution] = practice_at(task, 1, 2, i);
    // A count behind each letter, between commas.
    const std::string_view comma = question.language == "en" ? ", " : "、";
    int commas = 0;
    for (size_t at = solution.find(comma); at != solution.npos; at = solution.find(comma, at + 1)) ++commas;
    EXPECT_EQ(commas + 1, question.difficulty) << solution;
    real += question.kind == "word";
    ++counts[{question.difficulty, question.answer}];
  }
  EXPECT_NEAR(real, 900, 300);  // few have a letter three times
  // No answer is worth giving without counting.
  for (int length = 3; length <= 12; ++length) {
    const int most = (length + 1) / 2;
    for (int count = 0; count <= most; ++count) {
      const int seen = counts[std::pair{length, std::to_string(count)}];
      EXPECT_NEAR(seen, 400.0 / (most + 1), 45) << count << " in words of " << length;
    }
  }
}

Question three() { return letters_example("strawberry", "r", Language::english, 0).question; }

TEST(LettersVerify, TakesTheCount) {
  const Letters task(1);
  for (const char* answer :
       {"3", "３", "The answer is 3.", "There are 3 of them.", "3回です。", "答えは3回です。", "r r r = 3"})
    EXPECT_TRUE(task.verify(three(), answer)) << answer;
}

TEST(LettersVerify, RefusesListsHedgesDenialsSpellingsAndWords) {
  const Letters task(1);
  for (const char* answer :
       {"", "2", "three", "rrr", "2 or 3", "2, 3", "3.5", "-3", "33", "not 3", "The answer is 3 or 4.",
        "The answer is 3. The answer is 4.", "s 0, t 0, r 1, a 1, w 1, b 1, e 1, r 2, r 3, y 3.",
        "答えは3ではありません。", "答えは2か3です。", "0 1 2 3 4 5 6 7 8 9",
        "How many times does the letter r occur in strawberry?", "\xf0\x9f"})
    EXPECT_FALSE(task.verify(three(), answer)) << answer;
  EXPECT_FALSE(task.verify(three(), std::string(1 << 20, 'r') + "3"));
}

}  // namespace
}  // namespace fude
