#include "infer/grammar/schema_values.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "infer/grammar/characters.h"
#include "infer/grammar/json_formats.h"
#include "infer/grammar/json_numbers.h"
#include "infer/grammar/json_values.h"
#include "infer/grammar/regex.h"
#include "text/unicode.h"

namespace fude::grammar {
namespace {

constexpr size_t kMostCompared = 2000;  // values of an enum beside another one

using AutomatonPtr = std::shared_ptr<const Automaton>;

AutomatonPtr narrowed(const AutomatonPtr& a, const AutomatonPtr& b, const CountedLimits& limits) {
  return a == nullptr ? b : intersection(*a, *b, limits);
}

int32_t count_at(const PlacedSchema& at) {
  const Json& value = *at.schema;
  require(value.is_number() && value.get<double>() >= 0 && std::floor(value.get<double>()) == value.get<double>(),
          "[json_schema] expected an integer of at least 0 at '{}', got {}", at.place(), value.dump());
  return int32_t(std::min(value.get<double>(), double(INT32_MAX)));
}

const std::string& string_at(const PlacedSchema& at) {
  require(at.schema->is_string(), "[json_schema] expected a string at '{}', got {}", at.place(),
          at.schema->type_name());
  return at.schema->get_ref<const std::string&>();
}

// The numbers that `value` divides; null: all integers.
AutomatonPtr multiples_at(const PlacedSchema& at, bool integers_only, const CountedLimits& limits) {
  require(at.schema->is_number() && at.schema->get<double>() > 0,
          "[json_schema] expected a number above 0 at '{}', got {}", at.place(), at.schema->dump());
  const Decimal value = decimal_of(*at.schema);
  const bool is_power = value.integer == "0" && value.fraction.find_first_not_of('0') == value.fraction.size() - 1 &&
                        value.fraction.back() == '1';
  if (is_power) return integers_only ? nullptr : numbers_with_places(int32_t(value.fraction.size()), limits);
  const bool is_small = value.fraction.empty() && at.schema->get<double>() <= double(kLargestDivisor);
  require(is_small, "[json_schema] 'multipleOf' at '{}': expected an integer of at most {} or a power of 1/10, got {}",
          at.place(), kLargestDivisor, at.schema->dump());
  return multiples_of(at.schema->get<int64_t>(), limits);
}

bool has_parts_keyword(const Shape& shape, const Json& value) {
  const auto any_of = [&](std::initializer_list<const char*> keywords) {
    return std::any_of(keywords.begin(), keywords.end(), [&](const char* keyword) { return shape.has(keyword); });
  };
  return value.is_array() ? any_of({"items", "prefixItems", "minItems", "maxItems"})
                          : any_of({"properties", "required", "additionalProperties", "patternProperties",
                                    "minProperties", "maxProperties"});
}

// Whether the value is in all lists but the first, which it may come from, and equal to all constants.
bool is_listed(const std::vector<PlacedSchema>& lists, size_t from, const std::vector<PlacedSchema>& single,
               const Json& value, const CountedLimits& limits) {
  for (size_t i = from; i < lists.size(); ++i)
    if (std::none_of(lists[i].schema->begin(), lists[i].schema->end(),
                     [&](const Json& other) { return same_value(other, value, limits); }))
      return false;
  return std::all_of(single.begin(), single.end(),
                     [&](const PlacedSchema& only) { return same_value(*only.schema, value, limits); });
}

size_t code_points(const std::string& text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (uint8_t(c) & 0xC0) != 0x80; }));
}

// The number's plain decimal text.
std::string decimal_text(const Json& number) {
  const Decimal decimal = decimal_of(number);
  return (decimal.is_negative ? "-" : "") + decimal.integer +
         (decimal.fraction.empty() ? std::string() : "." + decimal.fraction);
}

}  // namespace

int32_t shape_minimum(const Shape& shape, const char* keyword) {
  int32_t result = 0;
  for (const PlacedSchema& at : shape.all(keyword)) result = std::max(result, count_at(at));
  return result;
}

int32_t shape_maximum(const Shape& shape, const char* keyword) {
  int32_t result = -1;
  for (const PlacedSchema& at : shape.all(keyword)) result = result < 0 ? count_at(at) : std::min(result, count_at(at));
  return result;
}

