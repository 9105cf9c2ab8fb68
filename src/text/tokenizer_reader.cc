// tokenizer.json, read: the parts of a byte-level BPE, each either understood or refused.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/error.h"
#include "base/json.h"
#include "text/byte_names.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view where) : where_(where) {}

  TokenizerData read(const Json& file) {
    if (const Json* normalizer = member(file, "normalizer")) read_normalizer(*normalizer);
    const Json* pre_tokenizer = member(file, "pre_tokenizer");
    require(pre_tokenizer != nullptr && read_pre_tokenizer(*pre_tokenizer),
            "[{}] expected a byte-level tokenizer (pre_tokenizer ByteLevel)", where_);
    if (const Json* decoder = member(file, "decoder"))
      require(type_of(*decoder) == "ByteLevel", "[{}] expected the decoder ByteLevel, got '{}'", where_,
              type_of(*decoder));
    const Json* model = member(file, "model");
    require(model != nullptr, "[{}] expected the key 'model', it is missing", where_);
    const Json* vocab = member(*model, "vocab");
    require(vocab != nullptr && vocab->is_object(), "[{}] expected an object at 'vocab'", where_);
    const Json none = Json::array();
    const Json* added = member(file, "added_tokens");
    if (added == nullptr) added = &none;
    require(added->is_array(), "[{}] expected an array at 'added_tokens'", where_);
    id_limit_ = int64_t(vocab->size() + added->size() + kLargestIdGap);
    read_added(*added);
    read_model(*model, *vocab);
    return std::move(data_);
  }

 private:
  std::string type_of(const Json& object) const { return json_string(object, "type", where_); }

  const Json* member(const Json& object, const char* key) const {
    require(object.is_object(), "[{}] expected a JSON object, got {}", where_, object.type_name());
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
  }

  const Json& array_member(const Json& object, const char* key) const {
    const Json* value = member(object, key);
    require(value != nullptr && value->is_array(), "[{}] expected an array at '{}'", where_, key);
    return *value;
  }

  void read_normalizer(const Json& normalizer) {
    const std::string type = type_of(normalizer);
    if (type == "NFC") {
      data_.nfc = true;
    } else if (type == "Sequence") {
      for (const Json& part : array_member(normalizer, "normalizers")) read_normalizer(part);
    } else {
      fail("[{}] expected no normalizer or NFC, got '{}'", where_, type);
    }
  }

  // Returns whether a ByteLevel step was met; nothing may follow it.
  bool read_pre_tokenizer(const Json& step) {
    const std::string type = type_of(step);
    if (type == "Sequence") {
      bool byte_level = false;
      for (const Json& part : array_member(step, "pretokenizers")) {
        require(!byte_level, "[{}] expected ByteLevel to be the last pre-tokenizer", where_);
        byte_level = read_pre_tokenizer(part);
      }
      return byte_level;
    }
    if (type == "ByteLevel") {
      data_.prefix_space = json_boolean(step, "add_prefix_space", where_, true);
      require(!data_.prefix_space || data_.steps.empty(),
              "[{}] add_prefix_space behind another pre-tokenizer is not supported", where_);
      if (json_boolean(step, "use_regex", where_, true))
        data_.steps.push_back({SplitStep::Kind::pattern, std::string(named_pattern("gpt2"))});
      return true;
    }
    if (type == "Split") {
      read_split(step);
    } else if (type == "Digits") {
      const bool each = json_boolean(step, "individual_digits", where_, false);
      data_.steps.push_back({each ? SplitStep::Kind::each_digit : SplitStep::Kind::digits, {}});
    } else {
      fail("[{}] expected the pre-tokenizers Split, Digits and ByteLevel, got '{}'", where_, type);
    }
    return false;
  }

  void read_split(const Json& split) {
    const Json* pattern = member(split, "pattern");
    require(pattern != nullptr && pattern->is_object(), "[{}] expected an object at 'pattern' of Split", where_);
    SplitStep step;
    if (pattern->contains("Regex")) {
      step.pattern = canonical_pattern(json_string(*pattern, "Regex", where_));
    } else {
      step.pattern = literal_pattern(json_string(*pattern, "String", where_));
    }
    const std::string behavior = json_string(split, "behavior", where_, "Isolated");
    const bool invert = json_boolean(split, "invert", where_, false);
    // Removing what lies outside the matches changes nothing if the matches cover every text, as the known
    // patterns' do.
    const bool keeps_all =
        behavior == "Isolated" || (behavior == "Removed" && invert && make_known_splitter(step.pattern));
    require(keeps_all, "[{}] expected a Split with behavior 'Isolated', got '{}'", where_, behavior);
    data_.steps.push_back(std::move(step));
  }

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

  void read_model(const Json& model, const Json& vocab) {
    const std::string type = json_string(model, "type", where_, "BPE");
    require(type == "BPE", "[{}] expected a BPE model, got '{}'", where_, type);
    require(json_number(model, "dropout", where_, 0) == 0, "[{}] BPE dropout is not supported", where_);
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      require(json_string(model, key, where_, "").empty(), "[{}] expected an empty '{}'", where_, key);

    Vocabulary& vocabulary = data_.vocabulary;
    vocabulary.whole_pieces = json_boolean(model, "ignore_merges", where_, false);
    vocabulary.fuse_unknown = json_boolean(model, "fuse_unk", where_, false);
    read_entries(vocab);
    read_merges(array_member(model, "merges"));

    const std::string unknown = json_string(model, "unk_token", where_, "");
    const auto found = ids_.find(unknown);
    if (found != ids_.end()) vocabulary.unknown = found->second;
    if (json_boolean(model, "byte_fallback", where_, false)) {
      std::array<bool, 256> have{};
      for (const std::string& token : vocabulary.tokens)
        if (token.size() == 1) have[uint8_t(token[0])] = true;
      require(std::all_of(have.begin(), have.end(), [](bool b) { return b; }),
              "[{}] byte_fallback needs all 256 byte tokens here", where_);
    }
  }

  void read_entries(const Json& vocab) {
    std::vector<std::string>& tokens = data_.vocabulary.tokens;
    ids_.reserve(vocab.size());
    for (const auto& [name, value] : vocab.get_ref<const Json::object_t&>()) {
      require(value.is_number_unsigned() && value.get<uint64_t>() < uint64_t(id_limit_),
              "[{}] expected ids below {} (entries and a gap), got {} for '{}'", where_, id_limit_, value.dump(), name);
      const TokenId id = value.get<TokenId>();
      if (size_t(id) >= tokens.size()) tokens.resize(size_t(id) + 1);
      std::string& token = tokens[size_t(id)];
      require(token.empty(), "[{}] the id {} has two entries", where_, id);
      // A name outside the byte alphabet (a special token's) stands for itself.
      token = bytes_of_name(name).value_or(name);
      require(!token.empty() && token.size() <= kLongestToken,
              "[{}] the entry {} of the vocabulary is empty or longer than {} bytes", where_, id, kLongestToken);
      ids_.emplace(name, id);
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
