// What an answer is held to, as the request asks for it: its format, or a call of a tool. Compiled schemas are kept, so
// that a client who asks again with the same one waits once.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "infer/grammar/constraint.h"
#include "infer/grammar/json_schema.h"
#include "serve/answer_reader.h"
#include "serve/chat_request.h"

namespace fude {

// What the answer's text may be; empty if it is free. A call is {"name": …, "arguments": …}, or as the model writes it:
// the only thing that an answer may be, or beside the format. ApiError for a tool that takes no object.
std::vector<grammar::MarkedSchema> kinds_of_answer(const ChatRequest& request, AnswerForm::Calls calls);

class Constraints {
 public:
  Constraints(Tokenizer tokenizer, std::vector<TokenId> end_tokens)
      : tokenizer_(std::move(tokenizer)), end_tokens_(std::move(end_tokens)) {}
  // Error for a schema that the grammar cannot hold.
  Constraint find(const std::vector<grammar::MarkedSchema>& kinds);

 private:
  static constexpr size_t kMostKept = 32;
  Tokenizer tokenizer_;
  std::vector<TokenId> end_tokens_;
  std::mutex mutex_;
  std::shared_ptr<const grammar::GrammarVocabulary> vocabulary_;  // made when it is first needed
  std::list<std::pair<std::string, Constraint>> kept_;            // the one used last first
};

}  // namespace fude
