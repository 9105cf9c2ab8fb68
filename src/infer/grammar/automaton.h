// Regular languages over bytes: automata built from expressions (Thompson, 1968), their products, and their
// deterministic form, which is built state by state as texts need it.
//
// All states of a finished automaton lie on a way to its end. So a set of states that is not empty can always be
// completed, and "this byte is possible" needs no look ahead.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "infer/grammar/expression.h"
#include "infer/grammar/limits.h"

namespace fude::grammar {

constexpr int32_t kDead = -1;

struct Automaton {
  struct State {
    int32_t next = kDead;              // where a byte from `low` to `high` leads
    int32_t free[2] = {kDead, kDead};  // states that are reached without reading
    uint8_t low = 0, high = 0;
    enum class Anchor : uint8_t { none, begin, end } anchor = Anchor::none;  // when free[0] may be taken
  };
  std::vector<State> states;
  int32_t start = kDead;   // kDead: the empty language
  int32_t accept = kDead;  // the one accepting state; nothing leaves it
  // A state that counts how often a text came back to it: free[0] may be taken fewer than `maximum` times (or
  // kUnbounded), free[1] after `minimum`. All ways that a text can be read pass it equally often.
  struct Counter {
    int32_t state = kDead;  // kDead: there is none
    int32_t minimum = 0, maximum = 0;
  };
  Counter counter{};
};

// Error where a limit is passed or the expression has a rule in it.
std::shared_ptr<const Automaton> build_automaton(const Expression& expression, const CountedLimits& limits);

// The texts that are in both, or in `a` and not in `b`.
std::shared_ptr<const Automaton> intersection(const Automaton& a, const Automaton& b, const CountedLimits& limits);
std::shared_ptr<const Automaton> difference(const Automaton& a, const Automaton& b, const CountedLimits& limits);
// The same language in fewer states, for what is repeated many times.
std::shared_ptr<const Automaton> compacted(const Automaton& a);
inline bool is_empty(const Automaton& a) { return a.start == kDead; }

// The deterministic form. States are numbers from 0, the start (where there is one).
class Lexer {
 public:
  Lexer(std::shared_ptr<const Automaton> automaton, const CountedLimits& limits);

  int32_t start() const { return start_; }
  // The state that `byte` leads to, or kDead. Error where a limit is passed.
  int32_t next(int32_t state, uint8_t byte) {
    const int32_t known = table_[size_t(state) * size_t(class_count_) + classes_[byte]];
    return known != kUnknown ? known : make(state, classes_[byte]);
  }
  // Bytes that no edge tells apart share a class.
  uint8_t class_of(uint8_t byte) const { return classes_[byte]; }
  bool accepts(int32_t state) const { return accepts_[size_t(state)]; }
  // Whether any byte can follow.
  bool goes_on(int32_t state) const { return goes_on_[size_t(state)]; }
  bool matches(std::string_view text);
  // A state of which the next `bytes` bytes lead where they lead from this one, the same for many counts.
  int32_t like(int32_t state, int32_t bytes);
  // The one byte that can follow, kSeveral, or kDead where none can.
  static constexpr int32_t kSeveral = -2;
  int32_t only_byte(int32_t state);

 private:
  static constexpr int32_t kUnknown = -2;
  int32_t make(int32_t state, uint8_t byte_class);
  // Adds what is reached from `state` without reading, `count` times past the counter, which goes on.
  void visit(int32_t state, std::vector<int32_t>& set, int32_t& count);
  int32_t state_of(std::vector<int32_t> set, int32_t count);

  std::shared_ptr<const Automaton> automaton_;
  CountedLimits limits_;
  std::array<uint8_t, 256> classes_{};
  std::array<uint8_t, 256> class_bytes_{};  // one byte of each class
  int32_t class_count_ = 0;
  int32_t start_ = kDead;
  std::vector<int32_t> table_;  // by state and class
  std::vector<bool> accepts_, goes_on_;
  std::vector<int32_t> only_;  // answers of only_byte, or kUnasked
  std::vector<std::vector<int32_t>> sets_;
  std::vector<int32_t> counts_;  // of the counter: what comes next may be told by it
  std::unordered_multimap<uint64_t, int32_t> by_hash_;
  std::vector<uint32_t> marks_;  // automaton states that were visited in round `round_`
  uint32_t round_ = 0;
  std::vector<int32_t> pending_;
};

}  // namespace fude::grammar
