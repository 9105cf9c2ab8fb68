#include "infer/grammar/lexeme_masks.h"

#include <algorithm>
#include <array>
#include <string>

namespace fude::grammar {

namespace {

constexpr int32_t kAskedNodes = 8;     // below a node, for it to be worth asking what they are made of
constexpr int32_t kCopiedNodes = 100;  // behind an end of a lexeme, at most

// Walks a tree of tokens from a state of a lexer.
struct MaskWalk {
  Lexer& lexer;
  int32_t state;
  TokenSet& inside;
  LexemeMask& result;
  std::vector<std::pair<std::string, TokenId>>& rests;
  PlainSteps& plain_steps;
  MaskSteps& steps;

  // `chain`: tokens of the kinds that it takes or refuses are known already.
  void run(const TokenTrie& trie, const PlainSteps::Chain& chain = {}) {
    const std::span<const TokenTrie::Node> nodes = trie.nodes();
    const Kinds known = chain.taken | chain.refused;
    std::array<int32_t, kLongestOfferedToken + 1> states;  // of the lexer, by depth
    std::array<bool, kLongestOfferedToken + 1> is_taken;   // whether all bytes up to there are of kinds that are taken
    states[0] = state, is_taken[0] = true;
    std::vector<int32_t> ends;  // nodes with children at which the lexeme can end
    for (int32_t i = 0; size_t(i) < nodes.size();) {
      steps.take();
      const TokenTrie::Node& node = nodes[size_t(i)];
      const int32_t next = states[node.depth] = lexer.next(states[size_t(node.depth) - 1], node.byte);
      if (next == kDead) {
        i = node.end;
        continue;
      }
      trie.for_tokens(node, [&](TokenId token) { inside.set(token); });
      if (!trie.below().empty()) {
        const TokenTrie::Below& below = trie.below()[size_t(i)];
        is_taken[node.depth] = is_taken[size_t(node.depth) - 1] && (below.kind & ~chain.taken) == 0;
        if (is_taken[node.depth] && (below.kinds & ~known) == 0) {
          i = node.end;
          continue;
        }
        if (below.kind != 0 && node.end - i > kAskedNodes && add_reached(trie, i, next)) {
          i = node.end;
          continue;
        }
      }
      if (node.end > i + 1 && lexer.accepts(next)) ends.push_back(i);
      ++i;
    }
    for (const int32_t from : ends)
      if (nodes[size_t(from)].end - from > kCopiedNodes)
        result.places.push_back({&trie, from});
      else
        add_rests(trie, from);
  }

  // The tokens below a node with the lexer in state `next`, if what they are made of says which ones can come.
  bool add_reached(const TokenTrie& trie, int32_t node, int32_t next) {
    const TokenTrie::Below& below = trie.below()[size_t(node)];
    const int reach = plain_steps.reach(below.kinds, next, below.longest, lexer);
    if (reach == PlainSteps::kMixed) return false;
    for (const auto [token, points] : trie.tokens_below(node))
      if (points <= below.points + reach) inside.set(token);
    return true;
  }

  void add_rests(const TokenTrie& trie, int32_t from) {
    const std::span<const TokenTrie::Node> nodes = trie.nodes();
    std::string rest;
    for (int32_t i = from + 1; i < nodes[size_t(from)].end; ++i) {
      const TokenTrie::Node& node = nodes[size_t(i)];
      rest.resize(size_t(node.depth - nodes[size_t(from)].depth) - 1);
      rest += char(node.byte);
      trie.for_tokens(node, [&](TokenId token) {
        if (!inside.has(token)) rests.emplace_back(rest, token);
      });
    }
  }
};

}  // namespace

void LexemeMask::add_inside(TokenSet& mask) const {
  mask.add(inside);
  for (const TokenId token : few) mask.set(token);
}

const LexemeMask& LexemeMasks::find(int32_t lexeme, int32_t state, Lexer& lexer, MaskSteps& steps) {
  const uint64_t key = uint64_t(uint32_t(lexeme)) << 32 | uint32_t(lexer.like(state, kLongestOfferedToken));
  const auto found = masks_.find(key);
  if (found != masks_.end()) return found->second;
  LexemeMask made = make(key, lexer, steps);
  if (bytes_ + made.bytes() > most_bytes_) masks_.clear(), plain_steps_.clear(), bytes_ = 0;
  bytes_ += made.bytes() + sizeof(LexemeMask);
  return masks_.emplace(key, std::move(made)).first->second;
}

LexemeMask LexemeMasks::make(uint64_t key, Lexer& lexer, MaskSteps& steps) {
  LexemeMask result;
  TokenSet inside(vocabulary_size_);
  std::vector<std::pair<std::string, TokenId>> rests;
  PlainSteps& plain_steps = plain_steps_.try_emplace(int32_t(key >> 32), tries_.wide_characters).first->second;
  const size_t bytes_before = plain_steps.bytes();
  MaskWalk walk{lexer, int32_t(key), inside, result, rests, plain_steps, steps};
  const auto chain = plain_steps.chain(int32_t(key), VocabularyTries::kLongestPlain, lexer);
  if (chain && chain->taken == kAllKinds) {
    inside = tries_.plain_up_to[size_t(chain->count)];
  } else {
    if (chain)
      for (const VocabularyTries::Group& group : tries_.groups) {
        if ((group.kinds & ~chain->taken) != 0) continue;
        for (const auto [token, points] : group.tokens) {
          if (points > chain->count) break;
          inside.set(token);
        }
      }
    walk.run(tries_.plain, chain.value_or(PlainSteps::Chain{}));
  }
  walk.run(tries_.others);
  bytes_ += plain_steps.bytes() - bytes_before;
  result.rests = TokenTrie(std::move(rests));
  if (size_t(inside.count()) * sizeof(TokenId) > inside.words().size_bytes() / 2) {
    result.inside = std::move(inside);
  } else {
    inside.for_each([&](TokenId token) { result.few.push_back(token); });
  }
  return result;
}

}  // namespace fude::grammar
