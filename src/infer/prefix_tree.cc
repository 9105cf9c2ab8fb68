#include "infer/prefix_tree.h"

#include <algorithm>

#include "base/error.h"

namespace fude {
namespace {

int64_t common_beginning(std::span<const int32_t> a, std::span<const int32_t> b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

std::span<const int32_t> tokens_of_page(std::span<const int32_t> tokens, int64_t first) {
  return tokens.subspan(size_t(first), std::min(size_t(kKeyPage), tokens.size() - size_t(first)));
}

}  // namespace

bool PrefixTree::Lexical::operator()(std::span<const int32_t> a, std::span<const int32_t> b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

PrefixTree::PrefixTree(PagePool& pool) : pool_(pool) {}

PrefixTree::~PrefixTree() { clear(); }

PrefixTree::Match PrefixTree::find(const PrefixKey& key, std::span<const int32_t> tokens) {
  Match match;
  const auto root = roots_.find(key);
  if (root == roots_.end()) return match;
  for (Node* node = &root->second; match.tokens() < int64_t(tokens.size());) {
    const auto wanted = tokens_of_page(tokens, match.tokens());
    const auto behind = node->children.lower_bound(wanted);
    auto best = node->children.end();
    const auto consider = [&](Children::iterator child) {
      const int64_t rows = common_beginning(child->first, wanted);
      if (rows > match.rows) match.rows = rows, best = child;
    };
    if (behind != node->children.end()) consider(behind);
    if (behind != node->children.begin()) consider(std::prev(behind));
    if (best == node->children.end()) break;
    node = best->second.get();
    touch(*node);
    if (match.rows < kKeyPage) {
      match.partial = node->page;
      break;
    }
    match.pages.push_back(node->page);
    match.rows = 0;
  }
  return match;
}

void PrefixTree::insert(const PrefixKey& key, std::span<const int32_t> tokens, std::vector<Page>& pages) {
  require(int64_t(pages.size()) >= pages_for(int64_t(tokens.size())), "[prefix_tree] expected {} pages, got {}",
          pages_for(int64_t(tokens.size())), pages.size());
  Node* node = &roots_[key];
  for (int64_t first = 0; first < int64_t(tokens.size()); first += kKeyPage) {
    const auto wanted = tokens_of_page(tokens, first);
    Page& page = pages[size_t(first / kKeyPage)];
    auto child = node->children.lower_bound(wanted);
    const bool is_known =
        child != node->children.end() && common_beginning(child->first, wanted) == int64_t(wanted.size());
    if (!is_known) {
      // One that these tokens begin with is replaced: it was not full, so it has no children.
      if (child != node->children.begin())
        if (const auto before = std::prev(child);
            std::ranges::equal(before->first, wanted.first(std::min(wanted.size(), before->first.size()))))
          remove(*before->second);
      pool_.share(page);
      child =
          node->children.emplace(std::vector<int32_t>(wanted.begin(), wanted.end()), std::make_unique<Node>()).first;
      *child->second = {node, page, 0, {}, child};
      ++size_;
      leaves_.erase(node->used);
    }
    node = child->second.get();
    touch(*node);
    if (node->page != page && int64_t(wanted.size()) == kKeyPage) {
      pool_.share(node->page);
      pool_.release(page);
      page = node->page;
    }
  }
}

bool PrefixTree::evict() {
  for (const auto& [used, leaf] : leaves_)
    if (pool_.references(leaf->page) == 1) {
      remove(*leaf);
      return true;
    }
  return false;
}

void PrefixTree::clear() {
  while (!leaves_.empty()) remove(*leaves_.begin()->second);
  roots_.clear();
}

void PrefixTree::touch(Node& node) {
  if (node.children.empty()) leaves_.erase(node.used);
  node.used = ++clock_;
  if (node.children.empty()) leaves_.emplace(node.used, &node);
}

void PrefixTree::remove(Node& leaf) {
  leaves_.erase(leaf.used);
  pool_.release(leaf.page);
  --size_;
  Node& parent = *leaf.parent;
  parent.children.erase(leaf.self);
  if (parent.parent != nullptr && parent.children.empty()) leaves_.emplace(parent.used, &parent);
}

}  // namespace fude
