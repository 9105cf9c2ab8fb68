#include "infer/grammar/constraint.h"

#include <algorithm>
#include <limits>

#include "base/error.h"

namespace fude {
namespace {

class GrammarMask : public TokenMask {
 public:
  explicit GrammarMask(std::shared_ptr<grammar::TokenGrammar> grammar)
      : size_(grammar->vocabulary().size()), matcher_(grammar), allowed_(size_) {}

  void apply(std::span<float> logits_V) override {
    matcher_.allowed(allowed_);
    // A model may have more rows than there are tokens.
    const size_t tokens = std::min(logits_V.size(), size_t(size_));
    grammar::keep_allowed(allowed_, logits_V.first(tokens));
    std::fill(logits_V.begin() + int64_t(tokens), logits_V.end(), -std::numeric_limits<float>::infinity());
  }
  void accept(int32_t token) override {
    require(matcher_.accept(token), "[grammar] token {} may not come here", token);
  }
  std::vector<int32_t> foreseen(int64_t most) override {
    try {
      return matcher_.foreseen(size_t(most));
    } catch (const Error&) { return {}; }  // a limit: the mask behind these tokens will say so
  }

 private:
  int64_t size_;
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
