#include "infer/grammar/grammar.h"

#include <algorithm>
#include <deque>

#include "base/error.h"

namespace fude::grammar {
namespace {

// What lexemes can turn out to be: symbols while lowering.
constexpr int32_t kNothing = INT32_MIN + 1;    // no text: its alternative is dropped
constexpr int32_t kEmptyText = INT32_MIN + 2;  // only the empty text: left out
constexpr int32_t kNever = -1;                 // of calls

bool is_rule(int32_t symbol) { return symbol < 0 && symbol > kEmptyText; }

bool accepts_empty(const Automaton& automaton) {
  std::vector<bool> seen(automaton.states.size());
  std::vector<int32_t> pending = {automaton.start};
  while (!pending.empty()) {
    const int32_t at = pending.back();
    pending.pop_back();
    if (at == kDead || seen[size_t(at)]) continue;
    seen[size_t(at)] = true;
    if (at == automaton.accept) return true;
    for (const int32_t target : automaton.states[size_t(at)].free) pending.push_back(target);
  }
  return false;
}

bool reads_something(const Automaton& automaton) {
  return std::any_of(automaton.states.begin(), automaton.states.end(), [](auto& s) { return s.next != kDead; });
}

}  // namespace

int32_t GrammarBuilder::add_rule() {
  require(bodies_.size() < size_t(limits_.symbols), "[grammar] expected at most {} rules", limits_.symbols);
  bodies_.emplace_back();
  return int32_t(bodies_.size()) - 1;
}

void GrammarBuilder::define(int32_t rule, ExpressionPtr expression) { bodies_[size_t(rule)] = std::move(expression); }

Grammar GrammarBuilder::compile(int32_t start) {
  grammar_.limits = limits_;
  grammar_.start = start;
  use_rule(start);
  while (!pending_.empty()) {
    const auto [rule, body] = pending_.back();
    pending_.pop_back();
    lower_rule(rule, body);
  }
  alternatives_.resize(bodies_.size());
  drop_unproductive();
  require(!alternatives_[size_t(start)].empty(), "[grammar] no text matches this grammar");
  require(
      calls_[size_t(start)] <= limits_.depth,
      "[grammar] every text of this grammar has more than {} rules open inside each other; each name of an object is "
      "one",
      limits_.depth);
  find_nullable();
  flatten();
  return std::move(grammar_);
}

// Only what the start reaches is compiled.
void GrammarBuilder::use_rule(int32_t rule) {
  if (is_used_.size() < bodies_.size()) is_used_.resize(bodies_.size());
  if (is_used_[size_t(rule)]) return;
  require(bodies_[size_t(rule)] != nullptr, "[grammar] rule {} is used and not defined", rule);
  is_used_[size_t(rule)] = true;
  pending_.push_back({rule, bodies_[size_t(rule)]});
}

void GrammarBuilder::append(std::vector<int32_t>& out, int32_t symbol) {
  if (symbol == kEmptyText) return;
  if (is_rule(symbol)) use_rule(~symbol);
  require(++symbol_count_ <= limits_.symbols, "[grammar] expected a grammar of at most {} symbols", limits_.symbols);
  out.push_back(symbol);
}

void GrammarBuilder::lower_rule(int32_t rule, const ExpressionPtr& body) {
  std::vector<std::vector<int32_t>> result;
  if (body->kind == Expression::Kind::choice && !body->is_plain && !body->is_apart) {
    std::vector<ExpressionPtr> plain;  // together they are one lexeme
    for (const ExpressionPtr& part : body->parts)
      if (part->is_plain)
        plain.push_back(part);
      else
        lower(part, result.emplace_back());
    if (!plain.empty()) lower_lexeme({choice(std::move(plain))}, result.emplace_back());
  } else if (body->kind == Expression::Kind::repeat && body->minimum == 0 && !body->is_plain && !body->is_apart) {
    // Right recursion for an open end (the parser drops calls that stand last); one rule after the other for a bound.
    result.emplace_back();
    const ExpressionPtr& part = body->parts[0];
    if (body->maximum != 0) {
      std::vector<int32_t>& more = result.emplace_back();
      lower(part, more);
      if (body->maximum == kUnbounded)
        append(more, ~rule);
      else if (body->maximum > 1)
        append(more, ~rule_of(up_to(part, body->maximum - 1)));
    }
  } else {
    lower(body, result.emplace_back());
  }
  if (alternatives_.size() <= size_t(rule)) alternatives_.resize(size_t(rule) + 1);
  alternatives_[size_t(rule)] = std::move(result);
}

int32_t GrammarBuilder::rule_of(const ExpressionPtr& expression) {
  if (expression->kind == Expression::Kind::rule) return expression->rule;
  const auto found = rules_.find(expression);
  if (found != rules_.end()) return found->second;
  const int32_t rule = add_rule();
  rules_.emplace(expression, rule);
  define(rule, expression);
  return rule;
}

ExpressionPtr GrammarBuilder::up_to(const ExpressionPtr& part, int32_t count) {
  ExpressionPtr& known = repeats_[{part, count}];
  if (!known) known = repeat(part, 0, count);
  return known;
}

void GrammarBuilder::lower(const ExpressionPtr& expression, std::vector<int32_t>& out) {
  using Kind = Expression::Kind;
  if (expression->is_plain || (expression->is_apart && expression->is_regular)) return lower_lexeme({expression}, out);
  switch (expression->kind) {
    case Kind::sequence:
      return lower_sequence(*expression, out);
    case Kind::choice:
      return append(out, ~rule_of(expression));
    case Kind::repeat:
      return lower_repeat(*expression, out);
    case Kind::rule:
      return append(out, ~expression->rule);
    default:
      fail("[grammar] expected an expression with rules in it");
  }
}

void GrammarBuilder::lower_sequence(const Expression& expression, std::vector<int32_t>& out) {
  std::vector<ExpressionPtr> plain;
  const auto flush = [&] {
    if (!plain.empty()) lower_lexeme(plain, out);
    plain.clear();
  };
  const auto add = [&](const auto& self, const Expression& list) -> void {
    for (const ExpressionPtr& part : list.parts)
      if (part->is_plain) {
        plain.push_back(part);
      } else if (part->kind == Expression::Kind::sequence && !part->is_apart) {
        self(self, *part);
      } else {
        flush();
        lower(part, out);
      }
  };
  add(add, expression);
  flush();
}

void GrammarBuilder::lower_repeat(const Expression& expression, std::vector<int32_t>& out) {
  const ExpressionPtr& part = expression.parts[0];
  for (int32_t i = 0; i < expression.minimum; ++i) append(out, ~rule_of(part));
  const int32_t more = expression.maximum == kUnbounded ? kUnbounded : expression.maximum - expression.minimum;
  if (more == 0) return;
  append(out, ~rule_of(up_to(part, more)));
}

void GrammarBuilder::lower_lexeme(const std::vector<ExpressionPtr>& parts, std::vector<int32_t>& out) {
  const auto [found, is_new] = lexemes_.try_emplace(parts, kNothing);
  if (is_new) {
    auto automaton = build_automaton(*sequence(parts), limits_);
    state_count_ += automaton->states.size();
    require(state_count_ <= limits_.total_states, "[grammar] expected a grammar whose lexemes have at most {} states",
            limits_.total_states);
    if (!is_empty(*automaton)) {
      const bool is_nullable = accepts_empty(*automaton);
      if (!reads_something(*automaton)) {
        found->second = kEmptyText;
      } else {
        found->second = int32_t(grammar_.lexemes.size());
        grammar_.lexemes.push_back({std::move(automaton), is_nullable});
      }
    }
  }
  append(out, found->second);
}

// For rules that have an alternative all of whose symbols hold, how many calls are open inside each other there, at
// least; kNever for others. A lexeme or kNothing holds if `holds` says so.
std::vector<int32_t> GrammarBuilder::closure(const std::function<bool(int32_t)>& holds) const {
  struct Alternative {
    size_t rule;
    size_t missing = 0;  // symbols that are not known to hold
  };
  std::vector<Alternative> all;
  std::vector<std::vector<size_t>> uses(alternatives_.size());  // by rule: alternatives it stands in, with repetition
  std::vector<int32_t> calls(alternatives_.size(), kNever);
  std::deque<size_t> pending;  // with ever more calls, so that the first time that a rule is found is the shortest
  const auto note = [&](const Alternative& alternative, int32_t count) {
    if (alternative.missing > 0 || calls[alternative.rule] != kNever) return;
    calls[alternative.rule] = count;
    pending.push_back(alternative.rule);
  };
  for (size_t rule = 0; rule < alternatives_.size(); ++rule)
    for (const std::vector<int32_t>& symbols : alternatives_[rule]) {
      Alternative& alternative = all.emplace_back(Alternative{rule});
      for (const int32_t symbol : symbols)
        if (is_rule(symbol))
          ++alternative.missing, uses[Grammar::rule_number(symbol)].push_back(all.size() - 1);
        else if (!holds(symbol))
          alternative.missing = SIZE_MAX / 2;
      note(alternative, 0);
    }
  while (!pending.empty()) {
    const size_t rule = pending.front();
    pending.pop_front();
    for (const size_t use : uses[rule]) --all[use].missing, note(all[use], calls[rule] + 1);
  }
  return calls;
}

// Drops alternatives that can never end: the parser may then offer whatever it can follow.
void GrammarBuilder::drop_unproductive() {
  calls_ = closure([](int32_t symbol) { return symbol != kNothing; });
  const auto is_hopeless = [&](const std::vector<int32_t>& alternative) {
    return std::any_of(alternative.begin(), alternative.end(), [&](int32_t symbol) {
      return is_rule(symbol) ? calls_[Grammar::rule_number(symbol)] == kNever : symbol == kNothing;
    });
  };
  for (auto& alternatives : alternatives_) std::erase_if(alternatives, is_hopeless);
}

void GrammarBuilder::find_nullable() {
  const std::vector<int32_t> found =
      closure([&](int32_t symbol) { return grammar_.lexemes[size_t(symbol)].is_nullable; });
  grammar_.rules.resize(alternatives_.size());
  for (size_t rule = 0; rule < found.size(); ++rule) grammar_.rules[rule].is_nullable = found[rule] != kNever;
}

void GrammarBuilder::flatten() {
  for (size_t rule = 0; rule < alternatives_.size(); ++rule)
    for (const std::vector<int32_t>& alternative : alternatives_[rule]) {
      if (alternative.empty()) continue;
      int32_t calls = 0;
      for (const int32_t symbol : alternative)
        if (is_rule(symbol)) calls = std::max(calls, calls_[Grammar::rule_number(symbol)] + 1);
      grammar_.rules[rule].alternatives.push_back({int32_t(grammar_.symbols.size()), calls});
      grammar_.symbols.insert(grammar_.symbols.end(), alternative.begin(), alternative.end());
      grammar_.symbols.push_back(Grammar::kEnd);
    }
}

}  // namespace fude::grammar
