// Arithmetic written by a model: "(8 - 2) * 4 mod 5", evaluated exactly or refused.
//
// Whole numbers, single letters where the caller knows their values, + - * / mod and parentheses, with the usual
// precedence. No sign before a number: who may use 3 may not thereby use -3. Length, depth and the size of numbers are
// bounded, since the text comes from whoever is paid for it.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "tasks/rational.h"

namespace fude {

struct Expression {
  Rational value;
  std::vector<int64_t> numbers;  // those written, in their order
};

using Variables = std::function<std::optional<int64_t>(char name)>;

// Nothing if the text is anything but one expression, has no value (division by zero) or breaks a limit.
std::optional<Expression> parse_expression(std::string_view text, const Variables& variables = {});

}  // namespace fude
