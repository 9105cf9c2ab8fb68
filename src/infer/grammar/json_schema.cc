#include "infer/grammar/json_schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/error.h"
#include "infer/grammar/json_numbers.h"
#include "infer/grammar/regex.h"
#include "infer/grammar/schema_values.h"

namespace fude::grammar {
namespace {

constexpr int kApartDepth = 3;          // how deep two objects are compared for oneOf
constexpr int kMostComparisons = 2000;  // of two shapes, for all oneOf of a schema
constexpr size_t kMostNames = 480;      // of members, declared or required in one object; each is a call of those that
                                        // may be open at once
constexpr size_t kMostPatterns = 100;   // of patternProperties: each is compared with each

// Behind the last declared member, or item: what may follow, with its comma.
ExpressionPtr behind_comma(ExpressionPtr part) { return sequence({literal(","), std::move(part)}); }

class SchemaCompiler {
 public:
  SchemaCompiler(const Json& root, const JsonSchemaOptions& options, const CountedLimits& limits,
                 GrammarBuilder& builder)
      : root_(root),
        limits_(limits),
        parts_(options),
        builder_(builder),
        reader_(root, limits_, [this](const Shape& a, const Shape& b) { return are_apart(a, b, kApartDepth); }) {}

  ExpressionPtr run() { return value({{&root_}}); }

 private:
  // What is known about a conjunction of schemas: its rule, and its expression once that is made.
  struct Value {
    int32_t rule;
    ExpressionPtr expression;
  };

  ExpressionPtr value(const Conjunction& conjunction) {
    std::vector<const Json*> key;
    for (const PlacedSchema& part : conjunction) key.push_back(part.schema);
    std::sort(key.begin(), key.end());
    key.erase(std::unique(key.begin(), key.end()), key.end());
    if (const auto found = values_.find(key); found != values_.end()) {
      const Value& known = found->second;
      return known.expression && known.expression->is_regular ? known.expression : rule_reference(known.rule);
    }
    require(++level_ <= limits_.nesting, "[json_schema] schemas are nested deeper than {}", limits_.nesting);
    const int32_t rule = builder_.add_rule();
    values_[key] = {rule, nullptr};
    std::vector<ExpressionPtr> choices;
    for (const Shape& shape : reader_.shapes(conjunction)) choices.push_back(of_shape(shape));
    ExpressionPtr made = choice(std::move(choices));
    --level_;
    builder_.define(rule, made);
    values_[key].expression = made;
    return made->is_regular ? made : rule_reference(rule);
  }

  ExpressionPtr of_shape(const Shape& shape) {
    std::vector<ExpressionPtr> choices;
    if (const auto constants = shape_constants(shape, limits_)) {
      for (const Json* constant : *constants) {
        ExpressionPtr& known = constants_[constant];
        if (!known) known = parts_.constant(*constant);
        choices.push_back(known);
      }
      return choice(std::move(choices));
    }
    if (shape.types & kNullType) choices.push_back(literal("null"));
    if (shape.types & kBooleanType) choices.push_back(choice({literal("true"), literal("false")}));
    if (shape.types & kNumberTypes) choices.push_back(numbers(shape));
    if (shape.types & kStringType) choices.push_back(strings(shape));
    if (shape.types & kArrayType) choices.push_back(array(shape));
    if (shape.types & kObjectType) choices.push_back(object(shape));
    return choice(std::move(choices));
  }

  // What expressions keep has to fit beside each other long before they become lexemes.
  std::shared_ptr<const Automaton> counted(std::shared_ptr<const Automaton> automaton) {
    states_ += automaton->states.size();
    require(states_ <= limits_.total_states,
            "[json_schema] expected patterns and numbers of at most {} states together", limits_.total_states);
    return automaton;
  }

  ExpressionPtr numbers(const Shape& shape) {
    if (const auto automaton = shape_numbers(shape, limits_)) return apart(from_automaton(counted(automaton)));
    return shape.types & kFractionType ? parts_.any_number() : parts_.any_integer();
  }

