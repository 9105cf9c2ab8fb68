#include "text/pieces.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/error.h"
#include "text/byte_names.h"
#include "text/unicode.h"

namespace fude {
namespace {

bool has_type(const PieceList& pieces, size_t id, PieceType type) { return pieces.types[id] == int32_t(type); }

}  // namespace

void check_pieces(const PieceList& pieces, std::string_view where) {
  const size_t count = pieces.texts.size();
  require(count > 0, "[{}] expected a vocabulary, got no pieces", where);
  require(pieces.types.size() == count && (pieces.scores.empty() || pieces.scores.size() == count),
          "[{}] expected as many scores and types as pieces ({}), got {} and {}", where, count, pieces.scores.size(),
          pieces.types.size());
  for (size_t id = 0; id < count; ++id) {
    require(pieces.types[id] >= 1 && pieces.types[id] <= 6, "[{}] expected a piece type in [1, 6], got {} at id {}",
            where, pieces.types[id], id);
    require(!pieces.texts[id].empty() && pieces.texts[id].size() <= kLongestToken && is_valid_utf8(pieces.texts[id]),
            "[{}] expected a piece of 1 to {} bytes of UTF-8 at id {}", where, kLongestToken, id);
    require(pieces.scores.empty() || std::isfinite(pieces.scores[id]), "[{}] the score of piece {} is not finite",
            where, id);
  }
}

void add_special_pieces(const PieceList& pieces, TokenizerData& data) {
  for (size_t id = 0; id < pieces.texts.size(); ++id) {
    if (has_type(pieces, id, PieceType::normal) || has_type(pieces, id, PieceType::byte)) continue;
    AddedToken token{.id = TokenId(id), .content = std::string(pieces.texts[id])};
    if (has_type(pieces, id, PieceType::user_defined)) {
      token.special = false;
      token.content = replace_all(token.content, kBlankMark, " ");
    }
    data.added.push_back(std::move(token));
  }
}

void add_scored_merges(const PieceList& pieces, std::string_view where, Vocabulary& vocabulary) {
  std::unordered_map<std::string_view, TokenId> normal;
  std::vector<TokenId> order;
  for (size_t id = 0; id < pieces.texts.size(); ++id) {
    if (has_type(pieces, id, PieceType::normal)) normal.emplace(pieces.texts[id], TokenId(id));
    if (has_type(pieces, id, PieceType::normal) || has_type(pieces, id, PieceType::unused))
      order.push_back(TokenId(id));
  }
  const auto score = [&](TokenId id) { return pieces.scores[size_t(id)]; };
  std::stable_sort(order.begin(), order.end(), [&](TokenId a, TokenId b) { return score(a) > score(b); });
  uint32_t rank = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && score(order[i]) != score(order[i - 1])) ++rank;
    const std::string_view text = pieces.texts[size_t(order[i])];
    for (size_t cut = 0; (cut += decode_character(text, cut).length) < text.size();) {
      const auto left = normal.find(text.substr(0, cut)), right = normal.find(text.substr(cut));
      if (left == normal.end() || right == normal.end()) continue;
      // SentencePiece would merge it and take it apart again, once nothing else is to be merged.
      require(!has_type(pieces, size_t(order[i]), PieceType::unused),
              "[{}] the unused piece '{}' is made of other pieces, which is not supported", where, text);
      vocabulary.merges.push_back({left->second, right->second, order[i], rank});
    }
  }
}

}  // namespace fude
