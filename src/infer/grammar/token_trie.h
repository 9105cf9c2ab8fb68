// The bytes of a vocabulary's tokens as a tree in one array, for walking all of it fast.
//
// Nodes lie in preorder: a walk is a loop over the array, and a byte that cannot come skips to where its subtree ends.
// (text/trie.h is the other kind: one look-up per byte, for following one text.)
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "infer/grammar/character_kinds.h"
#include "infer/grammar/token_set.h"
#include "text/bpe.h"

namespace fude::grammar {

// Longer tokens are never offered: they would make a walk as deep as a file from strangers says.
constexpr size_t kLongestOfferedToken = 256;

class TokenTrie {
 public:
  struct Node {
    TokenId token;   // that ends here, or kNoToken
    int32_t end;     // the number of the node behind its subtree
    uint16_t depth;  // of its byte: 1 for the first
    uint8_t byte;
  };
  // What the tokens below a node are made of, behind it.
  struct Below {
    Kinds kinds = 0;                  // of characters
    Kinds kind = 0;                   // of the one that ends at the node; none inside a character
    int32_t first_token = 0;          // of them, among the tokens in the order of nodes
    uint8_t points = 0, longest = 0;  // code points up to the node, and of the longest token behind it; up to 255
  };
  struct PlainToken {
    TokenId token;
    uint8_t points;  // its code points
  };

  TokenTrie() = default;
  // Entries: bytes (not empty) and the token that they are. Of the same bytes several tokens are kept.
  explicit TokenTrie(std::vector<std::pair<std::string, TokenId>> entries);

  std::span<const Node> nodes() const { return nodes_; }
  // By node; empty unless it was asked for, of a tree of whole characters.
  std::span<const Below> below() const { return below_; }
  void describe();
  std::span<const PlainToken> tokens_below(int32_t node) const {
    const int32_t first = below_[size_t(node)].first_token,
                  last = below_[size_t(nodes_[size_t(node)].end) - 1].first_token;
    return std::span(plain_tokens_).subspan(size_t(first), size_t(last - first));
  }
  // Calls `use` with each token that ends at the node.
  template <class Use>
  void for_tokens(const Node& node, Use&& use) const {
    if (node.token == kNoToken) return;
    use(node.token);
    if (same_.empty()) return;
    const auto number = int32_t(&node - nodes_.data());
    for (auto i = std::lower_bound(same_.begin(), same_.end(), std::pair{number, kNoToken});
         i != same_.end() && i->first == number; ++i)
      use(i->second);
  }
  size_t bytes() const { return nodes_.size() * sizeof(Node) + same_.size() * sizeof(same_[0]); }

 private:
  std::vector<Node> nodes_;
  std::vector<Below> below_;
  std::vector<PlainToken> plain_tokens_;
  std::vector<std::pair<int32_t, TokenId>> same_;  // a node's number, and another token that ends there; sorted
};

// Most of a vocabulary is plain text: whole characters without quotes, backslashes and control characters. Where a
// grammar takes any plain text, all of these tokens are allowed at once, or those that are short enough, and only the
// others are walked.
struct VocabularyTries {
  static constexpr size_t kLongestPlain = 32;  // code points of a plain token

  TokenTrie plain, others;
  TokenTrie wide_characters;                            // of plain tokens, beyond ASCII
  std::array<TokenSet, kLongestPlain + 1> plain_up_to;  // by code points
  // The same tokens by the kinds of characters that they are made of.
  struct Group {
    Kinds kinds = 0;
    std::vector<TokenTrie::PlainToken> tokens;  // the shortest first
  };
  std::vector<Group> groups;

  // By id; empty: matches nothing.
  explicit VocabularyTries(const std::vector<std::string>& tokens);
};

}  // namespace fude::grammar
