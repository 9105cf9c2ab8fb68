#include "infer/grammar/plain_steps.h"

#include <algorithm>
#include <bit>
#include <string_view>

namespace fude::grammar {
namespace {

constexpr int32_t kSeveral = -2, kUnseen = -3;

constexpr std::string_view kGroups[] = {"abcdef",     "ghijklmnopqrstuvwxyz",
                                        "ABCDEF",     "GHIJKLMNOPQRSTUVWXYZ",
                                        "0123456789", " ",
                                        "-",          "_",
                                        ".",          ",",
                                        ":",          ";",
                                        "/",          "@",
                                        "'",          "()",
                                        "[]",         "{}",
                                        "<>",         "+",
                                        "=",          "*",
                                        "&",          "#",
                                        "%",          "!?",
                                        "$",          "|"};
constexpr int kOthers = int(std::size(kGroups)), kBeyondAscii = kOthers + 1;
static_assert(kBeyondAscii + 1 == kCharacterKinds);

constexpr std::array<uint8_t, 256> kKindOfByte = [] {
  std::array<uint8_t, 256> kinds{};
  for (int byte = 0; byte < 256; ++byte) {
    kinds[size_t(byte)] = byte < 0x80 ? kOthers : kBeyondAscii;
    for (size_t group = 0; group < std::size(kGroups); ++group)
      if (kGroups[group].find(char(byte)) != std::string_view::npos) kinds[size_t(byte)] = uint8_t(group);
  }
  return kinds;
}();

// The state behind one character beyond ASCII. UTF-8's ranges by Unicode table 3-7.
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
  // Inside a character, other bytes can come.
  if (step(one, 0x80, 0xBF) != States{kDead}) return kSeveral;
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

}  // namespace

uint32_t kind_of_byte(uint8_t byte) { return uint32_t(1) << kKindOfByte[byte]; }

const PlainSteps::Steps& PlainSteps::steps_of(int32_t state, Lexer& lexer) {
  if (size_t(state) >= number_.size()) number_.resize(size_t(state) + 1, kDead);
  if (number_[size_t(state)] != kDead) return steps_[size_t(number_[size_t(state)])];
  Steps steps;
  steps.next.fill(kUnseen);
  for (int byte = 0x20; byte < 0x80; ++byte) {
    if (byte == '"' || byte == '\\') continue;
    int32_t& known = steps.next[kKindOfByte[size_t(byte)]];
    const int32_t next = lexer.next(state, uint8_t(byte));
    known = known == kUnseen || known == next ? next : kSeveral;
  }
  steps.next[kBeyondAscii] = behind_wide(state, lexer);
  for (size_t kind = 0; kind < kCharacterKinds; ++kind) {
    steps.same[kind] = 0;
    for (size_t other = 0; other < kCharacterKinds && steps.next[kind] != kSeveral; ++other)
      steps.same[kind] |= uint32_t(steps.next[other] == steps.next[kind]) << other;
  }
  number_[size_t(state)] = int32_t(steps_.size());
  steps_.push_back(steps);
  return steps_.back();
}

int PlainSteps::reach(uint32_t kinds, int32_t state, int most, Lexer& lexer) {
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
  Chain chain{kAllKinds, kAllKinds, 0};
  for (; chain.count < most; ++chain.count) {
    if (lexer.accepts(state)) return {};
    const Steps& steps = steps_of(state, lexer);
    uint32_t dead = 0;
    size_t first = kCharacterKinds;  // the first kind that is taken so far and leads somewhere
    for (size_t kind = 0; kind < kCharacterKinds; ++kind) {
      dead |= uint32_t(steps.next[kind] == kDead) << kind;
      if (first == kCharacterKinds && steps.next[kind] >= 0 && (chain.taken >> kind & 1) != 0) first = kind;
    }
    chain.refused &= dead;
    if (first == kCharacterKinds) {
      // Where one of them leads to several states, nothing is known behind it.
      chain.taken &= dead;
      return chain.count > 0 && chain.taken != 0 ? std::optional(chain) : std::nullopt;
    }
    chain.taken &= steps.same[first];
    if (steps.next[first] == state) {
      chain.count = most;
      return chain;
    }
    state = steps.next[first];
  }
  return chain;
}

}  // namespace fude::grammar
