// The parts that all JSON grammars are made of: space, strings, constant values.
//
// Between tokens there may be one blank, or a new line with an indentation of up to 40 blanks or tabs, in the places
// where printers put them: behind {, [, : and a comma, and before } and ]. That accepts compact and indented JSON, and
// a model cannot emit spaces for ever.
#pragma once

#include "base/json.h"
#include "infer/grammar/automaton.h"
#include "infer/grammar/characters.h"

namespace fude::grammar {

struct JsonSchemaOptions {
  bool has_space = true;  // false: compact JSON only
};

// Any character in a string, written with its shortest escape (Encoding::json_string).
ExpressionPtr shortest_character();

class JsonParts {
 public:
  explicit JsonParts(const JsonSchemaOptions& options);

  const ExpressionPtr& space() const { return space_; }
  // Any JSON string, with its quotes and with any of JSON's escapes; lone surrogates have none.
  const ExpressionPtr& any_string() const { return any_string_; }
  const ExpressionPtr& any_number() const { return any_number_; }
  const ExpressionPtr& any_integer() const { return any_integer_; }
  // A string of so many code points; maximum: kUnbounded for any number.
  ExpressionPtr string_of_length(int32_t minimum, int32_t maximum) const;
  // A string whose content, in Encoding::json_string, is one of these.
  static ExpressionPtr quoted(std::shared_ptr<const Automaton> content);
  // One value: objects in their order of members, characters by their shortest escapes.
  ExpressionPtr constant(const Json& value) const;
  // [items] and {members}: what stands between the brackets begins with its own space.
  ExpressionPtr bracketed(const char* open, ExpressionPtr inside, const char* close) const;
  ExpressionPtr member(ExpressionPtr key, ExpressionPtr value) const;  // with the space before it

 private:
  ExpressionPtr space_, character_, any_string_, any_number_, any_integer_;
};

}  // namespace fude::grammar
