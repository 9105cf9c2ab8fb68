// A compiled grammar: rules over lexemes, as flat arrays that the parser walks.
//
// A lexeme is a regular language with a deterministic automaton of its own; the parser above only sees lexemes begin
// and end. Front ends give expressions; what is regular in them is joined into lexemes as large as possible (but for
// parts that are `apart`), so that a grammar without recursion is one automaton and needs no parser at all.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "infer/grammar/automaton.h"
#include "infer/grammar/expression.h"
#include "infer/grammar/limits.h"

namespace fude::grammar {

struct Grammar {
  // What stands at a position of a rule: a lexeme's number, ~ a rule's number, or kEnd.
  static constexpr int32_t kEnd = INT32_MIN;
  static constexpr size_t rule_number(int32_t symbol) { return size_t(-1 - int64_t(symbol)); }  // of ~ a rule's
  std::vector<int32_t> symbols;  // of all alternatives, each followed by kEnd
  struct Rule {
    struct Alternative {
      int32_t begin;  // in `symbols`
      int32_t calls;  // that are open inside each other before it can end, at least
    };
    std::vector<Alternative> alternatives;  // none of the empty text alone
    bool is_nullable = false;               // matches the empty text
  };
  std::vector<Rule> rules;
  struct Lexeme {
    std::shared_ptr<const Automaton> automaton;
    bool is_nullable = false;
  };
  std::vector<Lexeme> lexemes;
  int32_t start = 0;  // rule
  GrammarLimits limits;
};

// Takes the rules of one grammar, then compiles them.
class GrammarBuilder {
 public:
  explicit GrammarBuilder(const CountedLimits& limits) : limits_(limits) {}

  // A rule that is to be defined; its number goes into rule_reference.
  int32_t add_rule();
  void define(int32_t rule, ExpressionPtr expression);
  // Error if a limit is passed, or if no text at all matches `start`.
  Grammar compile(int32_t start);

 private:
  void lower_rule(int32_t rule, const ExpressionPtr& body);
  void lower(const ExpressionPtr& expression, std::vector<int32_t>& out);
  void lower_sequence(const Expression& expression, std::vector<int32_t>& out);
  void lower_repeat(const Expression& expression, std::vector<int32_t>& out);
  void lower_lexeme(const std::vector<ExpressionPtr>& parts, std::vector<int32_t>& out);
  // The rule for an expression, made when it is first asked for.
  int32_t rule_of(const ExpressionPtr& expression);
  // `part` at most `count` times (or kUnbounded), the same object each time.
  ExpressionPtr up_to(const ExpressionPtr& part, int32_t count);
  std::vector<int32_t> closure(const std::function<bool(int32_t)>& holds) const;
  void drop_unproductive();
  void find_nullable();
  void flatten();
  void use_rule(int32_t rule);
  void append(std::vector<int32_t>& out, int32_t symbol);

  CountedLimits limits_;
  Grammar grammar_;
  std::vector<ExpressionPtr> bodies_;                            // by rule
  std::vector<std::vector<std::vector<int32_t>>> alternatives_;  // by rule
  std::map<std::vector<ExpressionPtr>, int32_t> lexemes_;        // by what was joined
  std::map<ExpressionPtr, int32_t> rules_;
  std::map<std::pair<ExpressionPtr, int32_t>, ExpressionPtr> repeats_;
  std::vector<std::pair<int32_t, ExpressionPtr>> pending_;  // rules that are to be lowered
  std::vector<bool> is_used_;                               // by rule
  std::vector<int32_t> calls_;                              // by rule, as of an alternative
  int32_t symbol_count_ = 0;
  uint64_t state_count_ = 0;
};

}  // namespace fude::grammar
