#include "infer/grammar/json_numbers.h"

#include <fmt/format.h>

namespace fude::grammar {
namespace {

ExpressionPtr digit_between(char low, char high) {
  return low <= high ? byte_range(uint8_t(low), uint8_t(high)) : choice({});
}
ExpressionPtr any_digit() { return digit_between('0', '9'); }
ExpressionPtr digits(int32_t minimum, int32_t maximum) { return repeat(any_digit(), minimum, maximum); }
ExpressionPtr whole_part() {
  return choice({literal("0"), sequence({digit_between('1', '9'), digits(0, kUnbounded)})});
}

// Magnitudes, compared with a bound's: `integer` digits and `fraction` digits without a sign.
class MagnitudeRange {
 public:
  explicit MagnitudeRange(bool integers_only) : integers_only_(integers_only) {}

  ExpressionPtr at_least(const Decimal& bound, bool is_strict) const {
    const std::string& integer = bound.integer;
    std::vector<ExpressionPtr> parts = {
        sequence({digit_between('1', '9'), digits(int32_t(integer.size()), kUnbounded), free_fraction()})};
    for (size_t i = 0; i < integer.size(); ++i)
      parts.push_back(sequence({literal(integer.substr(0, i)), digit_between(char(integer[i] + 1), '9'),
                                fixed_digits(integer.size() - i - 1), free_fraction()}));
    parts.push_back(sequence({literal(integer), fraction_at_least(bound.fraction, is_strict)}));
    return choice(std::move(parts));
  }

  ExpressionPtr at_most(const Decimal& bound, bool is_strict) const {
    const std::string& integer = bound.integer;
    std::vector<ExpressionPtr> parts;
    if (integer.size() > 1) {
      parts.push_back(sequence({literal("0"), free_fraction()}));
      parts.push_back(sequence({digit_between('1', '9'), digits(0, int32_t(integer.size()) - 2), free_fraction()}));
    }
    for (size_t i = 0; i < integer.size(); ++i)
      parts.push_back(sequence({literal(integer.substr(0, i)),
                                digit_between(i == 0 && integer.size() > 1 ? '1' : '0', char(integer[i] - 1)),
                                fixed_digits(integer.size() - i - 1), free_fraction()}));
    parts.push_back(sequence({literal(integer), fraction_at_most(bound.fraction, is_strict)}));
    return choice(std::move(parts));
  }

 private:
  static ExpressionPtr fixed_digits(size_t count) { return digits(int32_t(count), int32_t(count)); }
  ExpressionPtr free_fraction() const {
    return integers_only_ ? sequence({}) : optional(sequence({literal("."), digits(1, kUnbounded)}));
  }

  ExpressionPtr fraction_at_least(const std::string& bound, bool is_strict) const {
    const ExpressionPtr more = sequence({digits(0, kUnbounded), digit_between('1', '9'), digits(0, kUnbounded)});
    if (bound.empty() && !is_strict) return free_fraction();
    if (integers_only_) return choice({});
    std::vector<ExpressionPtr> parts;
    for (size_t i = 0; i < bound.size(); ++i)
      parts.push_back(
          sequence({literal(bound.substr(0, i)), digit_between(char(bound[i] + 1), '9'), digits(0, kUnbounded)}));
    parts.push_back(sequence({literal(bound), is_strict ? more : digits(0, kUnbounded)}));
    return sequence({literal("."), choice(std::move(parts))});
  }

  ExpressionPtr fraction_at_most(const std::string& bound, bool is_strict) const {
    const bool takes_none = !bound.empty() || !is_strict;
    if (integers_only_) return takes_none ? sequence({}) : choice({});
    std::vector<ExpressionPtr> parts;
    for (size_t i = 0; i < bound.size(); ++i) {
      parts.push_back(
          sequence({literal(bound.substr(0, i)), digit_between('0', char(bound[i] - 1)), digits(0, kUnbounded)}));
      if (i > 0) parts.push_back(literal(bound.substr(0, i)));
    }
    const ExpressionPtr zeros = repeat(literal("0"), bound.empty(), kUnbounded);
    if (!is_strict) parts.push_back(sequence({literal(bound), zeros}));
    const ExpressionPtr fraction = sequence({literal("."), choice(std::move(parts))});
    return takes_none ? optional(fraction) : fraction;
  }

