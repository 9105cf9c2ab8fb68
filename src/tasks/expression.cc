#include "tasks/expression.h"

namespace fude {
namespace {

constexpr size_t kLongestExpression = 400;
constexpr int kDeepest = 40, kMostDigits = 9;

// Recursive descent; Error stands for "not an expression" and does not leave this file.
class ExpressionReader {
 public:
  ExpressionReader(std::string_view text, const Variables& variables) : text_(text), variables_(variables) {}

  Expression read() {
    const Rational value = sum(0);
    require(at_ == text_.size(), "[expression] something behind it");
    return {value, std::move(numbers_)};
  }

 private:
  bool take(std::string_view piece) {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    if (!text_.substr(at_).starts_with(piece)) return false;
    at_ += piece.size();
    return true;
  }

  Rational sum(int depth) {
    Rational value = product(depth);
    for (;;) {
      if (take("+"))
        value = value + product(depth);
      else if (take("-"))
        value = value - product(depth);
      else
        return value;
    }
  }

  Rational product(int depth) {
    Rational value = unit(depth);
    for (;;) {
      if (take("*"))
        value = value * unit(depth);
      else if (take("/"))
        value = value / unit(depth);
      else if (take("mod"))
        value = remainder(value, unit(depth));
      else
        return value;
    }
  }

  static Rational remainder(const Rational& value, const Rational& by) {
    require(value.is_whole() && by.is_whole() && !(value < 0) && Rational(0) < by, "[expression] no remainder");
    return value.numerator() % by.numerator();
  }

  Rational unit(int depth) {
    require(depth < kDeepest, "[expression] too deep");
    if (take("(")) {
      const Rational value = sum(depth + 1);
      require(take(")"), "[expression] not closed");
      return value;
    }
    require(at_ < text_.size(), "[expression] ends early");
    const char first = text_[at_];
    if (first >= 'a' && first <= 'z') {
      const auto value = variables_ ? variables_(first) : std::nullopt;
      require(value.has_value(), "[expression] unknown letter");
      ++at_;
      return *value;
    }
    const size_t begin = at_;
    int64_t number = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      require(at_ - begin < kMostDigits, "[expression] too many digits");
      number = 10 * number + (text_[at_] - '0');
    }
    require(at_ > begin, "[expression] no number");
    numbers_.push_back(number);
    return number;
  }

  std::string_view text_;
  const Variables& variables_;
  size_t at_ = 0;
  std::vector<int64_t> numbers_;
};

}  // namespace

std::optional<Expression> parse_expression(std::string_view text, const Variables& variables) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (text.size() > kLongestExpression) return std::nullopt;
  try {
    return ExpressionReader(text, variables).read();
  } catch (const Error&) { return std::nullopt; }
}

}  // namespace fude
