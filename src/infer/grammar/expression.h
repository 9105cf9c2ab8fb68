// What the three front ends write a grammar in: one small tree over bytes.
//
// JSON Schema, GBNF and regular expressions all lower to it. It works on bytes, not on characters, so that tokens that
// end inside a UTF-8 character need no care: a class of characters becomes a choice of byte sequences
// (characters.h). Trees are immutable and share their parts.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace fude::grammar {

struct Automaton;
struct Expression;
using ExpressionPtr = std::shared_ptr<const Expression>;

constexpr int32_t kUnbounded = -1;

struct Expression {
  enum class Kind {
    bytes,      // one byte from `low` to `high`
    sequence,   // `parts` one after the other; none: the empty text
    choice,     // one of `parts`; none: nothing at all
    repeat,     // parts[0], `minimum` to `maximum` times
    automaton,  // a language that is given as an automaton
    rule,       // what the rule of this number says
    begin,      // the empty text, at the very beginning only (regular expressions)
    end,        // and at the very end only
  };
  Kind kind;
  uint8_t low = 0, high = 0;
  int32_t minimum = 0, maximum = 0;
  int32_t rule = -1;
  std::vector<ExpressionPtr> parts;
  std::shared_ptr<const Automaton> automaton;
  bool is_regular = true;   // no rule in it
  bool is_apart = false;    // read as one lexeme, and not joined with its neighbours into another
  bool is_plain = true;     // regular, and nothing in it is apart
  bool is_counted = false;  // a repeat that `counted` made
  bool has_anchor = false;
  int depth = 0;  // of the tree; at most kDeepestExpression
};

constexpr int kDeepestExpression = 1000;

ExpressionPtr byte_range(uint8_t low, uint8_t high);
ExpressionPtr literal(std::string_view bytes);
ExpressionPtr sequence(std::vector<ExpressionPtr> parts);
ExpressionPtr choice(std::vector<ExpressionPtr> parts);
// maximum: kUnbounded for none. Error if it is below minimum.
ExpressionPtr repeat(ExpressionPtr part, int32_t minimum, int32_t maximum);
// The same language, counted while it is read and not written out: larger bounds take no more states. Once in a lexeme;
// no text of `part` may begin another one of its texts, or what comes behind.
ExpressionPtr counted(ExpressionPtr part, int32_t minimum, int32_t maximum);
inline ExpressionPtr optional(ExpressionPtr part) { return repeat(std::move(part), 0, 1); }
ExpressionPtr from_automaton(std::shared_ptr<const Automaton> automaton);
ExpressionPtr rule_reference(int32_t rule);
ExpressionPtr anchor(Expression::Kind begin_or_end);
// The same, as a lexeme of its own. A large language that comes in many places, like a JSON string, is one lexeme
// whose masks are computed once, where joining it with what stands around would make a new one in each place.
ExpressionPtr apart(const ExpressionPtr& part);

}  // namespace fude::grammar
