// Whether tokenizer.json has a name for each token of a vocabulary with names: a file that is read may call an added
// token otherwise than its entry, or as another one, and what is written then cannot be told apart.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "text/byte_names.h"
#include "text/tokenizer_file.h"

namespace fude {

inline bool has_own_names(const TokenizerData& data) {
  const Vocabulary& vocabulary = data.vocabulary;
  if (vocabulary.kind == Vocabulary::Kind::unigram) return true;  // entries in order, without names
  std::vector<std::string> entries = vocabulary.tokens;
  for (const AddedToken& token : data.added) {
    const std::string& content = token.content;
    if (vocabulary.kind == Vocabulary::Kind::bytes && name_of_bytes(content) != content) return false;
    if (size_t(token.id) >= entries.size()) entries.resize(size_t(token.id) + 1);
    std::string& entry = entries[size_t(token.id)];
    if (!entry.empty() && entry != content) return false;
    entry = content;
  }
  std::erase(entries, "");
  std::sort(entries.begin(), entries.end());
  return std::adjacent_find(entries.begin(), entries.end()) == entries.end();
}

}  // namespace fude
