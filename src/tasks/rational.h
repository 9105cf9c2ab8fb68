// Exact fractions for verifiers and solvers of puzzles. Always in lowest terms, the denominator positive. What does not
// fit in 64 bits, and division by zero, is an Error and never another number.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace fude {

class Rational {
 public:
  Rational(int64_t whole = 0) : numerator_(whole) {}
  Rational(int64_t numerator, int64_t denominator) : Rational(reduced(numerator, denominator)) {}

  int64_t numerator() const { return numerator_; }
  int64_t denominator() const { return denominator_; }
  bool is_whole() const { return denominator_ == 1; }

  friend Rational operator+(const Rational& x, const Rational& y) {
    return reduced(wide(x.numerator_) * y.denominator_ + wide(y.numerator_) * x.denominator_,
                   wide(x.denominator_) * y.denominator_);
  }
  friend Rational operator-(const Rational& x, const Rational& y) { return x + y * Rational(-1); }
  friend Rational operator*(const Rational& x, const Rational& y) {
    return reduced(wide(x.numerator_) * y.numerator_, wide(x.denominator_) * y.denominator_);
  }
  friend Rational operator/(const Rational& x, const Rational& y) {
    return reduced(wide(x.numerator_) * y.denominator_, wide(x.denominator_) * y.numerator_);
  }
  friend bool operator==(const Rational&, const Rational&) = default;
  friend bool operator<(const Rational& x, const Rational& y) {
    return wide(x.numerator_) * y.denominator_ < wide(y.numerator_) * x.denominator_;
  }

 private:
  static __int128 wide(int64_t value) { return value; }
  static Rational reduced(__int128 numerator, __int128 denominator) {
    require(denominator != 0, "[rational] division by zero");
    if (denominator < 0) numerator = -numerator, denominator = -denominator;
    __int128 divisor = denominator;
    for (__int128 rest = numerator < 0 ? -numerator : numerator; rest != 0;) {
      const __int128 next = divisor % rest;
      divisor = rest;
      rest = next;
    }
    numerator /= divisor;
    denominator /= divisor;
    require(numerator >= -INT64_MAX && numerator <= INT64_MAX && denominator <= INT64_MAX,
            "[rational] a fraction does not fit in 64 bits");
    Rational result(static_cast<int64_t>(numerator));
    result.denominator_ = int64_t(denominator);
    return result;
  }

  int64_t numerator_ = 0, denominator_ = 1;
};

}  // namespace fude
