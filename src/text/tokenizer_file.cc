#include "text/tokenizer_file.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/byte_names.h"
#include "text/unicode.h"

namespace fude {
namespace {

constexpr uint64_t kFileLimit = 512 << 20;
constexpr uint64_t kIdLimit = 1 << 24;
constexpr size_t kTokenLimit = 1 << 16;

std::string type_of(const Json& object, std::string_view where) { return json_string(object, "type", where); }

const Json* member(const Json& object, const char* key, std::string_view where) {
  require(object.is_object(), "[{}] expected a JSON object, got {}", where, object.type_name());
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const Json& array_member(const Json& object, const char* key, std::string_view where) {
  const Json* value = member(object, key, where);
  require(value != nullptr && value->is_array(), "[{}] expected an array at '{}'", where, key);
  return *value;
}

void read_normalizer(const Json& normalizer, std::string_view where, TokenizerData& data) {
  const std::string type = type_of(normalizer, where);
  if (type == "NFC") {
    data.nfc = true;
  } else if (type == "Sequence") {
    for (const Json& part : array_member(normalizer, "normalizers", where)) read_normalizer(part, where, data);
  } else {
    fail("[{}] expected no normalizer or NFC, got '{}'", where, type);
  }
}

void read_split(const Json& split, std::string_view where, TokenizerData& data) {
  const Json* pattern = member(split, "pattern", where);
  require(pattern != nullptr && pattern->is_object(), "[{}] expected an object at 'pattern' of Split", where);
  SplitStep step;
  if (pattern->contains("Regex")) {
    step.pattern = canonical_pattern(json_string(*pattern, "Regex", where));
  } else {
    step.pattern = literal_pattern(json_string(*pattern, "String", where));
  }
  const std::string behavior = json_string(split, "behavior", where, "Isolated");
  const bool invert = json_boolean(split, "invert", where, false);
  // Removing what lies outside the matches changes nothing if the matches cover every text, as the known patterns' do.
  const bool keeps_all =
      behavior == "Isolated" || (behavior == "Removed" && invert && make_known_splitter(step.pattern));
  require(keeps_all, "[{}] expected a Split with behavior 'Isolated', got '{}'", where, behavior);
  data.steps.push_back(std::move(step));
}

// Returns whether a ByteLevel step was met; nothing may follow it.
bool read_pre_tokenizer(const Json& step, std::string_view where, TokenizerData& data) {
  const std::string type = type_of(step, where);
  if (type == "Sequence") {
    bool byte_level = false;
    for (const Json& part : array_member(step, "pretokenizers", where)) {
      require(!byte_level, "[{}] expected ByteLevel to be the last pre-tokenizer", where);
      byte_level = read_pre_tokenizer(part, where, data);
    }
    return byte_level;
  }
  if (type == "ByteLevel") {
    data.prefix_space = json_boolean(step, "add_prefix_space", where, true);
    require(!data.prefix_space || data.steps.empty(),
            "[{}] add_prefix_space behind another pre-tokenizer is not supported", where);
    if (json_boolean(step, "use_regex", where, true))
      data.steps.push_back({SplitStep::Kind::pattern, std::string(named_pattern("gpt2"))});
    return true;
  }
  if (type == "Split") {
    read_split(step, where, data);
  } else if (type == "Digits") {
    const bool each = json_boolean(step, "individual_digits", where, false);
    data.steps.push_back({each ? SplitStep::Kind::each_digit : SplitStep::Kind::digits, {}});
  } else {
    fail("[{}] expected the pre-tokenizers Split, Digits and ByteLevel, got '{}'", where, type);
  }
  return false;
}

void read_added(const Json& list, std::string_view where, TokenizerData& data) {
  require(list.is_array(), "[{}] expected an array at 'added_tokens'", where);
  for (const Json& item : list) {
    AddedToken token;
    const int64_t id = json_integer(item, "id", where);
    require(id >= 0 && uint64_t(id) < kIdLimit, "[{}] the added token id {} is out of range", where, id);
    token.id = TokenId(id);
    token.content = json_string(item, "content", where);
    require(!token.content.empty() && token.content.size() <= kTokenLimit,
            "[{}] the added token {} is empty or too long", where, id);
    token.special = json_boolean(item, "special", where, false);
    token.single_word = json_boolean(item, "single_word", where, false);
    token.lstrip = json_boolean(item, "lstrip", where, false);
    token.rstrip = json_boolean(item, "rstrip", where, false);
    token.normalized = json_boolean(item, "normalized", where, !token.special);
    data.added.push_back(std::move(token));
  }
}

void read_model(const Json& model, std::string_view where, TokenizerData& data) {
  require(json_string(model, "type", where, "BPE") == "BPE", "[{}] expected a BPE model, got '{}'", where,
          json_string(model, "type", where, "BPE"));
  require(json_number(model, "dropout", where, 0) == 0, "[{}] BPE dropout is not supported", where);
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    require(json_string(model, key, where, "").empty(), "[{}] expected an empty '{}'", where, key);

  Vocabulary& vocabulary = data.vocabulary;
  vocabulary.whole_pieces = json_boolean(model, "ignore_merges", where, false);
  vocabulary.fuse_unknown = json_boolean(model, "fuse_unk", where, false);
  const Json* vocab = member(model, "vocab", where);
  require(vocab != nullptr && vocab->is_object(), "[{}] expected an object at 'vocab'", where);
  std::unordered_map<std::string_view, TokenId> ids;
  ids.reserve(vocab->size());
  for (const auto& [name, value] : vocab->get_ref<const Json::object_t&>()) {
    require(!name.empty() && name.size() <= kTokenLimit, "[{}] an entry of the vocabulary is empty or too long", where);
    require(value.is_number_unsigned() && value.get<uint64_t>() < kIdLimit,
            "[{}] expected an id below {} for '{}', got {}", where, kIdLimit, name, value.dump());
    const TokenId id = value.get<TokenId>();
    if (size_t(id) >= vocabulary.tokens.size()) vocabulary.tokens.resize(size_t(id) + 1);
    require(vocabulary.tokens[size_t(id)].empty(), "[{}] the id {} has two entries", where, id);
    // A name outside the byte alphabet (a special token's) stands for itself.
    vocabulary.tokens[size_t(id)] = bytes_of_name(name).value_or(name);
    ids.emplace(name, id);
  }

  const auto id_of = [&](std::string_view name) {
    const auto found = ids.find(name);
    require(found != ids.end(), "[{}] a merge names '{}', which is not in the vocabulary", where, name);
    return found->second;
  };
  const Json& merges = array_member(model, "merges", where);
  std::string joined;
  for (const Json& item : merges) {
    std::string_view left, right;
    if (item.is_string()) {
      const std::string& both = item.get_ref<const std::string&>();
      const size_t blank = both.find(' ');
      require(blank != std::string::npos && both.find(' ', blank + 1) == std::string::npos,
              "[{}] expected a merge of two parts, got '{}'", where, both);
      left = std::string_view(both).substr(0, blank);
      right = std::string_view(both).substr(blank + 1);
    } else {
      require(item.is_array() && item.size() == 2 && item[0].is_string() && item[1].is_string(),
              "[{}] expected merges as \"a b\" or [\"a\", \"b\"]", where);
      left = item[0].get_ref<const std::string&>();
      right = item[1].get_ref<const std::string&>();
    }
    joined.assign(left).append(right);
    vocabulary.merges.push_back({id_of(left), id_of(right), id_of(joined), uint32_t(vocabulary.merges.size())});
  }

  const std::string unknown = json_string(model, "unk_token", where, "");
  if (!unknown.empty()) {
    const auto found = ids.find(unknown);
    if (found != ids.end()) vocabulary.unknown = found->second;
  }
  if (json_boolean(model, "byte_fallback", where, false)) {
    std::array<bool, 256> have{};
    for (const std::string& token : vocabulary.tokens)
      if (token.size() == 1) have[uint8_t(token[0])] = true;
    require(std::all_of(have.begin(), have.end(), [](bool b) { return b; }),
            "[{}] byte_fallback needs all 256 byte tokens here", where);
  }
}

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
  const Json last = byte_level(data.prefix_space, gpt2_last);
  if (steps.empty()) return last;
  Json parts = Json::array();
  for (const SplitStep& step : steps) parts.push_back(step_json(step));
  parts.push_back(last);
  return {{"type", "Sequence"}, {"pretokenizers", parts}};
}

}  // namespace

TokenizerData parse_tokenizer_json(std::string_view text, std::string_view where) {
  const Json file = parse_json(text, where, {.bytes = kFileLimit});
  TokenizerData data;
  if (const Json* normalizer = member(file, "normalizer", where)) read_normalizer(*normalizer, where, data);
  const Json* pre_tokenizer = member(file, "pre_tokenizer", where);
  require(pre_tokenizer != nullptr && read_pre_tokenizer(*pre_tokenizer, where, data),
          "[{}] expected a byte-level tokenizer (pre_tokenizer ByteLevel)", where);
  if (const Json* decoder = member(file, "decoder", where))
    require(type_of(*decoder, where) == "ByteLevel", "[{}] expected the decoder ByteLevel, got '{}'", where,
            type_of(*decoder, where));
  if (const Json* added = member(file, "added_tokens", where)) read_added(*added, where, data);
  const Json* model = member(file, "model", where);
  require(model != nullptr, "[{}] expected the key 'model', it is missing", where);
  read_model(*model, where, data);
  return data;
}

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

TokenizerData read_tokenizer(const std::string& path, std::string_view pattern) {
  if (!path.ends_with(".tiktoken")) {
    const std::string file = path.ends_with(".json") ? path : path + "/tokenizer.json";
    return parse_tokenizer_json(read_file(file, kFileLimit), file);
  }
  struct Known {
    std::string_view file, pattern;
    std::vector<std::pair<TokenId, const char*>> special;
  };
  static const Known kKnown[] = {
      {"o200k_base.tiktoken", "o200k", {{199999, "<|endoftext|>"}, {200018, "<|endofprompt|>"}}},
      {"cl100k_base.tiktoken",
       "cl100k",
       {{100257, "<|endoftext|>"},
        {100258, "<|fim_prefix|>"},
        {100259, "<|fim_middle|>"},
        {100260, "<|fim_suffix|>"},
        {100276, "<|endofprompt|>"}}},
      {"gpt2.tiktoken", "gpt2", {{50256, "<|endoftext|>"}}},
      {"r50k_base.tiktoken", "gpt2", {{50256, "<|endoftext|>"}}},
  };
  TokenizerData data;
  data.vocabulary = vocabulary_from_ranks(parse_ranks(read_file(path, kFileLimit), path));
  const std::string_view name = std::string_view(path).substr(path.find_last_of('/') + 1);
  std::string chosen(pattern);
  for (const Known& known : kKnown) {
    if (!pattern.empty() || name != known.file) continue;
    chosen = known.pattern;
    for (const auto& [id, content] : known.special) data.added.push_back({.id = id, .content = content});
  }
  require(!chosen.empty(),
          "[{}] a rank file does not say how text is cut: give a pattern (gpt2, cl100k, llama3, qwen2, o200k)", path);
  data.steps = {{SplitStep::Kind::pattern,
                 is_pattern_name(chosen) ? std::string(named_pattern(chosen)) : canonical_pattern(chosen)}};
  return data;
}

}  // namespace fude
