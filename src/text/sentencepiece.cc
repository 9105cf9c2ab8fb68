#include "text/sentencepiece.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "text/byte_names.h"
#include "text/charsmap.h"
#include "text/pieces.h"
#include "text/protobuf.h"

namespace fude {
namespace {

enum class ModelType { unigram = 1, bpe = 2 };

// What the file says, with SentencePiece's values for what it leaves out.
struct ModelProto {
  PieceList pieces;
  int64_t model_type = int64_t(ModelType::unigram);
  bool blank_behind = false, byte_fallback = false;
  int64_t begin = 1, end = 2;
  std::string_view charsmap;
  bool dummy_prefix = true, remove_extra = true, escape = true;
};

void read_piece(ProtobufReader piece, PieceList& pieces) {
  std::string_view text;
  float score = 0;
  int64_t type = int64_t(PieceType::normal);
  while (piece.next()) {
    if (piece.field() == 1) text = piece.bytes();
    if (piece.field() == 2) score = piece.number();
    if (piece.field() == 3) type = piece.integer();
  }
  pieces.texts.emplace_back(text);
  pieces.scores.push_back(score);
  pieces.types.push_back(int32_t(std::clamp<int64_t>(type, 0, 100)));
}

void read_trainer(ProtobufReader trainer, ModelProto& model) {
  while (trainer.next()) {
    if (trainer.field() == 3) model.model_type = trainer.integer();
    if (trainer.field() == 24) model.blank_behind = trainer.boolean();
    if (trainer.field() == 35) model.byte_fallback = trainer.boolean();
    if (trainer.field() == 41) model.begin = trainer.integer();
    if (trainer.field() == 42) model.end = trainer.integer();
  }
}

void read_normalizer_spec(ProtobufReader normalizer, ModelProto& model) {
  while (normalizer.next()) {
    if (normalizer.field() == 2) model.charsmap = normalizer.bytes();
    if (normalizer.field() == 3) model.dummy_prefix = normalizer.boolean();
    if (normalizer.field() == 4) model.remove_extra = normalizer.boolean();
    if (normalizer.field() == 5) model.escape = normalizer.boolean();
  }
}

ModelProto read_model(std::string_view bytes, std::string_view where) {
  ModelProto model;
  ProtobufReader file(bytes, where);
  while (file.next()) {
    if (file.field() == 1) read_piece({file.bytes(), where}, model.pieces);
    if (file.field() == 2) read_trainer({file.bytes(), where}, model);
    if (file.field() == 3) read_normalizer_spec({file.bytes(), where}, model);
  }
  check_pieces(model.pieces, where);
  return model;
}

std::vector<NormalStep> normal_steps(const ModelProto& model, std::string_view where) {
  using Kind = NormalStep::Kind;
  std::vector<NormalStep> steps;
  if (!model.charsmap.empty()) {
    Charsmap::check(model.charsmap, where);
    steps.push_back({Kind::charsmap, std::string(model.charsmap)});
  }
  if (model.remove_extra) steps.insert(steps.end(), {{Kind::trim}, {Kind::squeeze, {}, " "}});
  if (model.dummy_prefix) steps.push_back({Kind::prepend, {}, std::string(kBlankMark)});
  steps.push_back(mark_blanks());
  return steps;
}

// In a sum of scores SentencePiece lets user-defined pieces win by a score for each byte.
void add_unigram_scores(const PieceList& pieces, Vocabulary& vocabulary) {
  float best = -std::numeric_limits<float>::infinity();
  for (size_t id = 0; id < pieces.texts.size(); ++id)
    if (pieces.types[id] == int32_t(PieceType::normal)) best = std::max(best, pieces.scores[id]);
  for (size_t id = 0; id < pieces.texts.size(); ++id) {
    const bool user_defined = pieces.types[id] == int32_t(PieceType::user_defined) && std::isfinite(best);
    vocabulary.scores.push_back(user_defined ? double(float(pieces.texts[id].size()) * best) - 0.1 : pieces.scores[id]);
  }
}

}  // namespace

TokenizerData parse_sentencepiece(std::string_view bytes, std::string_view where) {
  const ModelProto model = read_model(bytes, where);
  const PieceList& pieces = model.pieces;
  const bool is_unigram = model.model_type == int64_t(ModelType::unigram);
  require(is_unigram || model.model_type == int64_t(ModelType::bpe),
          "[{}] expected a unigram or BPE model (1 or 2), got the model type {}", where, model.model_type);
  require(!model.blank_behind, "[{}] white space behind words (treat_whitespace_as_suffix) is not supported", where);
  require(model.escape, "[{}] a model that does not write blanks as {} is not supported", where, kBlankMark);
  const auto has = [&](PieceType type) {
    return std::find(pieces.types.begin(), pieces.types.end(), int32_t(type)) != pieces.types.end();
  };

  TokenizerData data;
  Vocabulary& vocabulary = data.vocabulary;
  vocabulary.kind = is_unigram ? Vocabulary::Kind::unigram : Vocabulary::Kind::characters;
  vocabulary.tokens.assign(pieces.texts.begin(), pieces.texts.end());
  vocabulary.byte_fallback = model.byte_fallback;
  vocabulary.fuse_unknown = true;
  for (size_t id = 0; id < pieces.texts.size(); ++id)
    if (pieces.types[id] == int32_t(PieceType::unknown)) vocabulary.unknown = TokenId(id);
  data.normal = normal_steps(model, where);
  data.drops_prefix = model.dummy_prefix;
  add_special_pieces(pieces, data);
  if (is_unigram) {
    add_unigram_scores(pieces, vocabulary);
    // Scores let them win: they are entries like others.
    std::erase_if(data.added, [](const AddedToken& token) { return !token.special; });
  } else {
    require(!has(PieceType::user_defined) || data.normal.size() == 1,
            "[{}] user-defined pieces in a BPE model whose normaliser changes more than blanks are not supported",
            where);
    for (AddedToken& token : data.added) token.normalized = !token.special;
    add_scored_merges(pieces, where, vocabulary);
  }
  const auto control = [&](int64_t id) {
    const bool is =
        id >= 0 && id < int64_t(pieces.texts.size()) && pieces.types[size_t(id)] == int32_t(PieceType::control);
    return is ? TokenId(id) : kNoToken;
  };
  data.begin_token = control(model.begin);
  // No field says so: the tokenizers of Llama and Gemma do it unless told otherwise, T5's, a unigram model, does not.
  data.prepends_begin = !is_unigram && data.begin_token != kNoToken;
  if (const TokenId end = control(model.end); end != kNoToken) data.end_tokens = {end};
  return data;
}

}  // namespace fude
