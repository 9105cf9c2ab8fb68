#include "text/unigram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "text/byte_names.h"
#include "text/unicode.h"

namespace fude {
namespace {

constexpr double kMissingPenalty = 10;

// The best way to reach a place of the text: its score, and its last step.
struct Reached {
  double score = -std::numeric_limits<double>::infinity();
  size_t from = 0;
  TokenId token = kNoToken;  // none: a character without an entry
};

}  // namespace

Unigram::Unigram(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)), fallback_(vocabulary_) {
  const auto& tokens = vocabulary_.tokens;
  require(vocabulary_.scores.size() == tokens.size(), "[unigram] expected a score for each of {} entries, got {}",
          tokens.size(), vocabulary_.scores.size());
  double least = 0;
  for (size_t id = 0; id < tokens.size(); ++id) {
    require(std::isfinite(vocabulary_.scores[id]), "[unigram] the score of entry {} is not finite", id);
    least = id == 0 ? vocabulary_.scores[id] : std::min(least, vocabulary_.scores[id]);
    require(is_valid_utf8(tokens[id]), "[unigram] the entry {} is not valid UTF-8", id);
    // Bytes are what characters fall back to; a text that spells one means its characters.
    const bool is_byte = vocabulary_.byte_fallback && byte_of_piece(tokens[id]);
    if (!tokens[id].empty() && !is_byte) trie_.insert(tokens[id], TokenId(id));
  }
  missing_score_ = least - kMissingPenalty;
}

void Unigram::encode_piece(std::string_view piece, std::vector<TokenId>& out) const {
  std::vector<Reached> reached(piece.size() + 1);
  reached[0].score = 0;
  for (size_t at = 0; at < piece.size();) {
    const size_t length = decode_character(piece, at).length;
    const auto step = [&](size_t to, double score, TokenId token) {
      score += reached[at].score;
      if (score > reached[to].score) reached[to] = {score, at, token};
    };
    bool character_has_entry = false;
    TokenId node = Trie::kRoot;
    for (size_t end = at; end < piece.size();) {
      node = trie_.next(node, piece[end++]);
      if (node == kNoToken) break;
      const TokenId token = trie_.token(node);
      if (token == kNoToken) continue;
      step(end, vocabulary_.scores[size_t(token)], token);
      character_has_entry |= end == at + length;
    }
    if (!character_has_entry) step(at + length, missing_score_, kNoToken);
    at += length;
  }
  std::vector<size_t> ends;  // of the steps, last first
  for (size_t at = piece.size(); at > 0; at = reached[at].from) ends.push_back(at);
  const size_t begin = out.size();
  for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
    const Reached& last = reached[*end];
    if (last.token != kNoToken)
      out.push_back(last.token);
    else
      fallback_.append(piece.substr(last.from, *end - last.from), begin, out);
  }
}

}  // namespace fude
