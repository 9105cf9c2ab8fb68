#include "text/chat_template.h"

#include <algorithm>

#include "text/template/machine.h"
#include "text/template/parser.h"

namespace fude {
namespace {

using jinja::Machine;
using jinja::Value;

// Variables that hold special tokens, by the names that transformers gives them.
bool is_token_name(std::string_view name) { return name.ends_with("_token"); }

// Whoever may choose a role may choose among these anyway.
bool is_usual_role(std::string_view role) {
  for (const char* usual :
       {"system", "developer", "user", "assistant", "tool", "function", "ipython", "observation", "model"})
    if (role == usual) return true;
  return false;
}

Value to_value(Machine& machine, const Json& json, bool is_trusted, int depth) {
  machine.require(depth > 0, "the variables are nested too deeply");
  machine.spend();
  switch (json.type()) {
    case Json::value_t::null:
      return jinja::None{};
    case Json::value_t::boolean:
      return json.get<bool>();
    case Json::value_t::number_integer:
      return json.get<int64_t>();
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > uint64_t(INT64_MAX)) return machine.text(json.dump(), is_trusted);
      return json.get<int64_t>();
    case Json::value_t::number_float:
      return json.get<double>();
    case Json::value_t::string:
      return machine.text(json.get_ref<const std::string&>(), is_trusted);
    case Json::value_t::array: {
      std::vector<Value> items;
      for (const Json& item : json) items.push_back(to_value(machine, item, is_trusted, depth - 1));
      return machine.list(std::move(items));
    }
    case Json::value_t::object: {
      std::vector<std::pair<Value, Value>> items;
      for (const auto& [key, value] : json.items())
        items.emplace_back(machine.text(key, is_trusted), to_value(machine, value, is_trusted, depth - 1));
      return machine.dict(std::move(items));
    }
    default:
      machine.fail("the variables hold what is no JSON");
  }
}

Value message_value(Machine& machine, const Json& message, int depth) {
  if (!message.is_object()) return to_value(machine, message, false, depth);
  std::vector<std::pair<Value, Value>> items;
  for (const auto& [key, value] : message.items()) {
    const bool is_trusted = key == "role" && value.is_string() && is_usual_role(value.get_ref<const std::string&>());
    items.emplace_back(machine.text(key, false), to_value(machine, value, is_trusted, depth - 1));
  }
  return machine.dict(std::move(items));
}

Value variable_value(Machine& machine, const std::string& name, const Json& json, int depth) {
  if (name != "messages" || !json.is_array()) return to_value(machine, json, is_token_name(name), depth);
  std::vector<Value> messages;
  for (const Json& message : json) messages.push_back(message_value(machine, message, depth - 1));
  return machine.list(std::move(messages));
}

}  // namespace

Json template_variables(const Conversation& conversation) {
  Json variables = {{"messages", conversation.messages},
                    {"tools", conversation.tools},
                    {"documents", nullptr},
                    {"add_generation_prompt", conversation.add_generation_prompt},
                    {"bos_token", conversation.bos_token},
                    {"eos_token", conversation.eos_token}};
  for (const auto& [name, value] : conversation.more.items()) variables[name] = value;
  return variables;
}

ChatTemplate::ChatTemplate(std::string_view source, TemplateLimits limits)
    : program_(std::make_shared<const jinja::Program>(jinja::parse(source, limits))), limits_(limits) {}

jinja::Text ChatTemplate::rendered(const Json& variables) const {
  require(variables.is_object(), "[chat_template] expected the variables as a JSON object, got {}",
          variables.type_name());
  Machine machine(*program_, limits_);
  std::map<int, Value> values;
  for (size_t i = 0; i < program_->names.size(); ++i) {
    const std::string& name = program_->names[i];
    const auto found = variables.find(name);
    if (found != variables.end()) values[int(i)] = variable_value(machine, name, *found, limits_.value_nesting);
  }
  return machine.run(std::move(values));
}

std::string ChatTemplate::render(const Json& variables) const { return rendered(variables).bytes; }

std::vector<TextPiece> ChatTemplate::render_pieces(const Json& variables) const {
  const jinja::Text text = rendered(variables);
  std::vector<TextPiece> pieces;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.trust.find(text.trust[begin] ? '\0' : '\1', begin), text.size());
    pieces.push_back({text.bytes.substr(begin, end - begin), text.trust[begin] != 0});
    begin = end;
  }
  return pieces;
}

}  // namespace fude