AutomatonPtr shape_numbers(const Shape& shape, const CountedLimits& limits) {
  const bool integers_only = (shape.types & kFractionType) == 0;
  AutomatonPtr result;
  for (const char* keyword : {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"})
    for (const PlacedSchema& at : shape.all(keyword)) {
      require(at.schema->is_number(), "[json_schema] expected a number at '{}', got {}", at.place(),
              at.schema->type_name());
      const NumberBound bound = {decimal_of(*at.schema), keyword[0] == 'e'};
      const bool is_low = std::string_view(keyword).ends_with("inimum");
      NumberRange range;
      (is_low ? range.low : range.high) = bound;
      result = narrowed(result, numbers_in(range, integers_only, limits), limits);
    }
  for (const PlacedSchema& at : shape.all("multipleOf"))
    if (const AutomatonPtr multiples = multiples_at(at, integers_only, limits))
      result = narrowed(result, multiples, limits);
  return result;
}

StringShape shape_strings(const Shape& shape, const CountedLimits& limits) {
  StringShape result = {shape_minimum(shape, "minLength"), shape_maximum(shape, "maxLength"), nullptr};
  for (const PlacedSchema& at : shape.all("pattern")) {
    try {
      const auto pattern = compile_regex(string_at(at), RegexMatch::search, Encoding::json_string, limits);
      result.content = narrowed(result.content, pattern, limits);
    } catch (const Error& error) { fail("[json_schema] 'pattern' at '{}': {}", at.place(), error.what()); }
  }
  for (const PlacedSchema& at : shape.all("format")) {
    const std::string_view pattern = format_pattern(string_at(at));
    require(!pattern.empty(), "[json_schema] the format '{}' at '{}' is not supported", string_at(at), at.place());
    result.content =
        narrowed(result.content, compile_regex(pattern, RegexMatch::whole, Encoding::json_string, limits), limits);
  }
  const bool is_bounded = result.minimum > 0 || result.maximum >= 0;
  if (result.content && is_bounded) {
    if (result.maximum >= 0 && result.maximum < result.minimum) {
      result.content = std::make_shared<Automaton>();
    } else {
      const auto length = build_automaton(*counted(shortest_character(), result.minimum, result.maximum), limits);
      try {
        result.content = intersection(*result.content, *length, limits);
      } catch (const Error& error) {
        fail("[json_schema] the length at '{}' is too large beside a pattern or format: {}; leave one of them out",
             (result.maximum >= 0 ? shape.all("maxLength") : shape.all("minLength"))[0].place(), error.what());
      }
    }
  }
  return result;
}

std::optional<std::vector<const Json*>> shape_constants(const Shape& shape, const CountedLimits& limits) {
  std::vector<const Json*> candidates;
  const std::vector<PlacedSchema> lists = shape.all("enum"), single = shape.all("const");
  if (lists.empty() && single.empty()) return std::nullopt;
  for (const PlacedSchema& list : lists)
    require(list.schema->is_array() && (lists.size() == 1 || list.schema->size() <= kMostCompared),
            "[json_schema] expected a list at '{}', of at most {} values where several must be compared", list.place(),
            kMostCompared);
  if (!single.empty())
    candidates.push_back(single[0].schema);
  else
    for (const Json& value : *lists[0].schema) candidates.push_back(&value);
  std::optional<Lexer> numbers, strings;
  StringShape string_shape;
  if (shape.types & kNumberTypes)
    if (const auto automaton = shape_numbers(shape, limits)) numbers.emplace(automaton, limits);
  if (shape.types & kStringType) string_shape = shape_strings(shape, limits);
  if (string_shape.content) strings.emplace(string_shape.content, limits);
  limits.spend(candidates.size() * (1 + shape.schemas.size()));
  std::erase_if(candidates, [&](const Json* value) {
    if ((type_of(*value) & shape.types) == 0 || !is_listed(lists, single.empty(), single, *value, limits)) return true;
    if (value->is_structured())
      require(
          !has_parts_keyword(shape, *value),
          "[json_schema] 'enum' or 'const' with a list or an object beside keywords about its parts, at '{}', is not "
          "supported",
          lists.empty() ? single[0].place() : lists[0].place());
    if (value->is_number()) return numbers && !numbers->matches(decimal_text(*value));
    if (!value->is_string()) return false;
    const std::string& text = value->get_ref<const std::string&>();
    const size_t length = code_points(text);
    return length < size_t(string_shape.minimum) ||
           (string_shape.maximum >= 0 && length > size_t(string_shape.maximum)) ||
           (strings && !strings->matches(json_content(text)));
  });
  return candidates;
}

}  // namespace fude::grammar
