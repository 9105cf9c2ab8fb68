// tokenizer.json, written: with every entry and merge spelled out (bytes in the byte-level alphabet), so that Hugging
// Face's library reads it; what it says beyond TokenizerData is the neutral value of its key.
#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/json.h"
#include "text/byte_names.h"
#include "text/tokenizer_file.h"
#include "text/tokenizer_steps.h"
#include "text/unicode.h"

namespace fude {
namespace {

// The content of an added token; of another entry its text, nothing if that is not UTF-8.
std::string text_of(const TokenizerData& data, TokenId id) {
  for (const AddedToken& token : data.added)
    if (token.id == id) return token.content;
  const auto& tokens = data.vocabulary.tokens;
  const bool is_text = id >= 0 && size_t(id) < tokens.size() && is_valid_utf8(tokens[size_t(id)]);
  return is_text ? tokens[size_t(id)] : "";
}

// How the vocabulary calls its entries, by id. Of an added token that is its content, unless another entry is called so
// or merges call this one by its bytes: then an entry keeps the name of its bytes, and a token that is no entry is in
// the list of added tokens only.
std::vector<std::string> names_of(const TokenizerData& data) {
  std::vector<std::string> names = data.vocabulary.tokens;
  std::unordered_map<std::string, size_t> ids;
  for (size_t id = 0; id < names.size(); ++id) {
    if (data.vocabulary.kind == Vocabulary::Kind::bytes) names[id] = name_of_bytes(names[id]);
    if (names[id].empty() || data.vocabulary.kind == Vocabulary::Kind::unigram) continue;
    const auto [place, is_new] = ids.emplace(names[id], id);
    require(is_new, "[tokenizer_json] the ids {} and {} have the same name", place->second, id);
  }
  std::vector<bool> is_merged(names.size());
  for (const Merge& merge : data.vocabulary.merges)
    for (const TokenId id : {merge.left, merge.right, merge.result}) is_merged[size_t(id)] = true;
  for (const AddedToken& token : data.added) {
    const size_t id = size_t(token.id);
    if (id >= names.size()) names.resize(id + 1), is_merged.resize(id + 1);
    if (is_merged[id] || !ids.emplace(token.content, id).second) continue;
    ids.erase(names[id]);
    names[id] = token.content;
  }
  return names;
}

// What HF's library does around a text, if the tokenizer says that something stands there.
Json post_processor_json(const TokenizerData& data) {
  Json parts = Json::array({{{"Sequence", {{"id", "A"}, {"type_id", 0}}}}});
  Json specials = Json::object();
  const auto special = [&](TokenId id) {
    const std::string name = text_of(data, id);
    specials[name] = {{"id", name}, {"ids", {id}}, {"tokens", {name}}};
    return Json{{"SpecialToken", {{"id", name}, {"type_id", 0}}}};
  };
  if (data.prepends_begin && data.begin_token != kNoToken) parts.insert(parts.begin(), special(data.begin_token));
  if (data.appends_end && !data.end_tokens.empty()) parts.push_back(special(data.end_tokens[0]));
  if (specials.empty()) return nullptr;
  return {{"type", "TemplateProcessing"}, {"single", parts}, {"pair", parts}, {"special_tokens", specials}};
}

Json model_json(const TokenizerData& data, const std::vector<std::string>& names) {
  const Vocabulary& vocabulary = data.vocabulary;
  const TokenId unknown = vocabulary.unknown;
  if (vocabulary.kind == Vocabulary::Kind::unigram) {
    Json vocab = Json::array();
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id)
      vocab.push_back(Json::array({vocabulary.tokens[id], vocabulary.scores[id]}));
    return {{"type", "Unigram"},
            {"unk_id", unknown == kNoToken ? Json(nullptr) : Json(unknown)},
            {"vocab", std::move(vocab)},
            {"byte_fallback", vocabulary.byte_fallback}};
  }
  // Pushing in order of id; the object keeps it and does not search for duplicates, of which there are none.
  Json vocab = Json::object();
  auto& entries = vocab.get_ref<Json::object_t&>();
  entries.reserve(names.size());
  for (size_t id = 0; id < names.size(); ++id)
    if (!names[id].empty()) static_cast<std::vector<Json::object_t::value_type>&>(entries).emplace_back(names[id], id);
  Json merges = Json::array();
  for (const Merge& merge : vocabulary.merges)
    merges.push_back(Json::array({names[size_t(merge.left)], names[size_t(merge.right)]}));
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", unknown == kNoToken ? Json(nullptr) : Json(names[size_t(unknown)])},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", vocabulary.fuse_unknown},
          {"byte_fallback", vocabulary.byte_fallback},
          {"ignore_merges", vocabulary.whole_pieces},
          {"vocab", std::move(vocab)},
          {"merges", std::move(merges)}};
}

}  // namespace

