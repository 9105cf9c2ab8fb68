#include "infer/grammar/token_trie.h"

#include <algorithm>

namespace fude::grammar {

TokenTrie::TokenTrie(std::vector<std::pair<std::string, TokenId>> entries) {
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  std::vector<int32_t> open;  // nodes on the way to the last entry
  std::string_view last;
  const auto close = [&](size_t depth) {
    for (; open.size() > depth; open.pop_back()) nodes_[size_t(open.back())].end = int32_t(nodes_.size());
  };
  for (const auto& [bytes, token] : entries) {
    if (bytes == last) {
      same_.push_back({open.back(), token});
      continue;
    }
    const size_t shared =
        size_t(std::mismatch(bytes.begin(), bytes.end(), last.begin(), last.end()).first - bytes.begin());
    close(shared);
    for (size_t depth = shared; depth < bytes.size(); ++depth) {
      open.push_back(int32_t(nodes_.size()));
      nodes_.push_back({kNoToken, 0, uint16_t(depth + 1), uint8_t(bytes[depth])});
    }
    nodes_.back().token = token;
    last = bytes;
  }
  close(0);
  std::sort(same_.begin(), same_.end());
}

bool TokenTrie::can_continue(std::string_view bytes) const {
  int32_t at = 0, end = int32_t(nodes_.size());
  for (const char byte : bytes) {
    while (at < end && nodes_[size_t(at)].byte != uint8_t(byte)) at = nodes_[size_t(at)].end;
    if (at >= end) return false;
    end = nodes_[size_t(at)].end;
    ++at;
  }
  return at < end;
}

}  // namespace fude::grammar
