// A model's way to write conversations: its tokenizer with its chat template.
//
// Everything that speaks with a model goes through here, whether it serves, trains or grades, so that what was trained
// and what is asked are the same tokens. Special tokens are found only in what the template's author wrote.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/chat_format.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace fude {

struct ChatRendering {
  Json tools;                           // null: none
  bool add_generation_prompt = true;    // up to where the assistant speaks
  std::optional<bool> enable_thinking;  // said to the template; not given: what it does by itself
};

class Chat {
 public:
  // Where the tokenizer has no template but the markers of Fude's own models, it is theirs.
  explicit Chat(Tokenizer tokenizer, TemplateLimits limits = {});

  // Whether there is a template at all; without one, rendering is an Error.
  bool can_chat() const { return template_.has_value(); }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  // The template's text.
  const std::string& source() const { return source_; }
  // Whether answers may begin with a thought between kThinkOpen and kThinkClose.
  bool may_think() const { return may_think_; }
  // Tokens that end an answer; the first is the one that training ends turns with.
  const std::vector<TokenId>& stops() const { return stops_; }

  // `messages`: [{"role": …, "content": …}, …]. Error if the template refuses them.
  std::vector<TextPiece> render(const Json& messages, const ChatRendering& rendering = {}) const;
  std::vector<TokenId> tokens(const Json& messages, const ChatRendering& rendering = {}) const {
    return tokenizer_.encode(render(messages, rendering));
  }
  // Of one question.
  std::vector<TokenId> question(const std::string& text, std::optional<bool> enable_thinking = {}) const;
  // Whether the answer to a prompt begins inside a thought, which the template has opened.
  bool opens_thought(const std::vector<TextPiece>& prompt) const;
  bool opens_thought(const std::vector<TokenId>& prompt) const;

 private:
  Tokenizer tokenizer_;
  std::string source_;
  std::optional<ChatTemplate> template_;
  std::vector<TokenId> stops_;
  bool may_think_ = false;
};

// An answer's text in two: the thought, without its markers, and what is said. A thought that was not ended is all
// thought.
struct ThoughtAndAnswer {
  std::string_view thought, answer;
  bool is_thought_open = false;  // cut off before its end
};
// `begins_in_thought`: the prompt had opened it.
ThoughtAndAnswer split_thought(std::string_view text, bool begins_in_thought = false);

}  // namespace fude
