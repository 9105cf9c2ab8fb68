// tokenizer_config.json, chat_template.jinja and generation_config.json (or config.json in its place): what a folder
// says beside tokenizer.json about whole sequences and chats.
#include <algorithm>
#include <unordered_set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

constexpr uint64_t kConfigBytes = 64 << 20;
constexpr size_t kMostEnds = 1024;

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

// "eos_token_id" is one id or a list. What has no entry is left out.
void add_ends(const std::string& path, TokenizerData& data) {
  const Json config = parse_json(read_file(path, kConfigBytes), path);
  const Json* ids = json_member(config, "eos_token_id", path);
  if (ids == nullptr) return;
  require(ids->size() <= kMostEnds, "[{}] expected at most {} ids at 'eos_token_id', got {}", path, kMostEnds,
          ids->size());
  const Json list = ids->is_array() ? *ids : Json::array({*ids});
  std::unordered_set<int64_t> added, known(data.end_tokens.begin(), data.end_tokens.end());
  for (const AddedToken& token : data.added) added.insert(token.id);
  const auto is_entry = [&](int64_t id) {
    const auto& tokens = data.vocabulary.tokens;
    return (id >= 0 && id < int64_t(tokens.size()) && !tokens[size_t(id)].empty()) || added.contains(id);
  };
  for (const Json& value : list) {
    require(value.is_number_integer(), "[{}] expected whole numbers at 'eos_token_id', got {}", path, value.dump());
    const auto id = value.get<int64_t>();
    if (is_entry(id) && known.insert(id).second) data.end_tokens.push_back(TokenId(id));
  }
}

}  // namespace

void read_tokenizer_config(const std::string& folder, TokenizerData& data) {
  const std::string path = folder + "/tokenizer_config.json", chat = folder + "/chat_template.jinja",
                    generation = folder + "/generation_config.json", model = folder + "/config.json";
  if (file_exists(path)) {
    const Json config = parse_json(read_file(path, kConfigBytes), path);
    if (const TokenId begin = token_of(config, "bos_token", path, data); begin != kNoToken) data.begin_token = begin;
    if (const TokenId end = token_of(config, "eos_token", path, data); end != kNoToken) data.end_tokens = {end};
    data.padding_token = token_of(config, "pad_token", path, data);
    data.prepends_begin = json_boolean(config, "add_bos_token", path, data.prepends_begin);
    data.appends_end = json_boolean(config, "add_eos_token", path, data.appends_end);
    data.chat_template = template_of(config, path);
  }
  if (file_exists(chat)) data.chat_template = read_file(chat, kConfigBytes);
  // As transformers, which makes the one of the other where it is missing.
  if (file_exists(generation))
    add_ends(generation, data);
  else if (file_exists(model))
    add_ends(model, data);
  // A flag without its token says nothing.
  data.prepends_begin = data.prepends_begin && data.begin_token != kNoToken;
  data.appends_end = data.appends_end && !data.end_tokens.empty();
}

}  // namespace fude
