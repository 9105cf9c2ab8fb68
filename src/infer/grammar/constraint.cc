#include "infer/grammar/constraint.h"

#include <algorithm>
#include <limits>

#include "base/error.h"

namespace fude {
namespace {

class GrammarMask : public TokenMask {
 public:
  explicit GrammarMask(const std::shared_ptr<grammar::TokenGrammar>& grammar)
      : matcher_(grammar), allowed_(grammar->vocabulary().size()) {}

  void apply(std::span<float> logits_V) override {
    matcher_.allowed(allowed_);
    rows_ = int64_t(logits_V.size());
    grammar::keep_allowed(allowed_, logits_V);
  }
  void accept(int32_t token) override {
    require(matcher_.accept(token), "[grammar] token {} may not come here", token);
  }
  std::vector<int32_t> foreseen(int64_t most) override {
    try {
      std::vector<int32_t> tokens = matcher_.foreseen(size_t(most));
      // A tokenizer may have tokens for which the model has no row.
      tokens.erase(std::ranges::find_if(tokens, [&](int32_t token) { return token >= rows_; }), tokens.end());
      return tokens;
    } catch (const Error&) { return {}; }  // a limit: the mask behind these tokens will say so
  }

 private:
  int64_t rows_ = 0;  // of the model: none is known before the first mask
  grammar::Matcher matcher_;
  grammar::TokenSet allowed_;
};

}  // namespace

Constraint::Constraint(grammar::Grammar grammar, std::shared_ptr<const grammar::GrammarVocabulary> vocabulary)
    : grammar_(std::make_shared<grammar::TokenGrammar>(std::move(grammar), std::move(vocabulary))) {
  grammar::Matcher begins(grammar_);  // where a limit is passed at once, it is said here
}

std::function<std::unique_ptr<TokenMask>(int64_t)> Constraint::masks() const {
  return [grammar = grammar_](int64_t) { return std::make_unique<GrammarMask>(grammar); };
}

}  // namespace fude
