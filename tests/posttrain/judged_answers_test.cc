// Which tokens of an answer a scorer is told about, and that nothing is lost on the way through a file.
#include "posttrain/judged_answers.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "reason/scorer.h"
#include "tests/support/chat_case.h"

namespace fude {
namespace {

// A line holds if it is "yes".
struct YesLines : Task {
  std::string_view name() const override { return "yes"; }
  Example practice(Random&, Language) const override { return {}; }
  int64_t held_out_count() const override { return 0; }
  Example held_out(int64_t) const override { fail("none"); }
  std::vector<CheckedLine> check_steps(const Question&, std::string_view work) const override {
    std::vector<CheckedLine> lines;
    for (size_t begin = 0; begin < work.size();) {
      const std::string_view line = work.substr(begin, work.find('\n', begin) - begin);
      if (!line.empty()) lines.push_back({line, line == "yes"});
      begin += line.size() + 1;
    }
    return lines;
  }
};

// A letter for each token: - for none, n for wrong, y for right. A token is a byte, a marker, or the end.
std::string told(const std::string& text, bool is_right, bool checks_steps = true, bool begins_in_thought = false) {
  const Tokenizer tokenizer = byte_tokenizer();
  GradedAnswer answer{.text = text, .is_right = is_right};
  answer.tokens = tokenizer.encode(text + kEnd, SpecialTokens::recognised);
  std::string letters;
  for (int32_t verdict : verdicts_of(YesLines(), {}, tokenizer, answer, checks_steps, begins_in_thought))
    letters += verdict == kRight ? 'y' : verdict == kWrong ? 'n' : '-';
  return letters;
}

TEST(VerdictsOf, EachLineOfAThoughtIsToldAtItsEndAndTheOutcomeBehindIt) {
  //               < y e s \n n o \n y e s \n < \n s o end
  EXPECT_EQ(told("<think>yes\nno\nyes\n</think>\nso", true), "----y--n---yyyyyy");
  EXPECT_EQ(told("<think>yes\nno\nyes\n</think>\nso", false), "----y--n---ynnnnn");
  EXPECT_EQ(told("<think>yes</think>so", true), "----yyyy") << "the marker ends the line";
  EXPECT_EQ(told("<think>\n\nno\n\nyes</think>", false), "-----n----yn");
}

TEST(VerdictsOf, AThoughtMayHaveBegunInThePrompt) {
  EXPECT_EQ(told("yes\nno\n</think>so", true, true, /*begins_in_thought=*/true), "---y--nyyyy");
}

TEST(VerdictsOf, TheLastTokenAlwaysTellsOfTheAnswer) {
  EXPECT_EQ(told("<think>yes\nno", false), "----y--n") << "cut off in its thought";
  EXPECT_EQ(told("<think>yes", false), "----n");
  EXPECT_EQ(told("", false), "n");
}

TEST(VerdictsOf, WithoutLinesToCheckAllTokensTellOfTheAnswer) {
  EXPECT_EQ(told("so", true), "yyy");
  EXPECT_EQ(told("<think></think>so", false), "nnnnn");
  EXPECT_EQ(told("<think>yes\nno</think>so", true, /*checks_steps=*/false), "yyyyyyyyyyy");
}

const std::vector<JudgedAnswer> kAnswers = {{{1, 2}, {3, 4, 5}, {-1, kRight, kWrong}, -0.5}, {{6}, {7}, {kRight}}};

TEST(JudgedAnswers, BalancedTheyTellAnswersApartAndNotQuestions) {
  const auto answer = [](int32_t prompt, int32_t token, bool is_right) {
    return JudgedAnswer{{prompt}, {token}, {is_right ? kRight : kWrong}};
  };
  const auto chosen = balanced({answer(1, 10, true), answer(1, 10, true), answer(1, 11, false), answer(1, 12, false),
                                answer(1, 13, true), answer(1, 14, false),  // two right ones, three wrong ones
                                answer(2, 10, true), answer(2, 11, true),   // all right
                                answer(3, 10, false), answer(3, 11, true)});
  std::string text;
  for (const JudgedAnswer& a : chosen)
    text += fmt::format("{}:{}{} ", a.prompt[0], a.answer[0], a.is_right() ? 'y' : 'n');
  EXPECT_EQ(text, "1:11n 1:12n 1:10y 1:13y 3:10n 3:11y ");
  EXPECT_TRUE(balanced({answer(2, 10, true)}).empty());
}

TEST(JudgedAnswers, AFileGivesThemBackAndDamageIsNamed) {
  const std::string path = testing::TempDir() + "judged.jsonl";
  save_judged(kAnswers, path);
  const auto loaded = load_judged(path);
  ASSERT_EQ(loaded.size(), 2u);
  EXPECT_EQ(loaded[0].prompt, kAnswers[0].prompt);
  EXPECT_EQ(loaded[0].answer, kAnswers[0].answer);
  EXPECT_EQ(loaded[0].verdicts, kAnswers[0].verdicts);
  EXPECT_EQ(loaded[0].logprob, -0.5);
  EXPECT_EQ(loaded[1].is_right(), true);
  const std::string whole = read_file(path);
  write_file(path, whole.substr(0, whole.size() - 1));
  EXPECT_THROW(load_judged(path), Error);
  write_file(path, "");
  EXPECT_TRUE(load_judged(path).empty());
  for (const char* line : {"{}", "[1]", R"({"prompt":[],"answer":[1],"verdicts":[1],"logprob":-1})",
                           R"({"prompt":[1],"answer":[1,2],"verdicts":[1],"logprob":-1})",
                           R"({"prompt":[1],"answer":[1],"verdicts":[2],"logprob":-1})",
                           R"({"prompt":[1],"answer":[1],"verdicts":[-1],"logprob":-1})"}) {
    write_file(path, std::string(line) + "\n");
    EXPECT_THROW(load_judged(path), Error) << line;
  }
}

TEST(JudgedBatches, TellWhatTheVerdictsSayAndNothingOfThePrompt) {
  JudgedBatches batches(kAnswers, /*step_tokens=*/100, 1);
  const Batch batch = batches.next();
  ASSERT_EQ(batch.blocks.size(), 1u);
  const TokenBlock& block = batch.blocks[0];
  int64_t told = 0;
  for (size_t i = 0; i < block.tokens_N.size(); ++i) {
    const int32_t token = block.tokens_N[i];
    const int32_t expected = token == 4 ? kRight : token == 5 ? kWrong : token == 7 ? kRight : -1;
    EXPECT_EQ(block.targets_N[i], expected) << token;
    told += expected >= 0 ? 1 : 0;
  }
  EXPECT_EQ(block.target_count, told);
}

}  // namespace
}  // namespace fude
