// A tiny model that chats: a token for each byte, Fude's own markers, random weights.
#pragma once

#include <gtest/gtest.h>

#include "text/chat.h"
#include "text/tokenizer_file.h"

namespace fude {

inline Tokenizer byte_tokenizer(const std::string& chat_template = "") {
  TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) data.vocabulary.tokens.push_back(std::string(1, char(byte)));
  for (const char* content : {kEndOfText, kUser, kAssistant, kEnd, kSystem})
    data.added.push_back({.id = TokenId(256 + data.added.size()), .content = content});
  for (const char* content : {kThinkOpen, kThinkClose})
    data.added.push_back({.id = TokenId(256 + data.added.size()), .content = content, .special = false});
  data.end_tokens = {256};
  data.chat_template = chat_template;
  return Tokenizer(data);
}
inline constexpr int64_t kChatVocabulary = 263;

// As Qwen3's templates do: thoughts of earlier turns are left out.
inline constexpr const char* kForgetful =
    "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content and loop.last %}<think>{{ m.reasoning_content }}"
    "</think>{% endif %}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";

}  // namespace fude
