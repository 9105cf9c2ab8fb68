// The slow and obvious way to do what src/text does fast.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "text/bpe.h"
#include "text/pretokenize.h"
#include "text/unicode.h"

namespace fude::reference {

// Byte-pair encoding by the definition: in each round the lowest rank, the leftmost of equals.
inline std::vector<TokenId> encode_piece(const Vocabulary& vocabulary, std::string_view piece) {
  std::map<std::string_view, TokenId> ids;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id)
    if (!vocabulary.tokens[id].empty()) ids[vocabulary.tokens[id]] = TokenId(id);
  if (vocabulary.whole_pieces && ids.count(piece)) return {ids[piece]};
  std::map<std::pair<TokenId, TokenId>, Merge> merges;
  for (const Merge& merge : vocabulary.merges) merges[{merge.left, merge.right}] = merge;
  std::vector<TokenId> symbols;
  for (size_t i = 0; i < piece.size(); ++i) {
    const auto found = ids.find(piece.substr(i, 1));
    const TokenId id = found == ids.end() ? vocabulary.unknown : found->second;
    const bool fused = found == ids.end() && vocabulary.fuse_unknown && !symbols.empty() && symbols.back() == id;
    if (id != kNoToken && !fused) symbols.push_back(id);
  }
  while (true) {
    const Merge* best = nullptr;
    size_t at = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = merges.find({symbols[i], symbols[i + 1]});
      if (found == merges.end() || (best && found->second.rank >= best->rank)) continue;
      best = &found->second;
      at = i;
    }
    if (best == nullptr) return symbols;
    symbols[at] = best->result;
    symbols.erase(symbols.begin() + ptrdiff_t(at) + 1);
  }
}

// The same from ranks alone, as tiktoken states it: neighbours merge if their bytes together are an entry.
inline std::vector<TokenId> encode_piece_by_ranks(const std::vector<std::string>& tokens, std::string_view piece) {
  std::map<std::string, TokenId> ids;
  for (size_t id = 0; id < tokens.size(); ++id) ids[tokens[id]] = TokenId(id);
  if (const auto whole = ids.find(std::string(piece)); whole != ids.end()) return {whole->second};
  std::vector<std::string> parts;
  for (const char c : piece) parts.push_back(std::string(1, c));
  while (true) {
    TokenId best = kNoToken;
    size_t at = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ids.find(parts[i] + parts[i + 1]);
      if (found == ids.end() || (best != kNoToken && found->second >= best)) continue;
      best = found->second;
      at = i;
    }
    if (best == kNoToken) break;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + ptrdiff_t(at) + 1);
  }
  std::vector<TokenId> out;
  for (const std::string& part : parts) out.push_back(ids.at(part));
  return out;
}

inline std::vector<std::string> pieces_of(const Splitter& splitter, std::string_view text) {
  std::vector<size_t> ends;
  splitter.split(text, ends);
  std::vector<std::string> pieces;
  size_t begin = 0;
  for (const size_t end : ends) {
    pieces.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return pieces;
}

// Training by the definition: count all neighbours anew for every merge.
inline std::vector<std::pair<std::string, std::string>> train(const std::map<std::string, int64_t>& words,
                                                              const std::map<std::string, TokenId>& first_ids,
                                                              size_t merges, int64_t min_frequency) {
  std::map<std::string, TokenId> ids = first_ids;
  std::vector<std::pair<std::vector<std::string>, int64_t>> split;
  for (const auto& [word, count] : words) {
    split.push_back({{}, count});
    for (const char c : word) split.back().first.push_back(std::string(1, c));
  }
  std::vector<std::pair<std::string, std::string>> out;
  while (out.size() < merges) {
    std::map<std::pair<TokenId, TokenId>, std::pair<int64_t, std::pair<std::string, std::string>>> pairs;
    for (const auto& [parts, count] : split)
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        auto& pair = pairs[{ids.at(parts[i]), ids.at(parts[i + 1])}];
        pair.first += count;
        pair.second = {parts[i], parts[i + 1]};
      }
    const auto best =
        std::max_element(pairs.begin(), pairs.end(), [](auto& a, auto& b) { return a.second.first < b.second.first; });
    if (best == pairs.end() || best->second.first < min_frequency) break;
    const auto [left, right] = best->second.second;
    out.push_back({left, right});
    ids.emplace(left + right, TokenId(ids.size()));
    for (auto& [parts, count] : split)
      for (size_t i = 0; i + 1 < parts.size(); ++i)
        if (parts[i] == left && parts[i + 1] == right) {
          parts[i] += parts[i + 1];
          parts.erase(parts.begin() + ptrdiff_t(i) + 1);
        }
  }
  return out;
}

}  // namespace fude::reference
