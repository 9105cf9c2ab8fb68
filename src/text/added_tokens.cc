#include "text/added_tokens.h"

#include <algorithm>

#include "text/unicode.h"

namespace fude {
namespace {

// \w, near enough: letters, marks, numbers and the underscore.
bool is_word(uint32_t code_point) {
  return code_point == '_' || (bit(class_of(code_point)) & (kLetters | kMarks | kNumbers));
}

// Where the character before text[at] begins; at > 0.
size_t before(std::string_view text, size_t at) { return begin_of_last(text.substr(0, at)); }

bool is_space_at(std::string_view text, size_t at) {
  return class_of(decode_character(text, at).code_point) == CharClass::space;
}
bool is_word_at(std::string_view text, size_t at) { return is_word(decode_character(text, at).code_point); }

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<const AddedToken*> tokens) : sorted_(std::move(tokens)) {
  // Of tokens with the same text the first is found.
  std::ranges::stable_sort(sorted_, {}, &AddedToken::content);
  const auto is_same = [](const AddedToken* a, const AddedToken* b) { return a->content == b->content; };
  sorted_.erase(std::unique(sorted_.begin(), sorted_.end(), is_same), sorted_.end());
  for (const AddedToken* token : sorted_) begins_[uint8_t(token->content[0])] = true;
}

const AddedToken* AddedTokenFinder::longest_at(std::string_view text, size_t at, std::string_view trust) const {
  const AddedToken* longest = nullptr;
  const auto may_be = [&](const AddedToken& token) {
    return !token.special || trust.empty() ||
           trust.substr(at, token.content.size()).find('\0') == std::string_view::npos;
  };
  size_t low = 0, high = sorted_.size();
  for (size_t depth = 0; low < high; ++depth) {
    if (sorted_[low]->content.size() == depth) {
      if (may_be(*sorted_[low])) longest = sorted_[low];
      ++low;
    }
    if (at + depth >= text.size()) break;
    const auto byte = [&](const AddedToken* token) { return uint8_t(token->content[depth]); };
    const uint8_t wanted = uint8_t(text[at + depth]);
    const auto first = sorted_.begin();
    const auto from = std::partition_point(first + ptrdiff_t(low), first + ptrdiff_t(high),
                                           [&](auto* t) { return byte(t) < wanted; });
    const auto to = std::partition_point(from, first + ptrdiff_t(high), [&](auto* t) { return byte(t) == wanted; });
    low = size_t(from - first);
    high = size_t(to - first);
  }
  return longest;
}

AddedTokenFinder::Match AddedTokenFinder::find(std::string_view text, size_t from, std::string_view trust) const {
  if (sorted_.empty()) return {};
  for (size_t at = from; at < text.size(); ++at) {
    if (!begins_[uint8_t(text[at])]) continue;
    const AddedToken* token = longest_at(text, at, trust);
    if (token == nullptr) continue;
    Match match{at, at + token->content.size(), token};
    if (token->single_word && ((match.begin > 0 && is_word_at(text, before(text, match.begin))) ||
                               (match.end < text.size() && is_word_at(text, match.end)))) {
      at = match.end - 1;
      continue;
    }
    if (token->lstrip)
      while (match.begin > from && is_space_at(text, before(text, match.begin)))
        match.begin = before(text, match.begin);
    if (token->rstrip)
      while (match.end < text.size() && is_space_at(text, match.end))
        match.end += decode_character(text, match.end).length;
    return match;
  }
  return {};
}

}  // namespace fude
