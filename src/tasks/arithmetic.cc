#include "tasks/arithmetic.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "tasks/things.h"
#include "tasks/world.h"

namespace fude {
namespace {

constexpr int kLeast = 10, kMost = 99;
constexpr uint64_t kHashStream = 0x6172697468000000, kProblemStream = 0x6172697468000001;

std::string digits(int value) { return std::to_string(value); }

std::string worked_addition(const Sum& sum, Language language) {
  const int a = sum.left % 10, b = sum.right % 10, ones = a + b, carry = ones / 10;
  const int c = sum.left / 10, d = sum.right / 10, tens = c + d + carry;
  if (language == Language::english)
    return carry
               ? fmt::format("{}: {} + {} = {}, write {}, carry 1. {} + {} + 1 = {}.", sum_text(sum), a, b, ones,
                             ones % 10, c, d, tens)
               : fmt::format("{}: {} + {} = {}, write {}. {} + {} = {}.", sum_text(sum), a, b, ones, ones, c, d, tens);
  return carry ? fmt::format("{}は、一の位が{} + {} = {}で、{}を書いて1繰り上がります。十の位は{} + {} + 1 = {}です。",
                             sum_text(sum), a, b, ones, ones % 10, c, d, tens)
               : fmt::format("{}は、一の位が{} + {} = {}で、{}を書きます。十の位は{} + {} = {}です。", sum_text(sum), a,
                             b, ones, ones, c, d, tens);
}

std::string worked_subtraction(const Sum& sum, Language language) {
  const int a = sum.left % 10, b = sum.right % 10, borrow = a < b ? 1 : 0, ones = a - b + 10 * borrow;
  const int c = sum.left / 10, d = sum.right / 10, tens = c - d - borrow;
  if (language == Language::english)
    return borrow
               ? fmt::format("{}: borrow 1, {} - {} = {}, write {}. {} - {} - 1 = {}.", sum_text(sum), a + 10, b, ones,
                             ones, c, d, tens)
               : fmt::format("{}: {} - {} = {}, write {}. {} - {} = {}.", sum_text(sum), a, b, ones, ones, c, d, tens);
  return borrow ? fmt::format("{}は、十の位から1借りて{} - {} = {}で、{}を書きます。十の位は{} - {} - 1 = {}です。",
                              sum_text(sum), a + 10, b, ones, ones, c, d, tens)
                : fmt::format("{}は、一の位が{} - {} = {}で、{}を書きます。十の位は{} - {} = {}です。", sum_text(sum),
                              a, b, ones, ones, c, d, tens);
}

// One of four plain questions, or a story about someone and some things.
std::string english_prompt(const Sum& sum, uint64_t variant) {
  const std::string text = sum_text(sum);
  const Person& who = people()[variant / 8 % people().size()];
  const std::string_view things = kThings[variant / 512 % std::size(kThings)].english;
  switch (variant % 6) {
    case 0:
      return fmt::format("What is {}?", text);
    case 1:
      return fmt::format("How much is {}?", text);
    case 2:
      return fmt::format("Please work out {}.", text);
    case 3:
      return fmt::format("Can you calculate {} for me?", text);
    case 4:
      return sum.sign == '+' ? fmt::format("{} has {} {} and gets {} more. How many {} are there now?", who.english,
                                           sum.left, things, sum.right, things)
                             : fmt::format("{} has {} {} and gives away {}. How many {} are left?", who.english,
                                           sum.left, things, sum.right, things);
    default:
      return sum.sign == '+'
                 ? fmt::format("There are {} {} in one box and {} in another. How many {} are there in all?", sum.left,
                               things, sum.right, things)
                 : fmt::format("There were {} {} in a box. {} took {} of them. How many {} are still there?", sum.left,
                               things, who.english, sum.right, things);
  }
}

std::string japanese_prompt(const Sum& sum, uint64_t variant) {
  const std::string text = sum_text(sum);
  const std::string_view who = people()[variant / 8 % people().size()].japanese;
  const auto& [english, thing, unit] = kThings[variant / 512 % std::size(kThings)];
  switch (variant % 6) {
    case 0:
      return fmt::format("{}はいくつですか。", text);
    case 1:
      return fmt::format("{}を計算してください。", text);
    case 2:
      return fmt::format("{}の答えを教えてください。", text);
    case 3:
      return fmt::format("{}はいくつになりますか。", text);
    case 4:
      return sum.sign == '+' ? fmt::format("{}さんは{}を{}{}持っています。さらに{}{}もらうと、全部で何{}になりますか。",
                                           who, thing, sum.left, unit, sum.right, unit, unit)
                             : fmt::format("{}さんは{}を{}{}持っています。{}{}あげると、残りは何{}ですか。", who, thing,
                                           sum.left, unit, sum.right, unit, unit);
    default:
      return sum.sign == '+' ? fmt::format("一つの箱に{}が{}{}、もう一つの箱に{}{}あります。合わせて何{}ですか。",
                                           thing, sum.left, unit, sum.right, unit, unit)
                             : fmt::format("箱に{}が{}{}ありました。{}さんが{}{}取りました。何{}残っていますか。",
                                           thing, sum.left, unit, who, sum.right, unit, unit);
  }
}

}  // namespace

std::string sum_text(const Sum& sum) { return fmt::format("{} {} {}", sum.left, sum.sign, sum.right); }

std::string worked_solution(const Sum& sum, Language language) {
  const std::string work = sum.sign == '+' ? worked_addition(sum, language) : worked_subtraction(sum, language);
  return language == Language::english ? work + " The answer is " + digits(sum.result()) + "."
                                       : work + "答えは" + digits(sum.result()) + "です。";
}

Example arithmetic_example(const Sum& sum, Language language, uint64_t variant) {
  return {.question = {.prompt =
                           language == Language::english ? english_prompt(sum, variant) : japanese_prompt(sum, variant),
                       .answer = digits(sum.result()),
                       .kind = sum.sign == '+' ? "addition" : "subtraction",
                       .language = std::string(language_code(language)),
                       .wrong = {}},
          .solution = worked_solution(sum, language)};
}

Arithmetic::Arithmetic(uint64_t seed) : seed_(seed) {
  std::vector<Sum> all;
  for (int left = kLeast; left <= kMost; ++left)
    for (int right = kLeast; right <= kMost; ++right) {
      if (held_out(Sum{left, '+', right})) all.push_back({left, '+', right});
      if (left >= right && held_out(Sum{left, '-', right})) all.push_back({left, '-', right});
    }
  Random random{seed, kProblemStream};
  for (int index : shuffled(int(all.size()), random)) held_out_.push_back(all[size_t(index)]);
}

bool Arithmetic::held_out(const Sum& sum) const {
  const bool plus = sum.sign == '+';
  const int left = plus ? std::min(sum.left, sum.right) : sum.left;
  const int right = plus ? std::max(sum.left, sum.right) : sum.right;
  return philox(0, kHashStream, uint64_t(left) << 32 | uint64_t(right) << 1 | uint64_t(plus))[0] % 10 == 0;
}

Sum Arithmetic::practice_sum(Random& random) const {
  for (;;) {
    const int span = kMost - kLeast + 1;
    Sum sum{kLeast + int(random.below(uint64_t(span))), '+', kLeast + int(random.below(uint64_t(span)))};
    if (random.below(2) == 0) {
      sum.sign = '-';
      if (sum.left < sum.right) std::swap(sum.left, sum.right);
    }
    if (!held_out(sum)) return sum;
  }
}

Example Arithmetic::practice(Random& random, Language language) const {
  const Sum sum = practice_sum(random);
  return arithmetic_example(sum, language, random.bits() >> 1);
}

Example Arithmetic::held_out(int64_t index) const {
  require(index >= 0 && index < held_out_count(), "[arithmetic] expected a held-out index below {}, got {}",
          held_out_count(), index);
  const uint64_t variant = Random{seed_, kProblemStream, uint64_t(index) + (uint64_t(1) << 32)}.bits() >> 1;
  return arithmetic_example(held_out_[size_t(index)], index % 2 == 0 ? Language::english : Language::japanese, variant);
}

}  // namespace fude
