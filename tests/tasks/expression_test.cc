// Exact fractions, and expressions that a model wrote.
#include "tasks/expression.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace fude {
namespace {

TEST(Rational, IsExactAndInLowestTerms) {
  EXPECT_EQ(Rational(6, -4), Rational(-3, 2));
  EXPECT_EQ(Rational(1, 3) + Rational(1, 6), Rational(1, 2));
  EXPECT_EQ(Rational(1, 3) - Rational(1, 3), Rational(0));
  EXPECT_EQ(Rational(2, 3) * Rational(9, 4), Rational(3, 2));
  EXPECT_EQ(Rational(2, 3) / Rational(-4, 9), Rational(-3, 2));
  EXPECT_TRUE(Rational(1, 3) < Rational(1, 2) && Rational(-1, 2) < Rational(-1, 3));
  EXPECT_TRUE(Rational(4, 2).is_whole() && !Rational(1, 2).is_whole());
}

TEST(Rational, RefusesWhatDoesNotFitAndDivisionByZero) {
  EXPECT_THROW(Rational(INT64_MAX) + Rational(1), Error);
  EXPECT_THROW(Rational(INT64_MAX) * Rational(2), Error);
  EXPECT_THROW(Rational(1, INT64_MAX) * Rational(1, 2), Error);
  EXPECT_THROW(Rational(1) / Rational(0), Error);
  EXPECT_THROW(Rational(1, 0), Error);
}

TEST(Expression, HasTheUsualPrecedence) {
  const auto value = [](std::string_view text) { return parse_expression(text).value().value; };
  EXPECT_EQ(value("2 + 3 * 4"), Rational(14));
  EXPECT_EQ(value("(2+3)*4"), Rational(20));
  EXPECT_EQ(value("10 - 3 - 2"), Rational(5));
  EXPECT_EQ(value("8 / (3 - 8 / 3)"), Rational(24));
  EXPECT_EQ(value(" 17 mod 5 * 2 "), Rational(4));
  EXPECT_EQ(value("007"), Rational(7));
  EXPECT_EQ(parse_expression("(8 - 2) * 40")->numbers, (std::vector<int64_t>{8, 2, 40}));
  const Variables variables = [](char name) { return name == 'a' ? std::optional<int64_t>(7) : std::nullopt; };
  EXPECT_EQ(parse_expression("a * 3 - 2", variables)->value, Rational(19));
  EXPECT_FALSE(parse_expression("b + 1", variables));
  EXPECT_FALSE(parse_expression("a + 1"));
}

TEST(Expression, RefusesAnythingElse) {
  for (const char* text : {"",
                           " ",
                           "+",
                           "1 +",
                           "* 2",
                           "1 2",
                           "-3",
                           "1 - -3",
                           "+3",
                           "(1",
                           "1)",
                           "()",
                           "1 + (2",
                           "2(3)",
                           "1.5",
                           "1/0",
                           "3 / (2 - 2)",
                           "5 mod 0",
                           "1 / 2 mod 2",
                           "(1 - 3) mod 2",
                           "1e3",
                           "0x10",
                           "2 ** 3",
                           "2 ^ 3",
                           "1234567890",
                           "999999999 * 999999999 * 999999999",
                           "1 = 1",
                           "1\n+ 1\0x",
                           "4!"})
    EXPECT_FALSE(parse_expression(text)) << text;
  EXPECT_FALSE(parse_expression(std::string_view("1\0", 2)));
  EXPECT_FALSE(parse_expression("\xff\xfe"));
}

TEST(Expression, RefusesWhatIsTooDeepOrTooLong) {
  const auto nested = [](size_t depth) { return std::string(depth, '(') + "1" + std::string(depth, ')'); };
  EXPECT_TRUE(parse_expression(nested(30)));
  EXPECT_FALSE(parse_expression(nested(60)));
  EXPECT_FALSE(parse_expression(nested(100000)));
  EXPECT_FALSE(parse_expression(std::string(100000, '(')));
  std::string sum = "1";
  while (sum.size() < 500) sum += "+1";
  EXPECT_FALSE(parse_expression(sum));
}

}  // namespace
}  // namespace fude
