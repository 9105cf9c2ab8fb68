// What an answer is held to, as the request asks for it: its format, or a call of a tool. Compiled schemas are kept, so
// that a client who asks again with the same one waits once.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "infer/grammar/constraint.h"
#include "serve/chat_request.h"

namespace fude {

// The schema that the answer's text has to fit; null if it is free. A call is {"name": …, "arguments": …}, with the
// second member as `arguments_key` says. ApiError for a tool that has to be called and takes no object.
Json schema_of_answer(const ChatRequest& request, const std::string& arguments_key);

class Constraints {
 public:
  Constraints(Tokenizer tokenizer, std::vector<TokenId> end_tokens)
      : tokenizer_(std::move(tokenizer)), end_tokens_(std::move(end_tokens)) {}
  // Error for a schema that the grammar cannot hold.
  Constraint find(const Json& schema);

 private:
  static constexpr size_t kMostKept = 32;
  Tokenizer tokenizer_;
  std::vector<TokenId> end_tokens_;
  std::mutex mutex_;
  std::shared_ptr<const grammar::GrammarVocabulary> vocabulary_;  // made when it is first needed
  std::list<std::pair<std::string, Constraint>> kept_;            // the one used last first
};

}  // namespace fude
