#include "infer/gguf_tokenizer_keys.h"

#include <algorithm>

#include "base/error.h"

namespace fude {
namespace {

const std::string kPrefix = "tokenizer.ggml.";
constexpr const char* kTemplate = "tokenizer.chat_template";
// Of what ends a text or a turn, in this order.
constexpr const char* kEnds[] = {"eos_token_id", "eot_token_id", "eom_token_id"};
// What ends a turn in the chat formats of known families. Converters leave eot_token_id out of many files, and
// llama.cpp finds these by their texts then (llama-vocab.cpp).
constexpr std::string_view kTurnEnds[] = {"<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>"};

// Files have them as u8 or as i8.
std::string bytes_in(const GgufMetadata& m, const std::string& key) {
  std::string bytes;
  if (!m.has(key)) return bytes;
  for (const int64_t byte : m.integers(key)) {
    require(byte >= -128 && byte <= 255, "[gguf] expected bytes at '{}', got {}", key, byte);
    bytes += char(byte);
  }
  return bytes;
}

void add_turn_ends(GgufTokenizer& t) {
  for (size_t id = 0; id < std::min(t.pieces.texts.size(), t.pieces.types.size()); ++id) {
    const auto type = PieceType(t.pieces.types[id]);
    if ((type == PieceType::control || type == PieceType::user_defined) &&
        std::ranges::count(kTurnEnds, t.pieces.texts[id]) > 0 && std::ranges::count(t.ends, int64_t(id)) == 0)
      t.ends.push_back(int64_t(id));
  }
}

}  // namespace

GgufTokenizer tokenizer_in(const GgufMetadata& m) {
  GgufTokenizer t;
  t.model = m.string(kPrefix + "model"), t.pre = m.find_string(kPrefix + "pre").value_or("");
  const auto texts = m.strings(kPrefix + "tokens");
  t.pieces.texts.assign(texts.begin(), texts.end());
  if (m.has(kPrefix + "token_type"))
    for (const int64_t type : m.integers(kPrefix + "token_type")) t.pieces.types.push_back(int32_t(type));
  if (m.has(kPrefix + "scores"))
    for (const double score : m.numbers(kPrefix + "scores")) t.pieces.scores.push_back(float(score));
  if (m.has(kPrefix + "merges")) {
    const auto merges = m.strings(kPrefix + "merges");
    t.merges.assign(merges.begin(), merges.end());
  }
  t.begin = m.find_integer(kPrefix + "bos_token_id"), t.unknown = m.find_integer(kPrefix + "unknown_token_id");
  t.padding = m.find_integer(kPrefix + "padding_token_id");
  for (const char* key : kEnds)
    if (const auto id = m.find_integer(kPrefix + key)) t.ends.push_back(*id);
  if (!m.has(kPrefix + "eot_token_id")) add_turn_ends(t);
  t.prepends_begin = m.find_boolean(kPrefix + "add_bos_token");
  t.appends_end = m.find_boolean(kPrefix + "add_eos_token");
  t.space_prefix = m.find_boolean(kPrefix + "add_space_prefix");
  t.removes_blanks = m.find_boolean(kPrefix + "remove_extra_whitespaces");
  t.charsmap = bytes_in(m, kPrefix + "precompiled_charsmap");
  t.chat_template = m.find_string(kTemplate).value_or("");
  return t;
}

void put_tokenizer(const GgufTokenizer& t, GgufMetadata& m) {
  m.set(kPrefix + "model", t.model);
  m.set(kPrefix + "pre", t.pre);
  m.set(kPrefix + "tokens", t.pieces.texts);
  if (!t.pieces.scores.empty()) m.set(kPrefix + "scores", t.pieces.scores);
  m.set(kPrefix + "token_type", t.pieces.types);
  if (!t.merges.empty()) m.set(kPrefix + "merges", t.merges);
  const auto put_id = [&](const char* key, std::optional<int64_t> id) {
    if (id) m.set(kPrefix + key, uint32_t(*id));
  };
  put_id("bos_token_id", t.begin), put_id("unknown_token_id", t.unknown);
  put_id("padding_token_id", t.padding);
  for (size_t i = 0; i < t.ends.size() && i < std::size(kEnds); ++i) put_id(kEnds[i], t.ends[i]);
  const auto put_flag = [&](const char* key, std::optional<bool> flag) {
    if (flag) m.set(kPrefix + key, *flag);
  };
  put_flag("add_bos_token", t.prepends_begin), put_flag("add_eos_token", t.appends_end);
  put_flag("add_space_prefix", t.space_prefix);
  if (!t.chat_template.empty()) m.set(kTemplate, t.chat_template);
}

}  // namespace fude
