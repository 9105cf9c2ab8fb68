#include "text/gguf_tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "text/byte_names.h"
#include "text/charsmap.h"

namespace fude {
namespace {

// That of "gemma4".
const SplitStep kLineSplit{SplitStep::Kind::pattern, R"([^\n]+|\n+)"};

constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// What a name under "pre" means.
struct NamedSplit {
  std::vector<std::string_view> names;
  std::string_view pattern;  // a name of named_pattern, or a regular expression
  bool each_digit = false;   // digits are cut apart first
  bool whole_pieces = false;
  bool prepends_begin = false;  // unless the file says otherwise
  bool nfc = false;
};
const NamedSplit kNamedSplits[] = {
    {{"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "gigachat", "mellum", "modern-bert", "granite-docling"},
     "gpt2"},
    {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}, "gpt2", true},
    {{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"},
     "llama3",
     false,
     true,
     true},
    {{"dbrx", "smaug-bpe", "chatglm-bpe", "glm4"}, "llama3"},
    {{"qwen2"}, "qwen2", false, false, false, true},
    {{"deepseek-r1-qwen", "stablelm2", "kormo"}, "qwen2"},
    {{"qwen35"}, kQwen35},
    {{"gpt-4o", "llama4"}, "o200k"},
};

std::string pattern_of(const NamedSplit& split) {
  return std::string(is_pattern_name(split.pattern) ? named_pattern(split.pattern) : split.pattern);
}

std::vector<SplitStep> steps_of(const NamedSplit& split) {
  std::vector<SplitStep> steps;
  if (split.each_digit) steps.push_back({SplitStep::Kind::each_digit, {}});
  steps.push_back({SplitStep::Kind::pattern, pattern_of(split)});
  return steps;
}

std::vector<NormalStep> normal_steps_of(const NamedSplit& split) {
  if (!split.nfc) return {};
  return {{NormalStep::Kind::nfc}};
}

const NamedSplit& find_split(std::string_view name, std::string_view where) {
  std::string known;
  for (const NamedSplit& split : kNamedSplits)
    for (const std::string_view candidate : split.names) {
      if (candidate == name) return split;
      known.append(known.empty() ? "" : ", ").append(candidate);
    }
  fail("[{}] expected tokenizer.ggml.pre to be one of {}; got '{}'", where, known, name);
}

bool is_entry(const PieceList& pieces, size_t id) {
  return pieces.types[id] == int32_t(PieceType::normal) || pieces.types[id] == int32_t(PieceType::byte);
}

bool has_type(const PieceList& pieces, PieceType type) {
  return std::find(pieces.types.begin(), pieces.types.end(), int32_t(type)) != pieces.types.end();
}

// The parts stand with a blank between; the first may itself begin with one. Merges mostly make the entries in their
// order, so the one behind the last is looked at before it is searched for.
void add_listed_merges(const GgufTokenizer& file, std::string_view where, Vocabulary& vocabulary) {
  require(!file.merges.empty(), "[{}] expected tokenizer.ggml.merges, got none", where);
  const std::vector<std::string>& texts = file.pieces.texts;
  EntryTable ids(texts.size());
  for (size_t id = 0; id < texts.size(); ++id)
    if (is_entry(file.pieces, id)) ids.insert(texts, TokenId(id));
  const auto id_of = [&](std::string_view name) {
    const TokenId id = ids.find(texts, name);
    require(id != kNoToken, "[{}] a merge names '{}', which is not in the vocabulary", where, name);
    return id;
  };
  std::string joined;
  vocabulary.merges.reserve(file.merges.size());
  TokenId result = 0;
  for (const std::string_view merge : file.merges) {
    const size_t blank = merge.find(' ', 1);
    require(blank != merge.npos, "[{}] expected a merge of two parts, got '{}'", where, merge);
    const std::string_view left = merge.substr(0, blank), right = merge.substr(blank + 1);
    joined.assign(left).append(right);
    const size_t next = size_t(result) + 1;
    result =
        next < texts.size() && texts[next] == joined && is_entry(file.pieces, next) ? TokenId(next) : id_of(joined);
    vocabulary.merges.push_back({id_of(left), id_of(right), result, uint32_t(vocabulary.merges.size())});
  }
}

void set_byte_level(const GgufTokenizer& file, std::string_view where, TokenizerData& data) {
  const NamedSplit& split = find_split(file.pre, where);
  data.steps = steps_of(split);
  data.normal = normal_steps_of(split);
  data.prepends_begin = split.prepends_begin;
  data.vocabulary.whole_pieces = split.whole_pieces;
  add_listed_merges(file, where, data.vocabulary);
}

// What SentencePiece's kinds have in common.
void set_pieces(const GgufTokenizer& file, Vocabulary::Kind kind, bool space_prefix, TokenizerData& data) {
  data.vocabulary.kind = kind;
  data.vocabulary.byte_fallback = has_type(file.pieces, PieceType::byte);
  data.vocabulary.fuse_unknown = true;
  data.drops_prefix = file.space_prefix.value_or(space_prefix);
  if (data.drops_prefix) data.normal.push_back({NormalStep::Kind::prepend, {}, std::string(kBlankMark)});
  data.normal.push_back(mark_blanks());
}

void require_scores(const GgufTokenizer& file, std::string_view where) {
  require(!file.pieces.scores.empty(), "[{}] expected tokenizer.ggml.scores, got none", where);
}

void set_characters(const GgufTokenizer& file, std::string_view where, TokenizerData& data) {
  const bool scored = file.model == "llama";
  set_pieces(file, Vocabulary::Kind::characters, scored, data);
  data.prepends_begin = true;
  if (scored) {
    require_scores(file, where);
    add_scored_merges(file.pieces, where, data.vocabulary);
  } else {
    data.steps = {kLineSplit};
    add_listed_merges(file, where, data.vocabulary);
  }
}

// What keys that are missing mean is llama.cpp's choice.
void set_unigram(GgufTokenizer& file, std::string_view where, TokenizerData& data) {
  using Kind = NormalStep::Kind;
  require_scores(file, where);
  if (!file.charsmap.empty()) {
    Charsmap::check(file.charsmap, where);
    data.normal.push_back({Kind::charsmap, file.charsmap});
  }
  if (file.removes_blanks.value_or(false))
    data.normal.insert(data.normal.end(), {{Kind::trim}, {Kind::squeeze, {}, " "}});
  set_pieces(file, Vocabulary::Kind::unigram, false, data);
  Vocabulary& vocabulary = data.vocabulary;
  vocabulary.tokens = file.pieces.texts;  // what is special is kept out by its place among the added tokens
  const auto& types = file.pieces.types;
  // The worst score tells what an unknown character costs, and that of an unused piece (-10000) is none.
  for (size_t id = 0; id < types.size(); ++id)
    vocabulary.scores.push_back(types[id] == int32_t(PieceType::normal) ? file.pieces.scores[id] : 0);
  const auto unknown = std::find(types.begin(), types.end(), int32_t(PieceType::unknown));
  if (!file.unknown && unknown != types.end()) vocabulary.unknown = TokenId(unknown - types.begin());
  if (file.ends.empty() && types.size() > 1) file.ends = {1};
  data.appends_end = true;
}

}  // namespace

std::string_view gguf_split_name(const TokenizerData& data) {
  if (data.vocabulary.kind == Vocabulary::Kind::characters)
    return data.steps == std::vector{kLineSplit} ? "gemma4" : "";
  for (const NamedSplit& split : kNamedSplits)
    if (data.steps == steps_of(split) && data.normal == normal_steps_of(split) &&
        data.vocabulary.whole_pieces == split.whole_pieces)
      return split.names[0];
  return {};
}

TokenizerData read_gguf_tokenizer(GgufTokenizer file, std::string_view where) {
  require(file.model == "gpt2" || file.model == "llama" || file.model == "t5" || file.model == "gemma4",
          "[{}] expected tokenizer.ggml.model to be gpt2, llama, t5 or gemma4, got '{}'", where, file.model);
  const size_t count = file.pieces.texts.size();
  if (file.pieces.types.empty()) file.pieces.types.assign(count, int32_t(PieceType::normal));
  check_pieces(file.pieces, where);
  const auto checked = [&](int64_t id, std::string_view what) {
    require(id >= 0 && id < int64_t(count), "[{}] expected {} in [0, {}), got {}", where, what, count, id);
    return TokenId(id);
  };
  TokenizerData data;
  data.vocabulary.tokens.resize(count);
  for (size_t id = 0; id < count; ++id) {
    if (!is_entry(file.pieces, id)) continue;
    const std::string& text = file.pieces.texts[id];
    auto entry = file.model == "gpt2" ? bytes_of_name(text) : text;
    // Byte-level text never gives a name that spells no bytes.
    if (entry)
      data.vocabulary.tokens[id] = std::move(*entry);
    else
      file.pieces.types[id] = int32_t(PieceType::unused);
  }
  if (file.unknown) data.vocabulary.unknown = checked(*file.unknown, "tokenizer.ggml.unknown_token_id");
  if (file.model == "gpt2")
    set_byte_level(file, where, data);
  else if (file.model == "t5")
    set_unigram(file, where, data);
  else
    set_characters(file, where, data);
  add_special_pieces(file.pieces, data);
  if (file.begin) data.begin_token = checked(*file.begin, "tokenizer.ggml.bos_token_id");
  // Not used here, so a wrong one is no reason to refuse the file; some have one.
  if (file.padding && *file.padding >= 0 && *file.padding < int64_t(count)) data.padding_token = TokenId(*file.padding);
  for (const int64_t id : file.ends) {
    const TokenId token = checked(id, "tokenizer.ggml.eos_token_id");
    if (std::find(data.end_tokens.begin(), data.end_tokens.end(), token) == data.end_tokens.end())
      data.end_tokens.push_back(token);
  }
  data.prepends_begin = file.prepends_begin.value_or(data.prepends_begin) && file.begin.has_value();
  data.appends_end = file.appends_end.value_or(data.appends_end) && !data.end_tokens.empty();
  data.chat_template = file.chat_template;
  return data;
}

}  // namespace fude
