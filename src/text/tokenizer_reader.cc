// tokenizer.json, read: its parts, each either understood or refused (those around the model: tokenizer_steps.h).
#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/json.h"
#include "text/byte_names.h"
#include "text/tokenizer_file.h"
#include "text/tokenizer_steps.h"

namespace fude {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view where) : where_(where) {}

  TokenizerData read(const Json& file) {
    read_normalizer(json_member(file, "normalizer", where_), where_, data_);
    read_pre_tokenizer(json_member(file, "pre_tokenizer", where_), where_, data_);
    const Json* model = json_member(file, "model", where_);
    require(model != nullptr, "[{}] expected the key 'model', it is missing", where_);
    const Json* vocab = json_member(*model, "vocab", where_);
    require(vocab != nullptr, "[{}] expected the key 'vocab', it is missing", where_);
    const Json none = Json::array();
    const Json* added = json_member(file, "added_tokens", where_);
    if (added == nullptr) added = &none;
    require(added->is_array(), "[{}] expected an array at 'added_tokens'", where_);
    id_limit_ = int64_t(vocab->size() + added->size() + kLargestIdGap);
    read_added(*added);
    data_.vocabulary.byte_fallback = json_boolean(*model, "byte_fallback", where_, false);
    const std::string type = json_string(*model, "type", where_, "BPE");
    if (type == "Unigram") {
      read_unigram(*model, *vocab);
    } else {
      require(type == "BPE", "[{}] expected a model of type BPE or Unigram, got '{}'", where_, type);
      read_bpe(*model, *vocab);
    }
    read_decoder(json_member(file, "decoder", where_), where_, data_);
    read_begin(json_member(file, "post_processor", where_));
    return std::move(data_);
  }

 private:
  void read_added(const Json& list) {
    for (const Json& item : list) {
      AddedToken token;
      const int64_t id = json_integer(item, "id", where_);
      require(id >= 0 && id < id_limit_, "[{}] expected ids below {} (entries and a gap), got the added token id {}",
              where_, id_limit_, id);
      token.id = TokenId(id);
      token.content = json_string(item, "content", where_);
      require(!token.content.empty() && token.content.size() <= kLongestToken,
              "[{}] the added token {} is empty or longer than {} bytes", where_, id, kLongestToken);
      token.special = json_boolean(item, "special", where_, false);
      token.single_word = json_boolean(item, "single_word", where_, false);
      token.lstrip = json_boolean(item, "lstrip", where_, false);
      token.rstrip = json_boolean(item, "rstrip", where_, false);
      token.normalized = json_boolean(item, "normalized", where_, !token.special);
      data_.added.push_back(std::move(token));
    }
  }

  void read_bpe(const Json& model, const Json& vocab) {
    require(json_number(model, "dropout", where_, 0) == 0, "[{}] BPE dropout is not supported", where_);
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      require(json_string(model, key, where_, "").empty(), "[{}] expected an empty '{}'", where_, key);

    Vocabulary& vocabulary = data_.vocabulary;
    vocabulary.whole_pieces = json_boolean(model, "ignore_merges", where_, false);
    vocabulary.fuse_unknown = json_boolean(model, "fuse_unk", where_, false);
    require(vocab.is_object(), "[{}] expected an object at 'vocab'", where_);
    read_entries(vocab);
    read_merges(json_array(model, "merges", where_));

    const std::string unknown = json_string(model, "unk_token", where_, "");
    const auto found = ids_.find(unknown);
    if (found != ids_.end()) vocabulary.unknown = found->second;
    if (vocabulary.byte_fallback && vocabulary.kind == Vocabulary::Kind::bytes) {
      std::array<bool, 256> have{};
      for (const std::string& token : vocabulary.tokens)
        if (token.size() == 1) have[uint8_t(token[0])] = true;
      require(std::all_of(have.begin(), have.end(), [](bool b) { return b; }),
              "[{}] byte_fallback needs all 256 byte tokens here", where_);
      vocabulary.byte_fallback = false;  // bytes fall back to nothing else
    }
  }

  // [["piece", score], …] in order of id. Neighbouring unknown characters are one token, always.
  void read_unigram(const Json& model, const Json& vocab) {
    Vocabulary& vocabulary = data_.vocabulary;
    require(vocabulary.kind != Vocabulary::Kind::bytes, "[{}] a Unigram model behind ByteLevel is not supported",
            where_);
    vocabulary.kind = Vocabulary::Kind::unigram;
    vocabulary.fuse_unknown = true;
    require(vocab.is_array(), "[{}] expected an array at 'vocab'", where_);
    for (const Json& entry : vocab) {
      require(entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_number(),
              "[{}] expected entries [\"piece\", score], got {} at {}", where_, entry.dump(), vocabulary.tokens.size());
      add_entry(TokenId(vocabulary.tokens.size()), entry[0].get<std::string>());
      vocabulary.scores.push_back(entry[1].get<double>());
    }
    const int64_t unknown = json_integer(model, "unk_id", where_, kNoToken);
    require(unknown >= kNoToken && unknown < int64_t(vocabulary.tokens.size()), "[{}] expected unk_id below {}, got {}",
            where_, vocabulary.tokens.size(), unknown);
    vocabulary.unknown = TokenId(unknown);
  }

  void add_entry(TokenId id, std::string token) {
    std::vector<std::string>& tokens = data_.vocabulary.tokens;
    if (size_t(id) >= tokens.size()) tokens.resize(size_t(id) + 1);
    require(!token.empty() && token.size() <= kLongestToken,
            "[{}] the entry {} of the vocabulary is empty or longer than {} bytes", where_, id, kLongestToken);
    tokens[size_t(id)] = std::move(token);
  }

  void read_entries(const Json& vocab) {
    const bool byte_level = data_.vocabulary.kind == Vocabulary::Kind::bytes;
    std::unordered_set<TokenId> taken;  // ids of added tokens, and of what becomes one here
    std::unordered_set<std::string> contents;
    for (const AddedToken& token : data_.added) taken.insert(token.id), contents.insert(token.content);
    std::vector<bool> has_name(size_t(id_limit_), false);
    ids_.reserve(vocab.size());
    for (const auto& [name, value] : vocab.get_ref<const Json::object_t&>()) {
      require(value.is_number_unsigned() && value.get<uint64_t>() < uint64_t(id_limit_),
              "[{}] expected ids below {} (entries and a gap), got {} for '{}'", where_, id_limit_, value.dump(), name);
      const TokenId id = value.get<TokenId>();
      require(!has_name[size_t(id)], "[{}] the id {} has two entries", where_, id);
      has_name[size_t(id)] = true;
      ids_.emplace(name, id);
      auto entry = byte_level ? bytes_of_name(name) : name;
      if (entry) {
        add_entry(id, std::move(*entry));
        continue;
      }
      // No text gives a name outside the byte alphabet, which is mostly a special token's: the id has no entry.
      auto& tokens = data_.vocabulary.tokens;
      tokens.resize(std::max(tokens.size(), size_t(id) + 1));
      require(name.size() <= kLongestToken, "[{}] the entry {} of the vocabulary is longer than {} bytes", where_, id,
              kLongestToken);
      if (!contents.contains(name) && taken.insert(id).second)
        data_.added.push_back({.id = id, .content = name, .special = true});
    }
  }

  void read_merges(const Json& merges) {
    const auto id_of = [&](std::string_view name) {
      const auto found = ids_.find(name);
      require(found != ids_.end(), "[{}] a merge names '{}', which is not in the vocabulary", where_, name);
      return found->second;
    };
    std::vector<Merge>& out = data_.vocabulary.merges;
    std::string joined;
    for (const Json& item : merges) {
      std::string_view left, right;
      if (item.is_string()) {
        const std::string& both = item.get_ref<const std::string&>();
        const size_t blank = both.find(' ');
        require(blank != std::string::npos && both.find(' ', blank + 1) == std::string::npos,
                "[{}] expected a merge of two parts, got '{}'", where_, both);
        left = std::string_view(both).substr(0, blank);
        right = std::string_view(both).substr(blank + 1);
      } else {
        require(item.is_array() && item.size() == 2 && item[0].is_string() && item[1].is_string(),
                "[{}] expected merges as \"a b\" or [\"a\", \"b\"]", where_);
        left = item[0].get_ref<const std::string&>();
        right = item[1].get_ref<const std::string&>();
      }
      joined.assign(left).append(right);
      out.push_back({id_of(left), id_of(right), id_of(joined), uint32_t(out.size())});
    }
  }

  // Of what a post-processor puts around a text: a special token in front, and one at the end.
  void read_begin(const Json* processor) {
    if (processor == nullptr) return;
    const std::string type = json_string(*processor, "type", where_);
    if (type == "Sequence")
      for (const Json& part : json_array(*processor, "processors", where_)) read_begin(&part);
    if (type != "TemplateProcessing") return;
    const Json& single = json_array(*processor, "single", where_);
    const auto token_at = [&](size_t place) {
      const Json* special = json_member(single[place], "SpecialToken", where_);
      const std::string content = special == nullptr ? "" : json_string(*special, "id", where_);
      for (const AddedToken& token : data_.added)
        if (token.content == content) return token.id;
      return kNoToken;
    };
    if (single.size() < 2) return;
    const TokenId first = token_at(0), last = token_at(single.size() - 1);
    if (first != kNoToken) data_.begin_token = first, data_.prepends_begin = true;
    if (last != kNoToken) data_.end_tokens = {last}, data_.appends_end = true;
  }

  const std::string_view where_;
  int64_t id_limit_ = 0;
  std::unordered_map<std::string_view, TokenId> ids_;  // of the vocabulary's names
  TokenizerData data_;
};

}  // namespace

TokenizerData parse_tokenizer_json(std::string_view text, std::string_view where) {
  return Reader(where).read(parse_json(text, where));
}

}  // namespace fude
