// Python's operators on values.
#pragma once

#include <optional>
#include <string_view>

#include "text/template/machine.h"

namespace fude::jinja {

// + - * / // % **. Integers have 64 bits; Error beyond.
Value calculate(Machine& machine, std::string_view sign, const Value& left, const Value& right);
Value negative(Machine& machine, const Value& value, bool is_minus);
// == != < <= > >= in, not in.
bool holds(Machine& machine, std::string_view sign, const Value& left, const Value& right);
bool equal(Machine& machine, const Value& left, const Value& right);
// Error for what has no order.
bool less(Machine& machine, const Value& left, const Value& right);
// object[begin:end:step] of a string, list or tuple.
Value slice_of(Machine& machine, const Value& object, std::optional<int64_t> begin, std::optional<int64_t> end,
               int64_t step);

}  // namespace fude::jinja
