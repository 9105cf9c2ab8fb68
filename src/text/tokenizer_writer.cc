// tokenizer.json, written: with every entry and merge spelled out in the byte-level alphabet, so that Hugging Face's
// library reads it; what it says beyond TokenizerData is the neutral value of its key.
#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/byte_names.h"
#include "text/tokenizer_file.h"
#include "text/unicode.h"

namespace fude {
namespace {

Json step_json(const SplitStep& step) {
  if (step.kind != SplitStep::Kind::pattern)
    return {{"type", "Digits"}, {"individual_digits", step.kind == SplitStep::Kind::each_digit}};
  return {{"type", "Split"}, {"pattern", {{"Regex", step.pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}

Json byte_level(bool prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", prefix_space}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json pre_tokenizer_json(const TokenizerData& data) {
  std::vector<SplitStep> steps = data.steps;
  const bool gpt2_last =
      !steps.empty() && steps.back() == SplitStep{SplitStep::Kind::pattern, std::string(named_pattern("gpt2"))};
  if (gpt2_last) steps.pop_back();
  Json last = byte_level(data.prefix_space, gpt2_last);
  if (steps.empty()) return last;
  Json parts = Json::array();
  for (const SplitStep& step : steps) parts.push_back(step_json(step));
  parts.push_back(std::move(last));
  return {{"type", "Sequence"}, {"pretokenizers", parts}};
}

}  // namespace

std::string tokenizer_json(const TokenizerData& data) {
  const auto& tokens = data.vocabulary.tokens;
  std::vector<std::string> names(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) names[id] = name_of_bytes(tokens[id]);
  Json added = Json::array();
  for (const AddedToken& token : data.added) {
    require(is_valid_utf8(token.content), "[tokenizer_json] the added token {} is not valid UTF-8", token.id);
    if (size_t(token.id) >= names.size()) names.resize(size_t(token.id) + 1);
    names[size_t(token.id)] = token.content;
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", token.single_word},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", token.normalized},
                     {"special", token.special}});
  }
  // Pushing in order of id; the object keeps it and does not search for duplicates, which the ids exclude.
  Json vocab = Json::object();
  auto& entries = vocab.get_ref<Json::object_t&>();
  entries.reserve(names.size());
  for (size_t id = 0; id < names.size(); ++id)
    if (!names[id].empty()) static_cast<std::vector<Json::object_t::value_type>&>(entries).emplace_back(names[id], id);
  Json merges = Json::array();
  for (const Merge& merge : data.vocabulary.merges)
    merges.push_back(Json::array({names[size_t(merge.left)], names[size_t(merge.right)]}));
  const TokenId unknown = data.vocabulary.unknown;
  const Json file = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", data.nfc ? Json{{"type", "NFC"}} : Json(nullptr)},
      {"pre_tokenizer", pre_tokenizer_json(data)},
      {"post_processor", nullptr},
      {"decoder", byte_level(true, true)},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", unknown == kNoToken ? Json(nullptr) : Json(names[size_t(unknown)])},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", data.vocabulary.fuse_unknown},
        {"byte_fallback", false},
        {"ignore_merges", data.vocabulary.whole_pieces},
        {"vocab", std::move(vocab)},
        {"merges", std::move(merges)}}},
  };
  return file.dump(1, ' ') + "\n";
}

void save_tokenizer(const std::string& folder, const TokenizerData& data, const std::string& end_of_text,
                    const std::string& chat_template) {
  const bool known =
      end_of_text.empty() || std::any_of(data.added.begin(), data.added.end(),
                                         [&](const AddedToken& token) { return token.content == end_of_text; });
  require(known, "[save_tokenizer] the end-of-text token '{}' is not among the added tokens", end_of_text);
  require(is_valid_utf8(chat_template), "[save_tokenizer] the chat template is not valid UTF-8");
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  config["add_prefix_space"] = data.prefix_space;
  config["eos_token"] = end_of_text.empty() ? Json(nullptr) : Json(end_of_text);
  if (!chat_template.empty()) config["chat_template"] = chat_template;
  make_directories(folder);
  write_file(folder + "/tokenizer.json", tokenizer_json(data));
  write_file(folder + "/tokenizer_config.json", config.dump(1, ' ') + "\n");
}

}  // namespace fude
