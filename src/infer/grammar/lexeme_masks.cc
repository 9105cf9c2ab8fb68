#include "infer/grammar/lexeme_masks.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string>

namespace fude::grammar {

namespace {

constexpr int kAskedDepth = 3;         // where it is worth asking whether all that follows is plain
constexpr int32_t kCopiedNodes = 100;  // behind an end of a lexeme, at most

// The state behind one character that is plain text, if it is the same for all of them; else kDead. UTF-8's ranges by
// Unicode table 3-7.
int32_t behind_plain(int32_t state, Lexer& lexer) {
  std::vector<int32_t> one{state}, behind;
  bool is_dead = false;
  const auto step = [&](const std::vector<int32_t>& from, int low, int high) {
    std::vector<int32_t> to;
    for (const int32_t at : from)
      for (int byte = low; byte <= high; ++byte) {
        if (byte == '"' || byte == '\\') continue;
        const int32_t next = lexer.next(at, uint8_t(byte));
        if (next == kDead)
          is_dead = true;
        else if (std::find(to.begin(), to.end(), next) == to.end())
          to.push_back(next);
      }
    return to;
  };
  const auto end = [&](const std::vector<int32_t>& states) {
    behind.insert(behind.end(), states.begin(), states.end());
  };
  end(step(one, 0x20, 0x7F));
  if (is_dead || behind.size() != 1) return kDead;  // the common answer, soon
  const auto tail = [&](const std::vector<int32_t>& states) { return step(states, 0x80, 0xBF); };
  end(tail(step(one, 0xC2, 0xDF)));
  end(tail(step(step(one, 0xE0, 0xE0), 0xA0, 0xBF)));
  end(tail(tail(step(one, 0xE1, 0xEC))));
  end(tail(step(step(one, 0xED, 0xED), 0x80, 0x9F)));
  end(tail(tail(step(one, 0xEE, 0xEF))));
  end(tail(tail(step(step(one, 0xF0, 0xF0), 0x90, 0xBF))));
  end(tail(tail(tail(step(one, 0xF1, 0xF3)))));
  end(tail(tail(step(step(one, 0xF4, 0xF4), 0x80, 0x8F))));
  const bool is_one = std::all_of(behind.begin(), behind.end(), [&](int32_t other) { return other == behind[0]; });
  return is_dead || !is_one ? kDead : behind[0];
}

// Walks a tree of tokens from a state of a lexer.
struct MaskWalk {
  Lexer& lexer;
  int32_t state;
  TokenSet& inside;
  LexemeMask& result;
  std::vector<std::pair<std::string, TokenId>>& rests;
  // Whether any plain text can come in a state; of the tree of plain tokens, all below is then inside.
  std::function<bool(int32_t)> takes_plain;
  bool is_dense = false;

  void run(const TokenTrie& trie) {
    const std::span<const TokenTrie::Node> nodes = trie.nodes();
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
      trie.for_tokens(node, [&](TokenId token) { inside.set(token), result.few.push_back(token); });
      if (takes_plain && node.depth <= kAskedDepth && node.end > i + 1 && takes_plain(next)) {
        is_dense = true;
        for (++i; i < node.end; ++i) trie.for_tokens(nodes[size_t(i)], [&](TokenId token) { inside.set(token); });
        continue;
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
  for (size_t i = 0; i < inside.words().size(); ++i) mask.words()[i] |= inside.words()[i];
  for (const TokenId token : few) mask.set(token);
}

const LexemeMask& LexemeMasks::find(int32_t lexeme, int32_t state, Lexer& lexer) {
  const uint64_t key = uint64_t(uint32_t(lexeme)) << 32 | uint32_t(state);
  const auto found = masks_.find(key);
  if (found != masks_.end()) return found->second;
  LexemeMask made = make(key, lexer);
  if (bytes_ + made.bytes() > most_bytes_) masks_.clear(), behind_plain_.clear(), bytes_ = 0;
  bytes_ += made.bytes() + sizeof(LexemeMask);
  return masks_.emplace(key, std::move(made)).first->second;
}

// Whether as much plain text as any plain token has can come.
bool LexemeMasks::takes_plain_text(uint64_t key, Lexer& lexer) {
  auto state = int32_t(key);
  for (size_t left = VocabularyTries::kLongestPlain; left > 0; --left) {
    const uint64_t place = (key >> 32) << 32 | uint32_t(state);
    const auto [found, is_new] = behind_plain_.try_emplace(place, kDead);
    if (is_new) found->second = behind_plain(state, lexer);
    if (found->second == kDead) return false;
    if (found->second == state) return true;
    state = found->second;
  }
  return true;
}

LexemeMask LexemeMasks::make(uint64_t key, Lexer& lexer) {
  LexemeMask result;
  TokenSet inside(vocabulary_size_);
  std::vector<std::pair<std::string, TokenId>> rests;
  MaskWalk walk{lexer, int32_t(key), inside, result, rests};
  if (takes_plain_text(key, lexer)) {
    inside = tries_.all_plain;
    walk.is_dense = true;
    walk.run(tries_.others);
  } else {
    walk.run(tries_.others);
    int32_t asked = kDead;
    bool answer = false;
    walk.takes_plain = [&](int32_t state) {  // mostly the same state again
      if (state != asked) answer = takes_plain_text((key >> 32) << 32 | uint32_t(asked = state), lexer);
      return answer;
    };
    walk.run(tries_.plain);
  }
  result.rests = TokenTrie(std::move(rests));
  if (walk.is_dense || result.few.size() * sizeof(TokenId) > inside.words().size_bytes() / 2) {
    result.few = {};
    result.inside = std::move(inside);
  } else {
    result.few.shrink_to_fit();
  }
  return result;
}

}  // namespace fude::grammar
