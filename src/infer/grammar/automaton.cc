#include "infer/grammar/automaton.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace fude::grammar {
namespace {

using NfaState = Automaton::State;

// Keeps what lies on a way from the start to the end.
std::shared_ptr<const Automaton> trimmed(const Automaton& given) {
  const size_t count = given.states.size();
  auto out = std::make_shared<Automaton>();
  if (given.start == kDead) return out;
  std::vector<std::vector<int32_t>> sources(count);
  const auto targets = [](const NfaState& state) { return std::array{state.next, state.free[0], state.free[1]}; };
  for (size_t i = 0; i < count; ++i)
    for (const int32_t target : targets(given.states[i]))
      if (target != kDead) sources[size_t(target)].push_back(int32_t(i));
  std::vector<bool> can_end(count);
  std::vector<int32_t> pending = {given.accept};
  can_end[size_t(given.accept)] = true;
  while (!pending.empty()) {
    const int32_t state = pending.back();
    pending.pop_back();
    for (const int32_t source : sources[size_t(state)])
      if (!can_end[size_t(source)]) can_end[size_t(source)] = true, pending.push_back(source);
  }
  if (!can_end[size_t(given.start)]) return out;
  std::vector<int32_t> number(count, kDead);
  const auto number_of = [&](int32_t state) {
    if (state == kDead || !can_end[size_t(state)]) return kDead;
    int32_t& n = number[size_t(state)];
    if (n == kDead) n = int32_t(out->states.size()), out->states.emplace_back(), pending.push_back(state);
    return n;
  };
  out->start = number_of(given.start);
  while (!pending.empty()) {
    const int32_t at = pending.back();
    pending.pop_back();
    NfaState state = given.states[size_t(at)];
    state.next = number_of(state.next);
    for (int32_t& target : state.free) target = number_of(target);
    out->states[size_t(number[size_t(at)])] = state;
  }
  out->accept = number[size_t(given.accept)];
  out->counter = given.counter;
  if (given.counter.state != kDead) out->counter.state = number[size_t(given.counter.state)];
  return out;
}

class AutomatonBuilder {
 public:
  explicit AutomatonBuilder(const CountedLimits& limits) : limits_(limits) {}

  Automaton run(const Expression& expression) {
    const Fragment whole = build(expression);
    automaton_.start = whole.begin;
    automaton_.accept = whole.end;
    return std::move(automaton_);
  }

 private:
  struct Fragment {
    int32_t begin, end;  // nothing enters begin or leaves end
  };

  int32_t add(NfaState state = {}) {
    require(automaton_.states.size() < size_t(limits_.automaton_states),
            "[grammar] expected a pattern of at most {} states; repetitions with large bounds make many",
            limits_.automaton_states);
    limits_.spend(1);
    automaton_.states.push_back(state);
    return int32_t(automaton_.states.size()) - 1;
  }
  NfaState& at(int32_t state) { return automaton_.states[size_t(state)]; }
  void link(int32_t from, int32_t to) {
    NfaState& state = at(from);
    state.free[state.free[0] != kDead] = to;
  }

  Fragment build(const Expression& expression) {
    using Kind = Expression::Kind;
    switch (expression.kind) {
      case Kind::bytes: {
        const int32_t end = add();
        return {add({.next = end, .low = expression.low, .high = expression.high}), end};
      }
      case Kind::sequence: {
        int32_t begin = add(), end = begin;
        for (const ExpressionPtr& part : expression.parts) {
          const Fragment next = build(*part);
          link(end, next.begin);
          end = next.end;
        }
        return {begin, end};
      }
      case Kind::choice: {
        int32_t begin = add(), end = add(), fork = begin;
        for (const ExpressionPtr& part : expression.parts) {
          const Fragment next = build(*part);
          link(next.end, end);
          const int32_t rest = add();
          at(fork).free[0] = next.begin;
          at(fork).free[1] = rest;
          fork = rest;
        }
        return {begin, end};
      }
      case Kind::repeat:
        return build_repeat(expression);
      case Kind::automaton:
        return copy(*expression.automaton);
      case Kind::begin:
      case Kind::end: {
        const int32_t end = add(), begin = add();
        at(begin).free[0] = end;
        at(begin).anchor = expression.kind == Kind::begin ? NfaState::Anchor::begin : NfaState::Anchor::end;
        return {begin, end};
      }
      case Kind::rule:
        break;
    }
    fail("[grammar] expected a regular expression, got a rule");
  }

