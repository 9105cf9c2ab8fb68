// What an answer may say, for a request to the engine: a JSON Schema, a regular expression or a grammar.
//
// A constraint is compiled once and serves any number of answers. An answer under it ends where the text is complete:
// the request's stop tokens have to be exactly the vocabulary's end tokens: one that is missing fails the answer behind
// it, one too many may cut the text short.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "infer/grammar/matcher.h"
#include "infer/token_mask.h"

namespace fude {

class Constraint {
 public:
  explicit Constraint(grammar::Grammar grammar, std::shared_ptr<const grammar::GrammarVocabulary> vocabulary);
  // For Request::mask.
  std::function<std::unique_ptr<TokenMask>(int64_t choice)> masks() const;
  // Whether it had better be compiled anew for further answers: see TokenGrammar::is_worn.
  bool is_worn() const { return grammar_->is_worn(); }

 private:
  std::shared_ptr<grammar::TokenGrammar> grammar_;
};

}  // namespace fude
