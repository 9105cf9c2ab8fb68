// tokenizer_config.json: what a folder says beside tokenizer.json about whole sequences and chats.
#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/tokenizer_file.h"
#include "text/tokenizer_steps.h"

namespace fude {
namespace {

// A special token stands as its content, or as an object with it. kNoToken if there is none, or no such entry.
TokenId token_of(const Json& config, const char* key, std::string_view where, const TokenizerData& data) {
  const Json* value = json_member(config, key, where);
  if (value == nullptr) return kNoToken;
  const std::string content =
      value->is_object() ? json_string(*value, "content", where) : json_string(config, key, where);
  for (const AddedToken& token : data.added)
    if (token.content == content) return token.id;
  const auto& tokens = data.vocabulary.tokens;
  const auto found = std::find(tokens.begin(), tokens.end(), content);
  return content.empty() || found == tokens.end() ? kNoToken : TokenId(found - tokens.begin());
}

// One template, or a list of them with names, of which "default" is meant.
std::string template_of(const Json& config, std::string_view where) {
  const Json* value = json_member(config, "chat_template", where);
  if (value == nullptr) return {};
  if (!value->is_array()) return json_string(config, "chat_template", where);
  for (const Json& named : *value)
    if (json_string(named, "name", where) == "default") return json_string(named, "template", where);
  return {};
}

}  // namespace

void read_tokenizer_config(const std::string& folder, TokenizerData& data) {
  constexpr uint64_t kLimit = 64 << 20;
  const std::string path = folder + "/tokenizer_config.json", chat = folder + "/chat_template.jinja";
  if (file_exists(path)) {
    const Json config = parse_json(read_file(path, kLimit), path);
    if (const TokenId begin = token_of(config, "bos_token", path, data); begin != kNoToken) data.begin_token = begin;
    if (const TokenId end = token_of(config, "eos_token", path, data); end != kNoToken) data.end_tokens = {end};
    data.prepends_begin = json_boolean(config, "add_bos_token", path, data.prepends_begin);
    data.appends_end = json_boolean(config, "add_eos_token", path, data.appends_end);
    data.chat_template = template_of(config, path);
  }
  if (file_exists(chat)) data.chat_template = read_file(chat, kLimit);
}

}  // namespace fude
