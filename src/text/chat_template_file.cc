#include "text/chat_template_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/template/limits.h"

namespace fude {
namespace {

constexpr uint64_t kLargestConfig = uint64_t(64) << 20;

// A token is its content, or an object that has it.
std::string token_content(const Json& config, const char* key, const std::string& where) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return {};
  return found->is_object() ? json_string(*found, "content", where) : json_string(config, key, where);
}

std::string chosen_template(const Json& config, const std::string& name, const std::string& where) {
  const auto found = config.find("chat_template");
  if (found == config.end() || !found->is_array()) return json_string(config, "chat_template", where, "");
  for (const Json& entry : *found)
    if (json_string(entry, "name", where) == name) return json_string(entry, "template", where);
  fail("[{}] expected a chat template named '{}', there is none", where, name);
}

}  // namespace

ChatTemplateFile read_chat_template(const std::string& folder, const std::string& name) {
  ChatTemplateFile out;
  const std::string config_path = folder + "/tokenizer_config.json", source_path = folder + "/chat_template.jinja";
  const bool has_source = file_exists(source_path);
  if (has_source) out.source = read_file(source_path, TemplateLimits().source_bytes);
  if (!file_exists(config_path)) return out;
  const Json config = parse_json(read_file(config_path, kLargestConfig), config_path);
  require(config.is_object(), "[{}] expected a JSON object, got {}", config_path, config.type_name());
  out.bos_token = token_content(config, "bos_token", config_path);
  out.eos_token = token_content(config, "eos_token", config_path);
  if (!has_source) out.source = chosen_template(config, name, config_path);
  return out;
}

}  // namespace fude