  Fragment build_repeat(const Expression& expression) {
    const Expression& part = *expression.parts[0];
    const int32_t begin = add();
    int32_t end = begin;
    for (int32_t i = 0; i < expression.minimum && !expression.is_counted; ++i) {
      const Fragment next = build(part);
      link(end, next.begin);
      end = next.end;
    }
    const int32_t last = add();
    if (expression.is_counted || expression.maximum == kUnbounded) {
      const int32_t loop = add();
      if (expression.is_counted) {
        require(automaton_.counter.state == kDead, "[grammar] expected one count in a lexeme");
        automaton_.counter = {loop, expression.minimum, expression.maximum};
      }
      link(end, loop);
      const Fragment next = build(part);
      at(loop).free[0] = next.begin;
      at(loop).free[1] = last;
      link(next.end, loop);
      return {begin, last};
    }
    for (int32_t i = expression.minimum; i < expression.maximum; ++i) {
      const int32_t fork = add();
      link(end, fork);
      const Fragment next = build(part);
      at(fork).free[0] = next.begin;
      at(fork).free[1] = last;
      end = next.end;
    }
    link(end, last);
    return {begin, last};
  }

  Fragment copy(const Automaton& other) {
    if (other.start == kDead) return {add(), add()};
    require(other.counter.state == kDead, "[grammar] expected a count in a lexeme of its own");
    const auto offset = int32_t(automaton_.states.size());
    const auto moved = [&](int32_t target) { return target == kDead ? kDead : target + offset; };
    for (NfaState state : other.states) {
      state.next = moved(state.next);
      for (int32_t& target : state.free) target = moved(target);
      add(state);
    }
    const int32_t begin = add();  // the copy's own start may be entered again from inside
    link(begin, moved(other.start));
    return {begin, moved(other.accept)};
  }

