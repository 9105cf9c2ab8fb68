// JSON Schema (2020-12) as a grammar: what it lets through is valid, or the schema is refused.
//
// What the grammar offers is one way to write each value: members in the order of the schema, declared ones first;
// strings under a pattern or format with the shortest escapes; bounded numbers without an exponent. docs/grammar.md
// lists what is supported and the policies. Keywords about a type that the value cannot have say nothing and are not
// read. Everything else is refused with the place it stands at, never ignored.
#pragma once

#include <span>
#include <string>

#include "base/json.h"
#include "infer/grammar/grammar.h"
#include "infer/grammar/json_values.h"

namespace fude::grammar {

// Error for a schema that is wrong, asks for what is not supported, or that no value satisfies.
Grammar json_schema_grammar(const Json& schema, const JsonSchemaOptions& options = {},
                            const GrammarLimits& limits = {});
// A value between marks; repeats: or several of them, each on lines of its own.
struct MarkedSchema {
  Json schema;
  std::string before, behind;
  bool repeats = false;
};
// A text of one of these kinds. The limits are of all of them together.
Grammar json_schema_grammar(std::span<const MarkedSchema> kinds, const JsonSchemaOptions& options = {},
                            const GrammarLimits& limits = {});
// From the schema's text.
Grammar json_schema_grammar(std::string_view schema, const JsonSchemaOptions& options = {},
                            const GrammarLimits& limits = {});
// Any JSON value.
Grammar json_grammar(const JsonSchemaOptions& options = {}, const GrammarLimits& limits = {});

}  // namespace fude::grammar
