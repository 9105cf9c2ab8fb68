// JSON numbers in a range, as expressions over their digits.
//
// A decimal is compared as text: more digits in front of the point are more, and of equally many the first that differs
// decides. Numbers with bounds are offered without an exponent, integers without a fraction; that is one way to write
// each value, and every value has it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "infer/grammar/automaton.h"

namespace fude::grammar {

// An exact decimal.
struct Decimal {
  bool is_negative = false;
  std::string integer = "0";  // digits without leading zeros
  std::string fraction;       // digits without trailing zeros
  bool is_zero() const { return integer == "0" && fraction.empty(); }
  bool operator==(const Decimal&) const = default;
};
// The shortest decimal that reads as the same number.
Decimal decimal_of(const Json& number);

struct NumberBound {
  Decimal value;
  bool is_strict = false;  // the bound itself is outside
};
struct NumberRange {
  std::optional<NumberBound> low, high;
};

// Any JSON number, and any integer without fraction and exponent.
ExpressionPtr any_number();
ExpressionPtr any_integer();
// Those inside the range.
std::shared_ptr<const Automaton> numbers_in(const NumberRange& range, bool integers_only, const CountedLimits& limits);
// Integers that `divisor` divides; 1 to kLargestDivisor.
constexpr int64_t kLargestDivisor = 2000;
std::shared_ptr<const Automaton> multiples_of(int64_t divisor, const CountedLimits& limits);
// Numbers with at most so many digits behind the point, zeros behind them not counted.
std::shared_ptr<const Automaton> numbers_with_places(int32_t places, const CountedLimits& limits);

}  // namespace fude::grammar