  const CountedLimits& limits_;
  Automaton automaton_;
};

// An automaton without anchors for the same language. A state is doubled twice: whether something was read already,
// which closes the edges of `^`, and whether a `$` was passed, after which nothing may be read.
Automaton without_anchors(const Automaton& given, const CountedLimits& limits) {
  const size_t count = given.states.size();
  require(count * 4 + 1 <= size_t(limits.automaton_states), "[grammar] expected a pattern of at most {} states",
          limits.automaton_states);
  limits.spend(count * 4);
  Automaton out;
  out.states.resize(count * 4 + 1);
  out.accept = int32_t(count * 4);
  out.start = given.start;
  for (size_t layer = 0; layer < 4; ++layer) {
    const bool has_read = (layer & 1) != 0, has_ended = (layer & 2) != 0;
    const auto placed = [&](int32_t target, size_t where) {
      return target == kDead ? kDead : int32_t(where * count) + target;
    };
    for (size_t i = 0; i < count; ++i) {
      const NfaState& from = given.states[i];
      NfaState& to = out.states[layer * count + i];
      to.low = from.low;
      to.high = from.high;
      to.next = has_ended ? kDead : placed(from.next, layer | 1);
      to.free[0] = placed(from.free[0], layer);
      to.free[1] = placed(from.free[1], layer);
      if (from.anchor == NfaState::Anchor::begin && has_read) to.free[0] = kDead;
      if (from.anchor == NfaState::Anchor::end) to.free[0] = placed(from.free[0], layer | 2);
      if (int32_t(i) == given.accept) to.free[0] = out.accept;
    }
  }
  return out;
}

// The reachable pairs of states of two lexers, as an automaton.
std::shared_ptr<const Automaton> product_of(const Automaton& a, const Automaton& b, bool wants_second,
                                            const CountedLimits& limits) {
  if (is_empty(a) || (wants_second && is_empty(b))) return std::make_shared<Automaton>();
  Lexer first(std::make_shared<Automaton>(a), limits), second(std::make_shared<Automaton>(b), limits);
  std::vector<int> begins = {0};  // where runs of bytes begin that neither tells apart
  for (int byte = 1; byte < 256; ++byte) {
    const auto is_apart = [&](const Lexer& lexer) {
      return lexer.class_of(uint8_t(byte)) != lexer.class_of(uint8_t(byte - 1));
    };
    if (is_apart(first) || is_apart(second)) begins.push_back(byte);
  }
  const size_t classes = begins.size();
  begins.push_back(256);
  Automaton out;
  const auto add_state = [&] {
    require(out.states.size() < size_t(limits.automaton_states), "[grammar] expected a pattern of at most {} states",
            limits.automaton_states);
    out.states.emplace_back();
    return int32_t(out.states.size()) - 1;
  };
  out.accept = add_state();
  std::map<std::pair<int32_t, int32_t>, int32_t> numbers;
  std::vector<std::pair<int32_t, int32_t>> pairs;
  const auto number_of = [&](int32_t left, int32_t right) {
    const auto [found, is_new] = numbers.try_emplace({left, right}, 0);
    if (is_new) {
      require(pairs.size() < size_t(limits.product_states),
              "[grammar] expected two languages whose combination has at most {} states", limits.product_states);
      found->second = add_state();
      pairs.push_back({left, right});
    }
    return found->second;
  };
  out.start = number_of(first.start(), second.start());
  for (size_t i = 0; i < pairs.size(); ++i) {
    limits.spend(classes);
    const int32_t left = pairs[i].first, right = pairs[i].second;
    int32_t from = number_of(left, right);
    const auto fork = [&] {  // a state has one edge that reads; more hang on a chain
      const int32_t more = add_state();
      out.states[size_t(from)].free[0] = more;
      return more;
    };
    for (size_t at = 0; at < classes;) {
      const auto step = [&](size_t index) {
        const int32_t l = first.next(left, uint8_t(begins[index]));
        const int32_t r = right == kDead ? kDead : second.next(right, uint8_t(begins[index]));
        return std::pair{l, l == kDead ? kDead : r};
      };
      const auto target = step(at);
      size_t end = at + 1;
      while (end < classes && step(end) == target) ++end;
      if (target.first != kDead && !(wants_second && target.second == kDead)) {
        const int32_t to = number_of(target.first, target.second);
        NfaState& state = out.states[size_t(from)];
        state.next = to;
        state.low = uint8_t(begins[at]);
        state.high = uint8_t(begins[end] - 1);
        from = fork();
      }
      at = end;
    }
    const bool in_second = right != kDead && second.accepts(right);
    if (first.accepts(left) && in_second == wants_second) out.states[size_t(from)].free[1] = out.accept;
  }
  return trimmed(out);
}

}  // namespace

std::shared_ptr<const Automaton> build_automaton(const Expression& expression, const CountedLimits& limits) {
  if (expression.kind == Expression::Kind::automaton) return expression.automaton;
  const Automaton built = AutomatonBuilder(limits).run(expression);
  return trimmed(expression.has_anchor ? without_anchors(built, limits) : built);
}

std::shared_ptr<const Automaton> intersection(const Automaton& a, const Automaton& b, const CountedLimits& limits) {
  return product_of(a, b, true, limits);
}

std::shared_ptr<const Automaton> compacted(const Automaton& a) { return product_of(a, a, true, {}); }

std::shared_ptr<const Automaton> difference(const Automaton& a, const Automaton& b, const CountedLimits& limits) {
  if (is_empty(b)) return std::make_shared<Automaton>(a);
  return product_of(a, b, false, limits);
}

}  // namespace fude::grammar
