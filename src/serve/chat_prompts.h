// Conversations as tokens, in the way of the model's own chat template; and how it will mark what it answers.
//
// What a template can do is found out by trying: one with a tool, a call and its result is rendered when the server
// starts. Where the name of the tool comes out, tools are left to the template, if its calls are of a form that
// AnswerReader knows; else the tools are told in a system message, with the commonest form (docs/api.md).
#pragma once

#include <optional>
#include <vector>

#include "serve/answer_reader.h"
#include "serve/chat_request.h"
#include "text/chat.h"

namespace fude {

class ChatPrompts {
 public:
  explicit ChatPrompts(Tokenizer tokenizer);

  const Chat& chat() const { return chat_; }
  // Whether the model has a chat template at all.
  bool can_chat() const { return chat_.can_chat(); }
  bool knows_tools() const { return knows_tools_; }
  // How the model writes calls.
  AnswerForm::Calls calls() const { return calls_; }
  // Tokens that end an answer.
  const std::vector<TokenId>& stops() const { return chat_.stops(); }

  struct Prompt {
    std::vector<TokenId> tokens;
    AnswerForm form;
  };
  // `is_held`: a grammar decides what may be said, so that nothing is thought first. ApiError for a conversation that
  // the template refuses.
  Prompt prompt(const ChatRequest& request, bool is_held) const;

 private:
  void try_tools();

  Chat chat_;
  bool knows_developer_ = false, knows_tools_ = false;
  AnswerForm::Calls calls_ = AnswerForm::Calls::tagged;
};

}  // namespace fude
