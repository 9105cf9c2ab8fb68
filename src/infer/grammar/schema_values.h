// What a shape says about numbers and strings, as automata, and which of the values of an enum satisfy it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "infer/grammar/automaton.h"
#include "infer/grammar/schema_shape.h"

namespace fude::grammar {

// The numbers of the shape, written as json_numbers.h says; null where all are (or, without fractions, all integers).
std::shared_ptr<const Automaton> shape_numbers(const Shape& shape, const CountedLimits& limits);

struct StringShape {
  int32_t minimum = 0, maximum = -1;         // code points; -1: no bound
  std::shared_ptr<const Automaton> content;  // by pattern, format and length; null where only the length is bounded
};
StringShape shape_strings(const Shape& shape, const CountedLimits& limits);

// The values of the shape's enum and const that satisfy all of it; nothing if it has neither. Error if that cannot be
// told: values with parts beside keywords about parts.
std::optional<std::vector<const Json*>> shape_constants(const Shape& shape, const CountedLimits& limits);

// A keyword's number that is at least 0, as lengths and counts are.
int32_t shape_minimum(const Shape& shape, const char* keyword);  // the largest of several
int32_t shape_maximum(const Shape& shape, const char* keyword);  // the smallest of several, or -1

}  // namespace fude::grammar
