// The verifier against honest answers in many forms, and against answers made to fool it.
#include <gtest/gtest.h>

#include "base/error.h"
#include "tasks/task.h"

namespace fude {
namespace {

Question number(std::string answer) { return {"27 + 15?", std::move(answer), "addition", "en", {}}; }
Question english_town() { return {"Where does Hana live?", "Hamano", "town", "en", {"Isobe", "Shiomi", "Ken"}}; }
Question japanese_food() {
  return {"ハナさんの好きな食べ物は何ですか。", "餃子", "food", "ja", {"寿司", "カレー", "健太"}};
}

TEST(Normalize, FoldsWidthCaseAndSpace) {
  EXPECT_EQ(normalize_answer("　Ｔｈｅ  ANSWER\tis\n４２！ "), "the answer is 42!");
  EXPECT_EQ(normalize_answer("−５ “x” 柳瀬町。"), "-5 \"x\" 柳瀬町。");
  EXPECT_EQ(normalize_answer(""), "");
  EXPECT_EQ(normalize_answer("\xEF\xBC"), "\xEF\xBC");  // a cut character passes through
}

TEST(VerifyNumber, TakesTheStatedAnswer) {
  for (const char* answer :
       {"42", " 42. ", "４２", "The answer is 42.",
        "27 + 15: 7 + 5 = 12, write 2, carry 1. 2 + 1 + 1 = 4. The answer is 42.", "27 + 15 = 42",
        "27 + 15 = ４２です。", "Answer: 42", "答えは42です。", "答えは４２です。", "答え：42", "042", "**Answer:** 42",
        "It is 42 apples.", "42個です。", "The answer is 42. So: answer 42!"})
    EXPECT_TRUE(verify(number("42"), answer)) << answer;
  for (const char* answer : {"The answer is: 42.", "The answer is `42`.", "答えは、42です。", "答えは「42」です。",
                             "The answer is $42$.", "The final answer is \\boxed{42}."}) {
    EXPECT_TRUE(verify(number("42"), answer)) << answer;
    EXPECT_EQ(committed_answer(answer), "42") << answer;
  }
  EXPECT_TRUE(verify(number("1234"), "The answer is 1,234."));
  EXPECT_TRUE(verify(number("-5"), "The answer is −5."));
  for (const char* answer : {"7", "007", "The answer is 07."}) EXPECT_TRUE(verify(number("007"), answer)) << answer;
  for (const char* answer : {"-7", "70", "0"}) EXPECT_FALSE(verify(number("007"), answer)) << answer;
  EXPECT_TRUE(verify(number("000"), "The answer is 0.") && verify(number("-05"), "The answer is -5."));
}

// A list of wrong words beside a number changes nothing about how numbers are compared.
TEST(VerifyNumber, IsANumberBesideAListToo) {
  const Question listed{.prompt = "6*7?", .answer = "42", .wrong = {"41", "43"}};
  EXPECT_TRUE(verify(listed, "42"));
  EXPECT_TRUE(verify(listed, "It is 42."));
  for (const char* answer : {"421", "-42", "3.42", "40 42 99 1000", "41"})
    EXPECT_FALSE(verify(listed, answer)) << answer;
}

TEST(VerifyNumber, RefusesListsHedgesAndNearMisses) {
  for (const char* answer : {"",
                             "43",
                             "142",
                             "420",
                             "-42",
                             "4 2",
                             "42.5",
                             "42/2",
                             "42%",
                             "42k",
                             "4,2",
                             "The answer is -42.",
                             "40 41 42 43",
                             "42, 43",
                             "The answer is 41 or 42.",
                             "The answer is 42 or 43.",
                             "The answer is 41. The answer is 42.",
                             "The answer is 42. The answer is 41.",
                             "The answer is not 42.",
                             "The answer isn't 42.",
                             "42 is not the answer",
                             "答えは42ではありません。",
                             "答えは42じゃない",
                             "答えは41です。答えは42です。",
                             "答えは41、42、43です。",
                             "27 + 15 = 12, write 2",
                             "27 + 15 = 42 = 43",
                             "12 - 42",
                             "The answer is between 41 and 43.",
                             "The answer is forty-two."})
    EXPECT_FALSE(verify(number("42"), answer)) << answer;
  EXPECT_FALSE(verify(number("42"), std::string(3000, ' ') + "42"));
  EXPECT_FALSE(verify(number("5"), "The answer is -5."));
}

TEST(VerifyWord, TakesTheNamedWord) {
  for (const char* answer : {"Hamano", "hamano.", "Hana lives in Hamano.", "Ｈａｍａｎｏ", "In Hamano, I believe."})
    EXPECT_TRUE(verify(english_town(), answer)) << answer;
  for (const char* answer : {"餃子", "餃子です。", "ハナさんの好きな食べ物は餃子です。", "「餃子」"})
    EXPECT_TRUE(verify(japanese_food(), answer)) << answer;
  const Question plural{"?", "dumplings", "food", "en", {"rice balls"}};
  EXPECT_TRUE(verify(plural, "A dumpling!"));
  EXPECT_FALSE(verify(plural, "Dumplings and a rice ball."));
}

TEST(VerifyWord, RefusesListsDenialsAndOtherPeople) {
  for (const char* answer : {"", "Isobe", "Hamano or Isobe", "Isobe, Shiomi, Hamano", "Hana does not live in Hamano.",
                             "Hana doesn't live in Hamano.", "Never Hamano.", "Ken lives in Hamano.", "Hamanoville",
                             "NewHamano", "ISOBE / HAMANO"})
    EXPECT_FALSE(verify(english_town(), answer)) << answer;
  for (const char* answer : {"寿司", "餃子か寿司です。", "寿司、餃子、カレー", "餃子ではありません。",
                             "餃子は好きではない。", "健太さんの好きな食べ物は餃子です。", "餃子かもしれません。"})
    EXPECT_FALSE(verify(japanese_food(), answer)) << answer;
}

TEST(VerifyWord, WithoutAListOfWrongOnesItMustStandAlone) {
  const Question city{.prompt = "?", .answer = "Kyoto", .also = {"京都", "Kyōto"}};
  for (const char* answer :
       {"Kyoto", "kyoto.", " **Kyoto** ", "Ｋｙｏｔｏ", "京都", "「京都」です。", "The answer is Kyoto.",
        "答えは京都です。", "Kyōto", "The answer is Kyoto. Answer: Kyoto!"})
    EXPECT_TRUE(verify(city, answer)) << answer;
  for (const char* answer :
       {"", "Osaka", "Kyoto or Osaka", "Kyoto, Osaka, Nara", "Not Kyoto", "The answer is not Kyoto.", "It may be Kyoto",
        "Kyoto Kyoto", "The answer is Kyoto. The answer is 京都.", "京都ではない", "The answer is Osaka. Kyoto",
        "Kyoto answer"})
    EXPECT_FALSE(verify(city, answer)) << answer;
}

TEST(VerifyNumber, TakesAnyOneOfSeveralAnswers) {
  const Question root{.prompt = "?", .answer = "3", .also = {"-3"}};
  EXPECT_TRUE(verify(root, "The answer is 3."));
  EXPECT_TRUE(verify(root, "The answer is -3."));
  EXPECT_FALSE(verify(root, "The answer is 3 or -3."));
  EXPECT_FALSE(verify(root, "The answer is 3. The answer is -3."));
  EXPECT_FALSE(verify(root, "The answer is 4."));
}

TEST(Verify, GarbageIsRefusedWithoutDelay) {
  for (const std::string& garbage :
       {std::string(1 << 20, 'a'), std::string(1 << 20, '4'), std::string(1999, '='), std::string("\xff\xfe\x80"),
        std::string("42\0", 3), std::string(100000, '('), std::string(1900, '-') + "42"}) {
    EXPECT_FALSE(verify(english_town(), garbage)) << garbage.substr(0, 20);
    EXPECT_FALSE(verify(number("41"), garbage)) << garbage.substr(0, 20);
  }
  std::string repeated;
  while (repeated.size() < 1980) repeated += "answer ";
  EXPECT_FALSE(verify(number("42"), repeated));
  EXPECT_FALSE(verify(number("42"), repeated + "42"));
}

TEST(Verify, NeedsAnAnswerToCompareWith) { EXPECT_THROW(verify(number(""), "42"), Error); }

}  // namespace
}  // namespace fude
