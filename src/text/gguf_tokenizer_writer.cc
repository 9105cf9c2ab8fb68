// A tokenizer in GGUF's terms. What is written is read again; merges and what stands for unknown characters are
// compared, for they decide how a text is cut.
#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "base/error.h"
#include "text/byte_names.h"
#include "text/gguf_tokenizer.h"

namespace fude {
namespace {

using Kind = Vocabulary::Kind;
using NamedMerge = std::tuple<TokenId, TokenId, TokenId>;

// Pieces as HF's library names them, with the content of added tokens in their places.
PieceList pieces_of(const TokenizerData& data, size_t count) {
  const Vocabulary& vocabulary = data.vocabulary;
  PieceList pieces;
  for (size_t id = 0; id < count; ++id) {
    const std::string& token = id < vocabulary.tokens.size() ? vocabulary.tokens[id] : "";
    PieceType type = PieceType::normal;
    if (token.empty()) {
      type = PieceType::unused;
    } else if (vocabulary.kind == Kind::characters && vocabulary.byte_fallback && byte_of_piece(token)) {
      type = PieceType::byte;
    }
    pieces.texts.push_back(token.empty()                    ? fmt::format("[PAD{}]", id)
                           : vocabulary.kind == Kind::bytes ? name_of_bytes(token)
                                                            : token);
    pieces.types.push_back(int32_t(type));
  }
  if (const TokenId unknown = vocabulary.unknown; unknown != kNoToken && size_t(unknown) < count)
    pieces.types[size_t(unknown)] = int32_t(PieceType::unknown);
  // A special token is a control token, even if it stands for what is unknown as well.
  for (const AddedToken& token : data.added) {
    if (size_t(token.id) >= count) continue;
    pieces.texts[size_t(token.id)] = token.content;
    pieces.types[size_t(token.id)] = int32_t(token.special ? PieceType::control : PieceType::user_defined);
  }
  return pieces;
}

// Merges between entries that text can give.
std::vector<Merge> live_merges(const TokenizerData& data) {
  std::set<TokenId> added;
  for (const AddedToken& token : data.added) added.insert(token.id);
  std::vector<Merge> live;
  for (const Merge& merge : data.vocabulary.merges)
    if (!added.contains(merge.left) && !added.contains(merge.right) && !added.contains(merge.result))
      live.push_back(merge);
  return live;
}

// SentencePiece merges the neighbours whose piece has the best score; all ways to make a piece go together.
std::vector<float> scores_of(const std::vector<Merge>& merges, size_t count, std::string_view where) {
  constexpr float kNever = std::numeric_limits<float>::lowest();
  std::vector<float> scores(count, kNever);
  float score = 0;
  for (size_t i = 0; i < merges.size(); ++i) {
    const Merge& merge = merges[i];
    if (i > 0 && merge.rank != merges[i - 1].rank && merge.result != merges[i - 1].result) --score;
    float& own = scores.at(size_t(merge.result));
    require(own == kNever || own == score,
            "[{}] the merges are not those of a SentencePiece model, which is what GGUF can hold: token {} is made at "
            "two places of their order",
            where, merge.result);
    own = score;
  }
  for (float& own : scores)
    if (own == kNever) own = score - 1;
  return scores;
}

std::set<NamedMerge> as_set(const std::vector<Merge>& merges) {
  std::set<NamedMerge> set;
  for (const Merge& merge : merges) set.emplace(merge.left, merge.right, merge.result);
  return set;
}

void require_same(const TokenizerData& data, const TokenizerData& again, std::string_view where) {
  require(as_set(live_merges(data)) == as_set(live_merges(again)),
          "[{}] the merges are not those of a SentencePiece model, which is what GGUF can hold: it would merge all "
          "neighbours that make an entry",
          where);
  require(data.vocabulary.byte_fallback == again.vocabulary.byte_fallback,
          "[{}] a tokenizer that has tokens for bytes and does not use them is not supported in GGUF", where);
  require(data.vocabulary.kind == Kind::bytes || data.vocabulary.byte_fallback || data.vocabulary.unknown == kNoToken ||
              data.vocabulary.fuse_unknown == again.vocabulary.fuse_unknown,
          "[{}] a token for each of neighbouring unknown characters is not supported in GGUF", where);
}

void set_byte_level_keys(const TokenizerData& data, std::string_view where, GgufTokenizer& file) {
  file.model = "gpt2";
  file.pre = gguf_split_name(data);
  require(!file.pre.empty(), "[{}] the way this tokenizer cuts a text has no name in GGUF", where);
  require(data.prefix_space == PrefixSpace::never,
          "[{}] a byte-level tokenizer that puts a blank in front of a text "
          "has no name in GGUF",
          where);
}

void set_character_keys(const TokenizerData& data, std::string_view where, GgufTokenizer& file) {
  std::vector<NormalStep> normal = data.normal;
  const NormalStep prepend{NormalStep::Kind::prepend, {}, std::string(kBlankMark)};
  const bool prepends = !normal.empty() && normal.front() == prepend;
  if (prepends) normal.erase(normal.begin());
  require(normal == std::vector{mark_blanks()}, "[{}] this tokenizer changes a text in ways that GGUF has no words for",
          where);
  file.space_prefix = prepends || data.prefix_space != PrefixSpace::never;
  file.model = "llama", file.pre = "default";
  if (gguf_split_name(data) == "gemma4") {
    file.model = "gemma4", file.pre = "gemma4";
    return;
  }
  // No blank is left to be cut at.
  for (const SplitStep& step : data.steps)
    require(
        (step.kind == SplitStep::Kind::after_text || step.kind == SplitStep::Kind::before_text) && step.pattern == " ",
        "[{}] this tokenizer cuts a text in ways that GGUF has no words for", where);
}

}  // namespace

GgufTokenizer gguf_tokenizer_of(const TokenizerData& data, int64_t vocabulary, std::string_view where) {
  require(data.vocabulary.kind != Kind::unigram, "[{}] writing a unigram model to GGUF is not supported", where);
  GgufTokenizer file;
  file.pieces = pieces_of(data, size_t(vocabulary));
  if (data.vocabulary.kind == Kind::bytes) {
    set_byte_level_keys(data, where, file);
  } else {
    set_character_keys(data, where, file);
  }
  const std::vector<Merge> merges = live_merges(data);
  for (const Merge& merge : merges)
    require(std::max({merge.left, merge.right, merge.result}) < vocabulary,
            "[{}] expected merges of tokens below the model's vocabulary, {}, got one with {}", where, vocabulary,
            merge.result);
  const auto& names = file.pieces.texts;
  if (file.model == "llama") {
    file.pieces.scores = scores_of(merges, names.size(), where);
  } else {
    for (const Merge& merge : merges)
      file.merges.push_back(names[size_t(merge.left)] + " " + names[size_t(merge.right)]);
  }
  const auto id_of = [&](TokenId id) -> std::optional<int64_t> {
    if (id == kNoToken || id >= vocabulary) return {};
    return id;
  };
  file.begin = id_of(data.begin_token), file.unknown = id_of(data.vocabulary.unknown);
  file.padding = id_of(data.padding_token);
  for (const TokenId end : data.end_tokens)
    if (const auto id = id_of(end)) file.ends.push_back(*id);
  require(file.ends.size() <= 3, "[{}] expected at most 3 tokens that end a turn, which is what GGUF can hold, got {}",
          where, file.ends.size());
  file.prepends_begin = data.prepends_begin;
  if (data.appends_end) file.appends_end = true;
  file.chat_template = data.chat_template;
  require_same(data, read_gguf_tokenizer(file, where), where);
  return file;
}

}  // namespace fude