  ExpressionPtr strings(const Shape& shape) {
    Json said = Json::object();
    for (const char* keyword : {"pattern", "format", "minLength", "maxLength"})
      for (const PlacedSchema& at : shape.all(keyword)) said[keyword].push_back(*at.schema);
    const std::string key = said.dump();
    limits_.spend(key.size());
    ExpressionPtr& known = strings_[key];
    if (!known) known = new_strings(shape_strings(shape, limits_));
    return known;
  }

  ExpressionPtr new_strings(const StringShape& strings) {
    if (strings.content) return JsonParts::quoted(counted(strings.content));
    if (strings.minimum == 0 && strings.maximum < 0) return parts_.any_string();
    if (strings.maximum >= 0 && strings.maximum < strings.minimum) return choice({});
    return parts_.string_of_length(strings.minimum, strings.maximum);
  }

  // ---- lists

  ExpressionPtr array(const Shape& shape) {
    const int32_t minimum = shape_minimum(shape, "minItems"), maximum = shape_maximum(shape, "maxItems");
    if (maximum >= 0 && maximum < minimum) return choice({});
    size_t places = 0;
    for (const PlacedSchema& prefix : shape.all("prefixItems")) {
      require(prefix.schema->is_array(), "[json_schema] expected a list of schemas at '{}'", prefix.place());
      places = std::max(places, prefix.schema->size());
    }
    const auto item = [&](size_t index) { return sequence({parts_.space(), value(item_schemas(shape, index))}); };
    // From the last place to the first: `rest` is what may follow when `index` items stand there.
    const auto first = int32_t(std::max<size_t>(places, 1));
    ExpressionPtr rest = sequence({});
    if (maximum < 0 || maximum > first)
      rest =
          repeat(behind_comma(item(places)), std::max(0, minimum - first), maximum < 0 ? kUnbounded : maximum - first);
    for (auto index = first - 1; index >= 0; --index) {
      const int32_t rule = builder_.add_rule();
      std::vector<ExpressionPtr> choices;
      if (index >= minimum) choices.push_back(sequence({}));
      const ExpressionPtr next = sequence({item(size_t(index)), rest});
      if (maximum < 0 || index < maximum) choices.push_back(index == 0 ? next : behind_comma(next));
      builder_.define(rule, choice(std::move(choices)));
      rest = rule_reference(rule);
    }
    return parts_.bracketed("[", rest, "]");
  }

  static Conjunction item_schemas(const Shape& shape, size_t index) {
    Conjunction result;
    for (const PlacedSchema& schema : shape.schemas) {
      if (schema.schema->contains("prefixItems") && index < schema.schema->at("prefixItems").size()) {
        result.push_back(schema.at("prefixItems").at(index));
      } else if (schema.schema->contains("items")) {
        const PlacedSchema items = schema.at("items");
        require(!items.schema->is_array(),
                "[json_schema] a list at '{}' is not supported: since 2020-12 it is called "
                "prefixItems",
                items.place());
        result.push_back(items);
      }
    }
    return result;
  }

  // ---- objects

  static const Json& object_at(const PlacedSchema& at) {
    require(at.schema->is_object(), "[json_schema] expected an object at '{}', got {}", at.place(),
            at.schema->type_name());
    return *at.schema;
  }

  struct Names {
    std::vector<std::string> all;  // declared or required, in the order of the schema
    std::set<std::string> required;
  };
  static Names names_of(const Shape& shape) {
    Names names;
    std::set<std::string> seen;
    const auto add = [&](const std::string& name) {
      if (seen.insert(name).second) names.all.push_back(name);
    };
    for (const PlacedSchema& properties : shape.all("properties"))
      for (const auto& [name, schema] : object_at(properties).items()) add(name);
    for (const PlacedSchema& required : shape.all("required")) {
      require(required.schema->is_array(), "[json_schema] expected a list of names at '{}'", required.place());
      for (const Json& name : *required.schema) {
        require(name.is_string(), "[json_schema] expected a list of names at '{}'", required.place());
        add(name.get<std::string>());
        names.required.insert(name.get<std::string>());
      }
    }
    require(names.all.size() <= kMostNames, "[json_schema] expected an object of at most {} names", kMostNames);
    return names;
  }