  bool integers_only_;
};

}  // namespace

Decimal decimal_of(const Json& number) {
  std::string text;  // digits, perhaps with a point and an exponent
  if (number.is_number_float())
    text = fmt::format("{}", number.get<double>());
  else
    text = number.dump();
  Decimal result;
  if (text[0] == '-') result.is_negative = true, text.erase(0, 1);
  int64_t exponent = 0;
  if (const size_t e = text.find('e'); e != std::string::npos) {
    exponent = std::stoll(text.substr(e + 1));
    text.resize(e);
  }
  const size_t point = text.find('.');
  std::string digits = point == std::string::npos ? text : text.substr(0, point) + text.substr(point + 1);
  int64_t whole = int64_t(point == std::string::npos ? text.size() : point) + exponent;  // digits before the point
  if (whole < 0) digits.insert(0, size_t(-whole), '0'), whole = 0;
  if (size_t(whole) > digits.size()) digits.append(size_t(whole) - digits.size(), '0');
  result.integer = digits.substr(0, size_t(whole));
  result.fraction = digits.substr(size_t(whole));
  result.integer.erase(0, std::min(result.integer.find_first_not_of('0'), result.integer.size()));
  if (result.integer.empty()) result.integer = "0";
  result.fraction.erase(result.fraction.find_last_not_of('0') + 1);
  if (result.is_zero()) result.is_negative = false;
  return result;
}

ExpressionPtr any_integer() { return sequence({optional(literal("-")), whole_part()}); }

ExpressionPtr any_number() {
  const ExpressionPtr sign = optional(choice({literal("+"), literal("-")}));
  const ExpressionPtr exponent = sequence({choice({literal("e"), literal("E")}), sign, digits(1, kUnbounded)});
  return sequence({any_integer(), optional(sequence({literal("."), digits(1, kUnbounded)})), optional(exponent)});
}

std::shared_ptr<const Automaton> numbers_in(const NumberRange& range, bool integers_only, const CountedLimits& limits) {
  const MagnitudeRange magnitudes(integers_only);
  const auto between = [&](const NumberBound& low, const std::optional<NumberBound>& high) {
    auto result = build_automaton(*magnitudes.at_least(low.value, low.is_strict), limits);
    if (!high) return result;
    const auto below = build_automaton(*magnitudes.at_most(high->value, high->is_strict), limits);
    return intersection(*result, *below, limits);
  };
  const auto magnitude = [](const std::optional<NumberBound>& bound) {
    auto result = bound;
    if (result) result->value.is_negative = false;
    return result;
  };
  const NumberBound zero, above_zero{.is_strict = true};
  std::vector<ExpressionPtr> parts;
  if (!range.high || !range.high->value.is_negative) {
    const bool has_low = range.low && !range.low->value.is_negative;
    parts.push_back(from_automaton(between(has_low ? *range.low : zero, range.high)));
  }
  if (!range.low || range.low->value.is_negative) {
    const bool has_high = range.high && range.high->value.is_negative;
    parts.push_back(sequence(
        {literal("-"), from_automaton(between(has_high ? *magnitude(range.high) : above_zero, magnitude(range.low)))}));
  }
  return build_automaton(*choice(std::move(parts)), limits);
}

std::shared_ptr<const Automaton> multiples_of(int64_t divisor, const CountedLimits& limits) {
  // A state is what remains of the digits so far; its ten edges hang on a chain of states.
  Automaton automaton;
  const auto chain = [&](int64_t remainder, int digit) { return int32_t(remainder * 10 + digit); };
  automaton.states.resize(size_t(divisor) * 10 + 1);
  automaton.start = chain(0, 0);
  automaton.accept = int32_t(divisor * 10);
  for (int64_t remainder = 0; remainder < divisor; ++remainder)
    for (int digit = 0; digit < 10; ++digit) {
      Automaton::State& state = automaton.states[size_t(chain(remainder, digit))];
      state.low = state.high = uint8_t('0' + digit);
      state.next = chain((remainder * 10 + digit) % divisor, 0);
      if (digit < 9) state.free[0] = chain(remainder, digit + 1);
    }
  automaton.states[size_t(chain(0, 0))].free[1] = automaton.accept;
  const auto multiples = build_automaton(
      *sequence({optional(literal("-")), from_automaton(std::make_shared<Automaton>(std::move(automaton)))}), limits);
  return intersection(*build_automaton(*any_integer(), limits), *multiples, limits);
}

std::shared_ptr<const Automaton> numbers_with_places(int32_t places, const CountedLimits& limits) {
  const ExpressionPtr fraction =
      sequence({literal("."), digits(places > 0, places), repeat(literal("0"), places == 0, kUnbounded)});
  return build_automaton(*sequence({any_integer(), optional(fraction)}), limits);
}

}  // namespace fude::grammar
