#include "infer/grammar/token_trie.h"

#include <algorithm>

#include "text/unicode.h"

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

VocabularyTries::VocabularyTries(const std::vector<std::string>& tokens) : all_plain(int64_t(tokens.size())) {
  const auto is_plain = [](const std::string& bytes) {
    size_t points = 0;
    for (size_t at = 0; at < bytes.size(); ++points) {
      const Character c = decode_character(bytes, at);
      if (c.code_point == kInvalid || c.code_point < 0x20 || c.code_point == '"' || c.code_point == '\\') return false;
      at += c.length;
    }
    return points <= kLongestPlain;
  };
  std::vector<std::pair<std::string, TokenId>> entries[2];
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty() || tokens[i].size() > kLongestOfferedToken) continue;
    const bool plain_token = is_plain(tokens[i]);
    entries[plain_token].emplace_back(tokens[i], TokenId(i));
    if (plain_token) all_plain.set(TokenId(i));
  }
  others = TokenTrie(std::move(entries[0]));
  plain = TokenTrie(std::move(entries[1]));
}

}  // namespace fude::grammar