  struct KeyPattern {
    size_t owner;  // the schema in the shape
    std::shared_ptr<const Automaton> keys;
    PlacedSchema schema;
  };
  std::vector<KeyPattern> key_patterns(const Shape& shape) {
    std::vector<KeyPattern> result;
    for (size_t owner = 0; owner < shape.schemas.size(); ++owner) {
      if (!shape.schemas[owner].schema->contains("patternProperties")) continue;
      const PlacedSchema patterns = shape.schemas[owner].at("patternProperties");
      for (const auto& [pattern, schema] : object_at(patterns).items()) {
        require(result.size() < kMostPatterns, "[json_schema] expected at most {} patterns at '{}'", kMostPatterns,
                patterns.place());
        result.push_back(
            {owner, compile_regex(pattern, RegexMatch::search, Encoding::json_string, limits_), patterns.at(pattern)});
      }
    }
    for (size_t i = 0; i < result.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        require(is_empty(*intersection(*result[i].keys, *result[j].keys, limits_)),
                "[json_schema] patternProperties that can match one name both are not supported: '{}' and '{}'",
                result[j].schema.place(), result[i].schema.place());
    return result;
  }

  // What a member of this name must satisfy.
  Conjunction member_schemas(const Shape& shape, const std::string& name, const std::vector<KeyPattern>& patterns) {
    Conjunction result;
    for (size_t owner = 0; owner < shape.schemas.size(); ++owner) {
      const PlacedSchema& schema = shape.schemas[owner];
      bool is_known = false;
      if (schema.schema->contains("properties") && schema.schema->at("properties").contains(name)) {
        is_known = true;
        result.push_back(schema.at("properties").at(name));
      }
      for (const KeyPattern& pattern : patterns)
        if (pattern.owner == owner && Lexer(pattern.keys, limits_).matches(json_content(name))) {
          is_known = true;
          result.push_back(pattern.schema);
        }
      if (!is_known && schema.schema->contains("additionalProperties"))
        result.push_back(schema.at("additionalProperties"));
    }
    return result;
  }

  // Members that are not declared; choice({}) if there can be none.
  ExpressionPtr extra_member(const Shape& shape, const Names& names, const std::vector<KeyPattern>& patterns) {
    std::vector<ExpressionPtr> declared;
    for (const std::string& name : names.all) declared.push_back(literal(json_content(name)));
    const auto name_set = build_automaton(*choice(std::move(declared)), limits_);
    const auto additional = [&](size_t but) {
      Conjunction result;
      for (size_t owner = 0; owner < shape.schemas.size(); ++owner)
        if (owner != but && shape.schemas[owner].schema->contains("additionalProperties"))
          result.push_back(shape.schemas[owner].at("additionalProperties"));
      return result;
    };
    std::vector<ExpressionPtr> members;
    for (const KeyPattern& pattern : patterns) {
      const auto keys = difference(*pattern.keys, *name_set, limits_);
      Conjunction schemas = additional(pattern.owner);
      schemas.push_back(pattern.schema);
      if (!is_empty(*keys)) members.push_back(parts_.member(JsonParts::quoted(counted(keys)), value(schemas)));
    }
    const Conjunction rest = additional(SIZE_MAX);
    const bool has_rest = std::none_of(rest.begin(), rest.end(), [](auto& part) { return *part.schema == false; });
    if (has_rest) {
      ExpressionPtr key = parts_.any_string();
      if (!names.all.empty() || !patterns.empty()) {
        ExpressionPtr& known = other_keys_[names.all];
        if (!known || !patterns.empty()) {
          auto keys =
              difference(*build_automaton(*repeat(shortest_character(), 0, kUnbounded), limits_), *name_set, limits_);
          for (const KeyPattern& pattern : patterns) keys = difference(*keys, *pattern.keys, limits_);
          key = JsonParts::quoted(counted(keys));
          if (patterns.empty()) known = key;
        } else {
          key = known;
        }
      }
      members.push_back(parts_.member(key, value(rest)));
    }
    return choice(std::move(members));
  }

  ExpressionPtr object(const Shape& shape) {
    const Names names = names_of(shape);
    const std::vector<KeyPattern> patterns = key_patterns(shape);
    const ExpressionPtr extra = extra_member(shape, names, patterns);
    const int32_t maximum = member_bounds(shape, names, extra);
    // With `rest`, what may follow behind a member, and `begin`, what may stand at the beginning, from the last name to
    // the first. They are rules, since both go into what is before them.
    ExpressionPtr rest = repeat(behind_comma(extra), 0, maximum < 0 ? kUnbounded : std::max(0, maximum - 1));
    ExpressionPtr begin = maximum == 0 ? sequence({}) : optional(sequence({extra, rest}));
    for (size_t i = names.all.size(); i-- > 0;) {
      const std::string& name = names.all[i];
      const ExpressionPtr one =
          parts_.member(literal("\"" + json_content(name) + "\""), value(member_schemas(shape, name, patterns)));
      const int32_t with_rule = builder_.add_rule(), begin_rule = builder_.add_rule();
      std::vector<ExpressionPtr> behind = {behind_comma(sequence({one, rest}))}, first = {sequence({one, rest})};
      if (!names.required.contains(name)) {
        behind.push_back(rest);
        first.push_back(begin);
      }
      builder_.define(with_rule, choice(std::move(behind)));
      builder_.define(begin_rule, choice(std::move(first)));
      rest = rule_reference(with_rule);
      begin = rule_reference(begin_rule);
    }
    return parts_.bracketed("{", begin, "}");
  }

  // Checks minProperties and maxProperties; the most members that are offered, or -1. The same name may come twice, so
  // that members counted are not members had: a minimum holds only where it asks for no more than `required` does.
  int32_t member_bounds(const Shape& shape, const Names& names, const ExpressionPtr& extra) {
    const int32_t minimum = shape_minimum(shape, "minProperties"), maximum = shape_maximum(shape, "maxProperties");
    const std::string place = shape.schemas.empty() ? "#" : shape.schemas[0].place();
    require(minimum <= int32_t(names.required.size()),
            "[json_schema] 'minProperties' at '{}' is supported only where 'required' asks for as many", place);
    const bool is_closed = extra->kind == Expression::Kind::choice && extra->parts.empty();
    if (maximum < 0 || (is_closed && maximum >= int32_t(names.all.size()))) return -1;
    require(names.all.empty(), "[json_schema] 'maxProperties' at '{}' is not supported beside 'properties'", place);
    return maximum;
  }

  // ---- oneOf

  bool are_apart(const Shape& a, const Shape& b, int depth) {
    uint32_t common = a.types & b.types;
    if (common == 0) return true;
    require(++comparisons_ <= kMostComparisons, "[json_schema] 'oneOf' has too many alternatives to compare");
    const auto first = shape_constants(a, limits_), second = shape_constants(b, limits_);
    if (first && second)
      return std::none_of(first->begin(), first->end(), [&](const Json* x) {
        return std::any_of(second->begin(), second->end(), [&](const Json* y) { return same_value(*x, *y, limits_); });
      });
    if (first || second) {
      uint32_t types = 0;  // of the constants
      for (const Json* value : first ? *first : *second) types |= type_of(*value);
      common &= types;
      if ((common & (kArrayType | kObjectType)) == 0) {  // which of them does the other shape take?
        Shape both = {common, a.schemas};
        both.schemas.insert(both.schemas.end(), b.schemas.begin(), b.schemas.end());
        return shape_constants(both, limits_)->empty();
      }
    }
    if (common & (kNullType | kBooleanType | kArrayType)) return false;
    if ((common & kNumberTypes) && !apart_languages(shape_numbers(a, limits_), shape_numbers(b, limits_))) return false;
    if ((common & kStringType) && !apart_strings(a, b)) return false;
    return (common & kObjectType) == 0 || apart_objects(a, b, depth);
  }

  bool apart_languages(const std::shared_ptr<const Automaton>& a, const std::shared_ptr<const Automaton>& b) {
    return a && b && is_empty(*intersection(*a, *b, limits_));
  }

  bool apart_strings(const Shape& a, const Shape& b) {
    const StringShape first = shape_strings(a, limits_), second = shape_strings(b, limits_);
    if ((first.maximum >= 0 && first.maximum < second.minimum) ||
        (second.maximum >= 0 && second.maximum < first.minimum))
      return true;
    return apart_languages(first.content, second.content);
  }

  // Two objects have nothing in common if a member that one needs cannot be the other's.
  bool apart_objects(const Shape& a, const Shape& b, int depth) {
    if (depth == 0) return false;
    const Names first = names_of(a), second = names_of(b);
    const auto first_patterns = key_patterns(a), second_patterns = key_patterns(b);
    for (const std::string& name : first.all) {
      const bool in_first = first.required.contains(name), in_second = second.required.contains(name);
      if (!in_first && !in_second) continue;
      const auto left = reader_.shapes(member_schemas(a, name, first_patterns));
      const auto right = reader_.shapes(member_schemas(b, name, second_patterns));
      const bool share = std::any_of(left.begin(), left.end(), [&](const Shape& x) {
        return std::any_of(right.begin(), right.end(), [&](const Shape& y) { return !are_apart(x, y, depth - 1); });
      });
      if (!share) return true;
    }
    for (const std::string& name : second.required)
      if (std::find(first.all.begin(), first.all.end(), name) == first.all.end() &&
          reader_.shapes(member_schemas(a, name, first_patterns)).empty())
        return true;
    return false;
  }

  const Json& root_;
  const CountedLimits limits_;
  JsonParts parts_;
  GrammarBuilder& builder_;
  SchemaReader reader_;
  std::map<std::vector<const Json*>, Value> values_;
  std::map<std::string, ExpressionPtr> strings_;                  // by what is said of them
  std::map<const Json*, ExpressionPtr> constants_;                // of the schema; many shapes may list the same ones
  std::map<std::vector<std::string>, ExpressionPtr> other_keys_;  // by the declared names
  int level_ = 0;
  int comparisons_ = 0;
  uint64_t states_ = 0;
};

// A whole number of more than 64 bits was rounded when it was read: what the schema wanted is not known any more.
void require_kept_numbers(const Json& value) {
  if (value.is_number_float())
    require(std::abs(value.get<double>()) < 0x1p63, "[json_schema] expected numbers below 2^63, got {}", value.dump());
  if (value.is_structured())
    for (const Json& part : value) require_kept_numbers(part);
}

}  // namespace

Grammar json_schema_grammar(std::span<const MarkedSchema> kinds, const JsonSchemaOptions& options,
                            const GrammarLimits& limits) {
  size_t size = 0;
  for (const MarkedSchema& kind : kinds) size += kind.schema.dump().size();
  require(size <= limits.source_bytes, "[json_schema] expected a schema of at most {} bytes, got {}",
          limits.source_bytes, size);
  const CountedLimits counted(limits);
  GrammarBuilder builder(counted);
  const int32_t start = builder.add_rule();
  std::vector<ExpressionPtr> choices;
  for (const MarkedSchema& kind : kinds) {
    require_kept_numbers(kind.schema);
    const ExpressionPtr value = SchemaCompiler(kind.schema, options, counted, builder).run();
    const ExpressionPtr one = sequence({literal(kind.before), value, literal(kind.behind)});
    choices.push_back(kind.repeats ? sequence({one, repeat(sequence({literal("\n"), one}), 0, kUnbounded)}) : one);
  }
  builder.define(start, choice(std::move(choices)));
  return builder.compile(start);
}

Grammar json_schema_grammar(const Json& schema, const JsonSchemaOptions& options, const GrammarLimits& limits) {
  return json_schema_grammar(std::array{MarkedSchema{schema, "", ""}}, options, limits);
}

Grammar json_schema_grammar(std::string_view schema, const JsonSchemaOptions& options, const GrammarLimits& limits) {
  return json_schema_grammar(parse_json(schema, "json_schema", {.bytes = limits.source_bytes, .depth = limits.nesting}),
                             options, limits);
}

Grammar json_grammar(const JsonSchemaOptions& options, const GrammarLimits& limits) {
  return json_schema_grammar(Json(true), options, limits);
}

}  // namespace fude::grammar
