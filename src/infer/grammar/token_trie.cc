#include "infer/grammar/token_trie.h"

#include <algorithm>
#include <map>

#include "infer/grammar/characters.h"
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

void TokenTrie::describe() {
  below_.assign(nodes_.size(), {});
  std::vector<int32_t> open;  // nodes on the way to the current one
  std::string bytes;
  for (int32_t i = 0; size_t(i) < nodes_.size(); ++i) {
    const Node& node = nodes_[size_t(i)];
    open.resize(size_t(node.depth) - 1);
    Below& here = below_[size_t(i)];
    bytes.resize(open.size());
    bytes += char(node.byte);
    if (incomplete_suffix(bytes) == 0)
      here.kind = bit_of(kind_of(decode_character(bytes, begin_of_last(bytes)).code_point));
    const int before = open.empty() ? 0 : below_[size_t(open.back())].points;
    here.points = uint8_t(std::min(255, before + ((node.byte & 0xC0) != 0x80)));
    for_tokens(node, [&](TokenId token) { plain_tokens_.push_back({token, here.points}); });
    here.first_token = int32_t(plain_tokens_.size());
    for (const int32_t parent : open) {
      Below& above = below_[size_t(parent)];
      above.kinds |= here.kind;
      above.longest = std::max(above.longest, uint8_t(here.points - above.points));
    }
    open.push_back(i);
  }
}

VocabularyTries::VocabularyTries(const std::vector<std::string>& tokens) {
  // Code points of a plain token, 0 for another.
  const auto plain_points = [](const std::string& bytes) -> size_t {
    size_t points = 0;
    for (size_t at = 0; at < bytes.size(); ++points) {
      const Character c = decode_character(bytes, at);
      if (c.code_point == kInvalid || c.code_point < 0x20 || c.code_point == '"' || c.code_point == '\\') return 0;
      at += c.length;
    }
    return points <= kLongestPlain ? points : 0;
  };
  plain_up_to.fill(TokenSet(int64_t(tokens.size())));
  std::vector<std::pair<std::string, TokenId>> entries[2], characters;
  std::map<Kinds, Group> by_kinds;
  std::vector<bool> is_known(kLastCodePoint + 1);  // code points of `characters`
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty() || tokens[i].size() > kLongestOfferedToken) continue;
    const size_t points = plain_points(tokens[i]);
    entries[points > 0].emplace_back(tokens[i], TokenId(i));
    if (points == 0) continue;
    plain_up_to[points].set(TokenId(i));
    Kinds kinds = 0;
    for (size_t at = 0; at < tokens[i].size();) {
      const Character c = decode_character(tokens[i], at);
      kinds |= bit_of(kind_of(c.code_point));
      if (c.length > 1 && !is_known[c.code_point]) {
        is_known[c.code_point] = true;
        characters.emplace_back(tokens[i].substr(at, c.length), 0);
      }
      at += c.length;
    }
    by_kinds[kinds].tokens.push_back({TokenId(i), uint8_t(points)});
  }
  for (auto& [kinds, group] : by_kinds) {
    std::ranges::stable_sort(group.tokens, {}, &TokenTrie::PlainToken::points);
    groups.push_back({kinds, std::move(group.tokens)});
  }
  for (size_t points = 1; points <= kLongestPlain; ++points) plain_up_to[points].add(plain_up_to[points - 1]);
  others = TokenTrie(std::move(entries[0]));
  plain = TokenTrie(std::move(entries[1]));
  plain.describe();
  wide_characters = TokenTrie(std::move(characters));
  wide_characters.describe();
}

}  // namespace fude::grammar
