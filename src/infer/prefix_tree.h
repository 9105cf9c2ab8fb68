// Which pages hold the keys and values of which beginnings: a tree keyed by tokens, shared by running and finished
// requests.
//
// A node is one page; an edge is the page's tokens, 32 of them or, at the end of what was computed, fewer. A root
// stands for what else decides keys and values: the adapter and the version of the weights. (Their type is the pool's.)
// No child's tokens begin with those of another, so in lexical order the one with the longest common beginning is a
// neighbour. The tree holds one reference to each of its pages; where the pool runs dry, leaves that nobody else refers
// to leave it, the one longest unused first.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "infer/paged_kv.h"

namespace fude {

struct PrefixKey {
  uint64_t adapter = 0, version = 0;
  auto operator<=>(const PrefixKey&) const = default;
};

class PrefixTree {
 public:
  // The pool must outlive the tree.
  explicit PrefixTree(PagePool& pool);
  ~PrefixTree();
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  // What is known of the longest beginning of `tokens`: whole pages, and the page whose first `rows` rows go on from
  // there (-1: none). The caller takes references before anything else happens to the tree.
  struct Match {
    std::vector<Page> pages;
    Page partial = -1;
    int64_t rows = 0;
    int64_t tokens() const { return int64_t(pages.size()) * kKeyPage + rows; }
  };
  Match find(const PrefixKey& key, std::span<const int32_t> tokens);

  // Puts in the pages of `tokens`, the last one perhaps not full. Where the tree has a full page of the same tokens it
  // stays, and takes the place of the caller's in `pages`, whose reference moves to it: so whoever holds a page holds
  // all before it, and what nobody holds can leave from the leaves on. Rows of a page behind its tokens may still be
  // written, those before them no more.
  void insert(const PrefixKey& key, std::span<const int32_t> tokens, std::vector<Page>& pages);

  // Frees the page of the leaf longest unused that nobody else refers to; false if there is none.
  bool evict();
  void clear();
  int64_t pages() const { return size_; }

 private:
  struct Node;
  struct Lexical {
    using is_transparent = void;
    bool operator()(std::span<const int32_t> a, std::span<const int32_t> b) const;
  };
  using Children = std::map<std::vector<int32_t>, std::unique_ptr<Node>, Lexical>;
  struct Node {
    Node* parent = nullptr;
    Page page = -1;
    int64_t used = 0;
    Children children;
    Children::iterator self;  // in the parent's children
  };

  void touch(Node& node);
  void remove(Node& leaf);

  PagePool& pool_;
  std::map<PrefixKey, Node> roots_;
  std::map<int64_t, Node*> leaves_;  // by when they were last used
  int64_t clock_ = 0, size_ = 0;
};

}  // namespace fude
