// Turns of a chat as tokens. Roles are marked by special tokens that user text cannot produce: text is
// encoded as plain text, the markers are put around it by id.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace fude {

inline constexpr const char* kEndOfText = "<|endoftext|>";
inline constexpr const char* kSystem = "<|system|>";
inline constexpr const char* kUser = "<|user|>";
inline constexpr const char* kAssistant = "<|assistant|>";
inline constexpr const char* kEnd = "<|end|>";
// How a thought is set off from the answer behind it.
inline constexpr const char* kThinkOpen = "<think>";
inline constexpr const char* kThinkClose = "</think>";
// The same format for programs that read the saved folder.
std::string chat_template();

class ChatFormat {
 public:
  // Whether the tokenizer has the turn markers.
  static bool is_in(const Tokenizer& tokenizer);
  // Error, saying what to do, if it has not.
  explicit ChatFormat(const Tokenizer& tokenizer);
  // A user's turn and the beginning of the assistant's.
  std::vector<TokenId> user_turn(const std::string& text) const;
  TokenId end() const { return end_; }
  const std::vector<TokenId>& stops() const { return stops_; }

 private:
  Tokenizer tokenizer_;
  TokenId user_, assistant_, end_;
  std::vector<TokenId> stops_;
};

}  // namespace fude
