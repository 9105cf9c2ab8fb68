// Which entries begin at a place of a text: a tree over bytes, walked one byte at a time.
//
// A node is a number, and its children are pairs (node, byte) in one open-addressing table, so that a step is one look
// at memory and a vocabulary of a million nodes is two arrays.
#pragma once

#include <string_view>
#include <vector>

#include "text/bpe.h"

namespace fude {

class Trie {
 public:
  static constexpr TokenId kRoot = 0;

  void insert(std::string_view bytes, TokenId token) {
    TokenId node = kRoot;
    for (const char byte : bytes) {
      TokenId child = next(node, byte);
      if (child == kNoToken) {
        child = TokenId(tokens_.size());
        tokens_.push_back(kNoToken);
        children_.insert({node, uint8_t(byte), child, 0});
      }
      node = child;
    }
    tokens_[size_t(node)] = token;
  }
  // The node that `byte` leads to, or kNoToken.
  TokenId next(TokenId node, char byte) const { return children_.find(node, uint8_t(byte)).result; }
  // The entry that ends at a node, or kNoToken.
  TokenId token(TokenId node) const { return tokens_[size_t(node)]; }

 private:
  PairTable children_;
  std::vector<TokenId> tokens_ = {kNoToken};  // by node
};

}  // namespace fude
