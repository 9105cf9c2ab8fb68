#include "infer/grammar/lexeme_masks.h"

#include <array>

namespace fude::grammar {

void LexemeMask::add_inside(TokenMask& mask) const {
  for (size_t i = 0; i < inside.words().size(); ++i) mask.words()[i] |= inside.words()[i];
  for (const TokenId token : few) mask.set(token);
}

const LexemeMask& LexemeMasks::find(int32_t lexeme, int32_t state, Lexer& lexer) {
  const uint64_t key = uint64_t(uint32_t(lexeme)) << 32 | uint32_t(state);
  const auto found = masks_.find(key);
  if (found != masks_.end()) return found->second;
  LexemeMask made = make(state, lexer);
  if (bytes_ + made.bytes() > most_bytes_) masks_.clear(), bytes_ = 0;
  bytes_ += made.bytes() + sizeof(LexemeMask);
  return masks_.emplace(key, std::move(made)).first->second;
}

LexemeMask LexemeMasks::make(int32_t state, Lexer& lexer) {
  LexemeMask result;
  TokenMask inside(vocabulary_size_);
  const std::span<const TokenTrie::Node> nodes = trie_.nodes();
  std::array<int32_t, kLongestOfferedToken + 1> states;  // of the lexer, by depth
  states[0] = state;
  std::vector<int32_t> ends;  // nodes with children at which the lexeme can end
  for (int32_t i = 0; size_t(i) < nodes.size();) {
    const TokenTrie::Node& node = nodes[size_t(i)];
    const int32_t next = states[node.depth] = lexer.next(states[size_t(node.depth) - 1], node.byte);
    if (next == kDead) {
      i = node.end;
      continue;
    }
    trie_.for_tokens(node, [&](TokenId token) { inside.set(token), result.few.push_back(token); });
    if (node.end > i + 1 && lexer.accepts(next)) ends.push_back(i);
    ++i;
  }
  std::vector<std::pair<std::string, TokenId>> rests;
  for (const int32_t from : ends) {
    std::string rest;
    for (int32_t i = from + 1; i < nodes[size_t(from)].end; ++i) {
      const TokenTrie::Node& node = nodes[size_t(i)];
      rest.resize(size_t(node.depth - nodes[size_t(from)].depth) - 1);
      rest += char(node.byte);
      trie_.for_tokens(node, [&](TokenId token) {
        if (!inside.has(token)) rests.emplace_back(rest, token);
      });
    }
  }
  result.rests = TokenTrie(std::move(rests));
  if (result.few.size() * sizeof(TokenId) > inside.words().size_bytes() / 2) {
    result.few = {};
    result.inside = std::move(inside);
  } else {
    result.few.shrink_to_fit();
  }
  return result;
}

}  // namespace fude::grammar
