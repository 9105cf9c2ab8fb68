#include "tasks/age_nest.h"

#include <numeric>

#include "base/error.h"

namespace fude {
namespace {

LinearAge operator+(const LinearAge& x, const LinearAge& y) { return {x.of_a + y.of_a, x.of_b + y.of_b}; }
LinearAge operator-(const LinearAge& x, const LinearAge& y) { return {x.of_a - y.of_a, x.of_b - y.of_b}; }
LinearAge operator*(const Rational& by, const LinearAge& x) { return {by * x.of_a, by * x.of_b}; }

LinearAge age_now(int person) { return person == 0 ? LinearAge{1, 0} : LinearAge{0, 1}; }
Rational at(const LinearAge& age, const SolvedNest& ratio) {
  return age.of_a * Rational(ratio.a) + age.of_b * Rational(ratio.b);
}

// "3b - 2a", "(a + b) / 2": the positive term first, one fraction.
std::string linear_text(const LinearAge& age) {
  const int64_t common = std::lcm(age.of_a.denominator(), age.of_b.denominator());
  const int64_t a = (age.of_a * Rational(common)).numerator(), b = (age.of_b * Rational(common)).numerator();
  const auto term = [](int64_t count, char name) {
    return count == 1 ? std::string(1, name) : fmt::format("{}{}", count, name);
  };
  std::string text;
  if (b == 0)
    text = term(a, 'a');
  else if (a == 0)
    text = term(b, 'b');
  else if (a > 0)
    text = term(a, 'a') + (b > 0 ? " + " : " - ") + term(b > 0 ? b : -b, 'b');
  else
    text = term(b, 'b') + " - " + term(-a, 'a');
  if (common == 1) return text;
  return fmt::format(fmt::runtime(a != 0 && b != 0 ? "({}) / {}" : "{} / {}"), text, common);
}

struct Factor {
  Rational value;
  std::string_view english, japanese;
};
// "half the sum", 和の半分; "twice as old as", 年齢の2倍.
const Factor kShares[] = {
    {{1, 2}, "half", "半分"}, {{1, 3}, "a third of", "3分の1"}, {{2, 3}, "two thirds of", "3分の2"}};
const Factor kMultiples[] = {
    {1, "", ""}, {2, "twice ", "の2倍"}, {3, "three times ", "の3倍"}, {{1, 2}, "half ", "の半分"}};

const Factor& factor_of(const Rational& value, bool is_innermost) {
  for (const Factor& factor : kShares)
    if (is_innermost && factor.value == value) return factor;
  for (const Factor& factor : kMultiples)
    if (!is_innermost && factor.value == value) return factor;
  fail("[ages] expected a factor that there are words for, got {}/{}", value.numerator(), value.denominator());
}

// What is true at a moment: "Mio was twice as old as Ken was when …".
std::string english_moment(const AgeNest& nest, const SolvedNest& solved, size_t index, const Names& names) {
  const Moment& moment = nest[index];
  const Factor& factor = factor_of(moment.times, index == 0);
  const std::string_view is = solved.steps[index].is_past ? "was" : "is";
  if (index == 0)
    return fmt::format("{}'s age {} {} the sum of their present ages", names[moment.who], is, factor.english);
  return fmt::format("{} {} {}as old as {} {} when {}", names[moment.who], is, factor.english, names[moment.whom],
                     solved.steps[index - 1].is_past ? "was" : "will be",
                     english_moment(nest, solved, index - 1, names));
}

// "「…とき」の", in brackets that differ from those around it.
std::string japanese_when(const std::string& moment, size_t index) {
  return index % 2 == 0 ? "「" + moment + "とき」の" : "『" + moment + "とき』の";
}

// In Japanese a moment stands before what it tells the time of: …ときのケンさんの年齢.
std::string japanese_moment(const AgeNest& nest, const SolvedNest& solved, size_t index, const Names& names) {
  const Moment& moment = nest[index];
  const Factor& factor = factor_of(moment.times, index == 0);
  std::string text = names[moment.who] + "の年齢が";
  if (index == 0)
    text += fmt::format("今の二人の年齢の和の{}", factor.japanese);
  else
    text += fmt::format("{}{}の年齢{}", japanese_when(japanese_moment(nest, solved, index - 1, names), index - 1),
                        names[moment.whom], factor.japanese.empty() ? "と同じ" : factor.japanese);
  return text + (solved.steps[index].is_past ? "だった" : "になる");
}

}  // namespace

std::optional<SolvedNest> solve(const AgeNest& nest) {
  SolvedNest solved;
  LinearAge inside[2];  // ages at the moment inside
  for (const Moment& moment : nest) {
    const bool is_innermost = solved.steps.empty();
    const LinearAge who = moment.times * (is_innermost ? age_now(0) + age_now(1) : inside[moment.whom]);
    const LinearAge other = age_now(1 - moment.who) + (who - age_now(moment.who));
    solved.steps.push_back({who, other});
    inside[moment.who] = who;
    inside[1 - moment.who] = other;
  }
  const LinearAge zero = age_now(0) - inside[1];  // of_a · a + of_b · b = 0
  if (zero.of_a == Rational(0) || zero.of_b == Rational(0)) return std::nullopt;
  const Rational ratio = Rational(0) - zero.of_b / zero.of_a;
  if (!(Rational(0) < ratio)) return std::nullopt;
  solved.a = ratio.numerator();
  solved.b = ratio.denominator();
  if (solved.a == solved.b) return std::nullopt;
  for (size_t i = 0; i < solved.steps.size(); ++i) {
    SolvedNest::Step& step = solved.steps[i];
    const Rational then = at(step.who, solved), other = at(step.other, solved);
    const Rational now = at(age_now(nest[i].who), solved);
    if (!(Rational(0) < then) || !(Rational(0) < other) || then == now) return std::nullopt;
    step.is_past = then < now;
  }
  return solved;
}

AgeNest draw_nest(Random& random, int moments) {
  AgeNest nest;
  for (int i = 0; i < moments; ++i) {
    const Factor& factor =
        i == 0 ? kShares[random.below(std::size(kShares))] : kMultiples[random.below(std::size(kMultiples))];
    const int who = int(random.below(2));
    // Someone compared with themselves at another time would make the moment inside superfluous.
    nest.push_back({who, factor.value, 1 - who});
  }
  return nest;
}

std::string nest_text(const AgeNest& nest, const SolvedNest& solved, Language language, const Names& names) {
  const size_t last = nest.size() - 1;
  if (language == Language::english)
    return fmt::format("{} is as old as {} {} when {}.", names[0], names[1],
                       solved.steps[last].is_past ? "was" : "will be", english_moment(nest, solved, last, names));
  return fmt::format("{}の今の年齢は、{}{}の年齢と同じです。", names[0],
                     japanese_when(japanese_moment(nest, solved, last, names), last), names[1]);
}

std::string nest_work(const AgeNest& nest, const SolvedNest& solved, Language language, const Names& names) {
  std::string text;
  for (size_t i = 0; i < nest.size(); ++i) {
    const std::string& who = names[nest[i].who];
    const std::string& other = names[1 - nest[i].who];
    const std::string then = linear_text(solved.steps[i].who), also = linear_text(solved.steps[i].other);
    if (language == Language::english)
      text += fmt::format("Moment {}: {} {}, {} {}.\n", i + 1, who, then, other, also);
    else
      text += fmt::format("{}つ目の時点：{}は{}、{}は{}。\n", i + 1, who, then, other, also);
  }
  const LinearAge at_last = nest.back().who == 0 ? solved.steps.back().other : solved.steps.back().who;
  text += fmt::format(fmt::runtime(language == Language::english ? "So a = {}, a : b = {} : {}.\n"
                                                                 : "よってa = {}、a : b = {} : {}。\n"),
                      linear_text(at_last), solved.a, solved.b);
  return text;
}

}  // namespace fude
