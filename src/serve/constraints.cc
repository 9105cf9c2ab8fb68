#include "serve/constraints.h"

#include <algorithm>

#include "serve/api_error.h"

namespace fude {
namespace {

// What a client may make the server spend on one schema: a fraction of what the command line allows its user.
constexpr grammar::GrammarLimits kGrammarLimits = {.source_bytes = 1 << 18,
                                                   .automaton_states = 1 << 18,
                                                   .symbols = 1 << 16,
                                                   .total_states = 1 << 19,
                                                   .lexer_work = 10'000'000,
                                                   .stack_nodes = 1 << 19,
                                                   .mask_steps = 8'000'000,
                                                   .mask_bytes = uint64_t(32) << 20};

bool has_schemas_by_name(const std::string& key) {
  return key == "properties" || key == "patternProperties" || key == "$defs" || key == "definitions";
}

// Behind the members that are there, none of which has this key: the library would look through all of them.
Json& added(Json& object, const std::string& key, Json value) {
  std::vector<Json::object_t::value_type>& members = object.get_ref<Json::object_t&>();
  return members.emplace_back(key, std::move(value)).second;
}

// A schema that becomes part of another: its references go to where it stands now. Values are not schemas, and names
// that a client chose are not keywords.
Json moved_to(const Json& schema, const std::string& place) {
  if (schema.is_array()) {
    Json list = Json::array();
    for (const Json& item : schema) list.push_back(moved_to(item, place));
    return list;
  }
  if (!schema.is_object()) return schema;
  Json object = Json::object();
  for (const auto& [key, value] : schema.items()) {
    if (key == "$ref" && value.is_string() && value.get_ref<const std::string&>().starts_with('#')) {
      added(object, key, "#" + place + value.get<std::string>().substr(1));
    } else if (key == "const" || key == "enum" || key == "default" || key == "examples") {
      added(object, key, value);
    } else if (has_schemas_by_name(key) && value.is_object()) {
      Json& named = added(object, key, Json::object());
      for (const auto& [name, part] : value.items()) added(named, name, moved_to(part, place));
    } else {
      added(object, key, moved_to(value, place));
    }
  }
  return object;
}

// A tool's parameters as the schema at `place`. Its calls have an object there, whatever else the schema allows.
Json arguments_schema(const ChatTool& tool, const std::string& place) {
  Json schema = moved_to(tool.parameters, place);
  for (const char* key : {"$id", "id"}) schema.erase(key);  // these stand at a root only
  const Json object = "object";
  if (!schema.contains("type")) schema["type"] = object;
  Json& type = schema["type"];
  if (type != object && !(type.is_array() && std::find(type.begin(), type.end(), object) != type.end()))
    throw ApiError(400,
                   fmt::format("[request] parameters of a function have to be an object, those of '{}' are of type {}",
                               tool.name, type.dump(-1, ' ', true, Json::error_handler_t::replace)),
                   "tools", "invalid_schema");
  type = object;
  return schema;
}

Json schema_of_calls(const ChatRequest& request, AnswerForm::Calls form) {
  const char* arguments_key = form == AnswerForm::Calls::bare ? "parameters" : "arguments";
  Json calls = Json::array();
  for (const ChatTool& tool : request.tools) {
    if (!request.tool.empty() && tool.name != request.tool) continue;
    const std::string place = fmt::format("/anyOf/{}/properties/{}", calls.size(), arguments_key);
    calls.push_back({{"type", "object"},
                     {"properties", {{"name", {{"const", tool.name}}}, {arguments_key, arguments_schema(tool, place)}}},
                     {"required", {"name", arguments_key}},
                     {"additionalProperties", false}});
  }
  return {{"anyOf", std::move(calls)}};
}

}  // namespace

std::vector<grammar::MarkedSchema> kinds_of_answer(const ChatRequest& request, AnswerForm::Calls calls) {
  using Format = ChatRequest::Format;
  if (request.must_call()) return {{schema_of_calls(request, calls), "", ""}};  // the prompt ends with the mark
  if (request.format == Format::text) return {};
  std::vector<grammar::MarkedSchema> kinds = {
      {request.format == Format::json_object ? Json{{"type", "object"}} : request.schema, "", ""}};
  if (request.tool_choice == ChatRequest::Choice::none) return kinds;
  const bool is_tagged = calls == AnswerForm::Calls::tagged;
  const std::string open = fmt::format("{}\n", kCallOpen), close = fmt::format("\n{}", kCallClose);
  kinds.push_back({schema_of_calls(request, calls), is_tagged ? open : "", is_tagged ? close : "",
                   is_tagged && request.has_parallel_calls});
  return kinds;
}

Constraint Constraints::find(const std::vector<grammar::MarkedSchema>& kinds) {
  std::string key;
  for (const auto& kind : kinds) key += Json{kind.schema, kind.before, kind.behind, kind.repeats}.dump();
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(kept_, key, &std::pair<std::string, Constraint>::first);
  if (known != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, known);
    if (!known->second.is_worn()) return known->second;
    kept_.pop_front();
  }
  grammar::Grammar compiled = grammar::json_schema_grammar(kinds, {}, kGrammarLimits);
  if (!vocabulary_) vocabulary_ = std::make_shared<const grammar::GrammarVocabulary>(tokenizer_, end_tokens_);
  kept_.emplace_front(key, Constraint(std::move(compiled), vocabulary_));
  if (kept_.size() > kMostKept) kept_.pop_back();
  return kept_.front().second;
}

}  // namespace fude
