#include "infer/grammar/json_values.h"

#include "infer/grammar/json_numbers.h"

namespace fude::grammar {
namespace {

constexpr int32_t kMostIndentation = 40;

ExpressionPtr any_of_bytes(std::string_view bytes) {
  std::vector<ExpressionPtr> parts;
  for (const char byte : bytes) parts.push_back(literal({&byte, 1}));
  return choice(std::move(parts));
}

ExpressionPtr compact(const ExpressionPtr& expression) {
  return from_automaton(compacted(*build_automaton(*expression, {})));
}

// One character of a JSON string in any way of writing it.
ExpressionPtr string_character() {
  const CharacterSet as_they_are = {{0x20, 0x21}, {0x23, 0x5B}, {0x5D, kLastCodePoint}};
  const ExpressionPtr hexadecimal = any_of_bytes("0123456789abcdefABCDEF");
  const ExpressionPtr last_two = repeat(hexadecimal, 2, 2);
  const ExpressionPtr surrogate = any_of_bytes("dD");
  const ExpressionPtr plain = choice({sequence({any_of_bytes("0123456789abcefABCEF"), hexadecimal, last_two}),
                                      sequence({surrogate, any_of_bytes("01234567"), last_two})});
  const ExpressionPtr pair = sequence(
      {surrogate, any_of_bytes("89abAB"), last_two, literal("\\u"), surrogate, any_of_bytes("cdefCDEF"), last_two});
  return compact(choice({one_of(as_they_are, Encoding::plain), sequence({literal("\\"), any_of_bytes("\"\\/bfnrt")}),
                         sequence({literal("\\u"), choice({plain, pair})})}));
}

ExpressionPtr flexible_space() {
  const ExpressionPtr indented = sequence({literal("\n"), repeat(any_of_bytes(" \t"), 0, kMostIndentation)});
  return compact(optional(choice({literal(" "), indented})));
}

ExpressionPtr any_string_character() {
  static const ExpressionPtr kCharacter = string_character();
  return kCharacter;
}

}  // namespace

ExpressionPtr shortest_character() {
  static const ExpressionPtr kCharacter = compact(one_of(CharacterSet{{0, kLastCodePoint}}, Encoding::json_string));
  return kCharacter;
}

JsonParts::JsonParts(const JsonSchemaOptions& options)
    : space_(options.has_space ? flexible_space() : sequence({})),
      character_(any_string_character()),
      any_string_(string_of_length(0, kUnbounded)),
      any_number_(apart(fude::grammar::any_number())),
      any_integer_(apart(fude::grammar::any_integer())) {}

ExpressionPtr JsonParts::string_of_length(int32_t minimum, int32_t maximum) const {
  return apart(sequence({literal("\""), counted(character_, minimum, maximum), literal("\"")}));
}

ExpressionPtr JsonParts::quoted(std::shared_ptr<const Automaton> content) {
  return apart(sequence({literal("\""), from_automaton(std::move(content)), literal("\"")}));
}

ExpressionPtr JsonParts::bracketed(const char* open, ExpressionPtr inside, const char* close) const {
  return sequence({literal(open), std::move(inside), space_, literal(close)});
}

ExpressionPtr JsonParts::member(ExpressionPtr key, ExpressionPtr value) const {
  return sequence({space_, std::move(key), literal(":"), space_, std::move(value)});
}

ExpressionPtr JsonParts::constant(const Json& value) const {
  if (value.is_string()) return literal("\"" + json_content(value.get_ref<const std::string&>()) + "\"");
  if (value.is_number_float()) {
    const Decimal decimal = decimal_of(value);
    const std::string whole = (decimal.is_negative ? "-" : "") + decimal.integer;
    if (decimal.fraction.empty()) return choice({literal(whole), literal(whole + ".0")});
    return literal(whole + "." + decimal.fraction);
  }
  if (!value.is_structured()) return literal(value.dump());
  std::vector<ExpressionPtr> parts;
  for (const auto& [key, part] : value.items()) {
    if (!parts.empty()) parts.push_back(literal(","));
    parts.push_back(value.is_object() ? member(literal("\"" + json_content(key) + "\""), constant(part))
                                      : sequence({space_, constant(part)}));
  }
  return value.is_object() ? bracketed("{", sequence(std::move(parts)), "}")
                           : bracketed("[", sequence(std::move(parts)), "]");
}

}  // namespace fude::grammar
