#include "infer/grammar/plain_steps.h"

#include <algorithm>
#include <bit>

namespace fude::grammar {
namespace {

constexpr int32_t kSeveral = -2, kUnseen = -3;
// States of a lexeme from which classes beyond ASCII are told apart, which takes a walk over all characters. A lexeme
// that loops has few such states; one that counts would have as many as it counts.
constexpr int kMostToldApart = 6;
constexpr size_t kMostStates = 8, kMostTargets = 64;  // that are followed at once, and known of one state

// The state behind one character beyond ASCII, whichever it is. UTF-8's ranges by Unicode table 3-7.
int32_t behind_wide(int32_t state, Lexer& lexer) {
  using States = std::vector<int32_t>;
  const auto step = [&](const States& from, int low, int high) {
    States to;
    for (const int32_t at : from)
      for (int byte = low, before = -1; byte <= high; ++byte) {
        if (lexer.class_of(uint8_t(byte)) == before) continue;
        before = lexer.class_of(uint8_t(byte));
        const int32_t next = at == kDead ? kDead : lexer.next(at, uint8_t(byte));
        if (std::find(to.begin(), to.end(), next) == to.end()) to.push_back(next);
      }
    return to;
  };
  const States one{state};
  if (step(one, 0xC2, 0xF4) == States{kDead}) return kDead;
  const auto tail = [&](const States& states) { return step(states, 0x80, 0xBF); };
  States behind;
  const auto end = [&](const States& states) {
    behind.insert(behind.end(), states.begin(), states.end());
    return std::all_of(behind.begin(), behind.end(), [&](int32_t other) { return other == behind[0]; });
  };
  const bool is_one =
      end(tail(step(one, 0xC2, 0xDF))) && end(tail(step(step(one, 0xE0, 0xE0), 0xA0, 0xBF))) &&
      end(tail(tail(step(one, 0xE1, 0xEC)))) && end(tail(step(step(one, 0xED, 0xED), 0x80, 0x9F))) &&
      end(tail(tail(step(one, 0xEE, 0xEF)))) && end(tail(tail(step(step(one, 0xF0, 0xF0), 0x90, 0xBF)))) &&
      end(tail(tail(tail(step(one, 0xF1, 0xF3))))) && end(tail(tail(step(step(one, 0xF4, 0xF4), 0x80, 0x8F))));
  return is_one ? behind[0] : kSeveral;
}

bool is_inside_character(int32_t state, Lexer& lexer) {
  for (int byte = 0x80; byte <= 0xBF; ++byte)
    if (lexer.next(state, uint8_t(byte)) != kDead) return true;
  return false;
}

}  // namespace

void PlainSteps::Steps::note(int kind, int32_t target) {
  int32_t& known = next[size_t(kind)];
  if (known == target) return;
  known = known == kUnseen ? target : kSeveral;
  if (target == kDead) {
    whole &= ~bit_of(kind);
    return;
  }
  dead &= ~bit_of(kind);
  if (std::ranges::find(targets, std::pair{kind, target}) != targets.end()) return;
  if (targets.size() < kMostTargets)
    targets.emplace_back(kind, target);
  else
    whole &= ~bit_of(kind);  // as far as is known
}

void PlainSteps::note_wide(int32_t state, Lexer& lexer, Steps& steps) {
  const bool is_inside = is_inside_character(state, lexer);
  const int32_t all = is_inside ? kSeveral : behind_wide(state, lexer);
  if (all != kSeveral) {
    for (int kind = kFirstWideKind; kind < kCharacterKinds; ++kind) steps.note(kind, all);
  } else if (is_inside || told_apart_ == kMostToldApart) {
    const Kinds wide = kAllKinds & ~(bit_of(kFirstWideKind) - 1);
    std::fill(steps.next.begin() + kFirstWideKind, steps.next.end(), kSeveral);
    steps.whole &= ~wide, steps.dead &= ~wide;
  } else {
    ++told_apart_;
    const auto nodes = characters_.nodes();
    std::array<int32_t, 5> states = {state};  // by depth
    for (int32_t i = 0; size_t(i) < nodes.size();) {
      const TokenTrie::Node& node = nodes[size_t(i)];
      const TokenTrie::Below& below = characters_.below()[size_t(i)];
      const int32_t next = states[node.depth] = lexer.next(states[size_t(node.depth) - 1], node.byte);
      Kinds kinds = next == kDead ? below.kinds | below.kind : below.kind;
      for (; kinds != 0; kinds &= kinds - 1) steps.note(std::countr_zero(kinds), next);
      i = next == kDead ? node.end : i + 1;
    }
  }
}

const PlainSteps::Steps& PlainSteps::steps_of(int32_t state, Lexer& lexer) {
  if (size_t(state) >= number_.size()) number_.resize(size_t(state) + 1, kDead);
  if (number_[size_t(state)] != kDead) return steps_[size_t(number_[size_t(state)])];
  Steps steps;
  steps.next.fill(kUnseen);
  for (int byte = 0x20; byte < 0x80; ++byte)
    if (byte != '"' && byte != '\\') steps.note(kind_of(uint32_t(byte)), lexer.next(state, uint8_t(byte)));
  note_wide(state, lexer, steps);
  for (size_t kind = 0; kind < kCharacterKinds; ++kind) {
    steps.same[kind] = 0;
    for (int other = 0; other < kCharacterKinds && steps.next[kind] != kSeveral; ++other)
      if (steps.next[size_t(other)] == steps.next[kind]) steps.same[kind] |= bit_of(other);
  }
  number_[size_t(state)] = int32_t(steps_.size());
  bytes_ += sizeof(Steps) + steps.targets.capacity() * sizeof(steps.targets[0]);
  steps_.push_back(std::move(steps));
  return steps_.back();
}

int PlainSteps::reach(Kinds kinds, int32_t state, int most, Lexer& lexer) {
  const auto kind = size_t(std::countr_zero(kinds));
  bool can_end = false;
  for (int count = 0; count < most; ++count) {
    const Steps& steps = steps_of(state, lexer);
    if ((kinds & ~steps.same[kind]) != 0) return kMixed;
    can_end = can_end || lexer.accepts(state);
    const int32_t next = steps.next[kind];
    if (next == kDead) return can_end ? kMixed : count;
    if (next == state) return most;
    state = next;
  }
  return most;
}

std::optional<PlainSteps::Chain> PlainSteps::chain(int32_t state, int most, Lexer& lexer) {
  if (auto chain = follow(kAllKinds, state, most, lexer)) return chain;
  // Kinds that lead different ways say nothing together: then the first that leads anywhere, with those that do alike.
  const Steps& steps = steps_of(state, lexer);
  const auto first = std::ranges::find_if(steps.next, [](int32_t next) { return next >= 0; });
  if (first == steps.next.end()) return {};
  return follow(steps.same[size_t(first - steps.next.begin())], state, most, lexer);
}

std::optional<PlainSteps::Chain> PlainSteps::follow(Kinds kinds, int32_t state, int most, Lexer& lexer) {
  Chain chain{kinds, kAllKinds, 0};
  std::vector<int32_t> now = {state}, seen = now;
  for (; chain.count < most; ++chain.count) {
    Kinds whole = kAllKinds, dead = kAllKinds;
    for (const int32_t at : now) {
      if (lexer.accepts(at)) return {};
      const Steps& steps = steps_of(at, lexer);
      whole &= steps.whole, dead &= steps.dead;
    }
    chain.refused &= dead;
    if ((chain.taken & whole) == 0) {
      chain.taken &= dead;  // of the others nothing is known behind it
      return chain.count > 0 && chain.taken != 0 ? std::optional(chain) : std::nullopt;
    }
    chain.taken &= whole;
    std::vector<int32_t> then;
    for (const int32_t at : now)
      for (const auto& [kind, target] : steps_of(at, lexer).targets)
        if ((chain.taken & bit_of(kind)) != 0 && std::ranges::find(then, target) == then.end()) then.push_back(target);
    if (std::ranges::all_of(then, [&](int32_t at) { return std::ranges::find(seen, at) != seen.end(); })) {
      chain.count = most;
      return chain;
    }
    if (then.size() > kMostStates) return {};
    seen.insert(seen.end(), then.begin(), then.end());
    now = std::move(then);
  }
  return chain;
}

}  // namespace fude::grammar