std::string tokenizer_json(const TokenizerData& data) {
  const std::vector<std::string> names = names_of(data);
  Json added = Json::array();
  for (const AddedToken& token : data.added) {
    require(is_valid_utf8(token.content), "[tokenizer_json] the added token {} is not valid UTF-8", token.id);
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", token.single_word},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", token.normalized},
                     {"special", token.special}});
  }
  const Json file = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", normalizer_json(data)},
      {"pre_tokenizer", pre_tokenizer_json(data)},
      {"post_processor", post_processor_json(data)},
      {"decoder", decoder_json(data)},
      {"model", model_json(data, names)},
  };
  return file.dump(1, ' ') + "\n";
}

Json begin_and_ends(const TokenizerData& data) {
  Json json = Json::object();
  if (data.begin_token != kNoToken) json["bos_token_id"] = data.begin_token;
  if (data.end_tokens.size() == 1) json["eos_token_id"] = data.end_tokens[0];
  if (data.end_tokens.size() > 1) json["eos_token_id"] = data.end_tokens;
  return json;
}

FolderFiles tokenizer_files(const TokenizerData& data, const std::string& end_of_text,
                            const std::string& chat_template) {
  const bool known =
      end_of_text.empty() || std::any_of(data.added.begin(), data.added.end(),
                                         [&](const AddedToken& token) { return token.content == end_of_text; });
  require(known, "[tokenizer_files] the end-of-text token '{}' is not among the added tokens", end_of_text);
  const std::string& chat = chat_template.empty() ? data.chat_template : chat_template;
  require(is_valid_utf8(chat), "[tokenizer_files] the chat template is not valid UTF-8");
  const auto content_of = [&](TokenId id) {
    const std::string text = text_of(data, id);
    return text.empty() ? Json(nullptr) : Json(text);
  };
  const Json own_end = data.end_tokens.empty() ? Json(nullptr) : content_of(data.end_tokens[0]);
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  config["add_prefix_space"] = data.prefix_space != PrefixSpace::never;
  if (data.begin_token != kNoToken) config["bos_token"] = content_of(data.begin_token);
  config["eos_token"] = end_of_text.empty() ? own_end : Json(end_of_text);
  // Of an ordinary entry transformers would make an added token, found in any text.
  const TokenId unknown = data.vocabulary.unknown;
  if (std::ranges::any_of(data.added, [=](const AddedToken& token) { return token.id == unknown; }))
    config["unk_token"] = content_of(unknown);
  if (data.padding_token != kNoToken) config["pad_token"] = content_of(data.padding_token);
  if (data.prepends_begin) config["add_bos_token"] = true;
  if (data.appends_end) config["add_eos_token"] = true;
  if (!chat.empty()) config["chat_template"] = chat;
  const bool has_own_ends = end_of_text.empty() && !data.end_tokens.empty();
  FolderFiles files = {{"chat_template.jinja", std::nullopt}, {"generation_config.json", std::nullopt}};
  if (has_own_ends) files["generation_config.json"] = begin_and_ends(data).dump(2) + "\n";
  files["tokenizer.json"] = tokenizer_json(data);
  files["tokenizer_config.json"] = config.dump(1, ' ') + "\n";
  return files;
}

void save_tokenizer(const std::string& folder, const TokenizerData& data, const std::string& end_of_text,
                    const std::string& chat_template) {
  write_files(folder, tokenizer_files(data, end_of_text, chat_template));
}

}  // namespace fude
