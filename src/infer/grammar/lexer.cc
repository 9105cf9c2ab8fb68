// Lazy subset construction (Rabin and Scott, 1959): a state is the set of automaton states that a text can be in, of
// which only those are kept that read a byte or accept, and how often it passed the counter.
#include <algorithm>

#include "base/error.h"
#include "infer/grammar/automaton.h"

namespace fude::grammar {
namespace {

constexpr int32_t kUnasked = -3;

uint64_t hash_of_set(const std::vector<int32_t>& set, int32_t count) {
  uint64_t hash = uint64_t(uint32_t(count)) << 32 | set.size();
  for (const int32_t state : set) hash = (hash ^ uint64_t(state)) * 0x9E3779B97F4A7C15u, hash ^= hash >> 29;
  return hash;
}

}  // namespace

Lexer::Lexer(std::shared_ptr<const Automaton> automaton, const CountedLimits& limits)
    : automaton_(std::move(automaton)), limits_(limits) {
  limits_.spend(automaton_->states.size());
  marks_.resize(automaton_->states.size());
  std::array<bool, 257> begins{};
  for (const Automaton::State& state : automaton_->states)
    if (state.next != kDead) begins[state.low] = begins[size_t(state.high) + 1] = true;
  for (size_t byte = 0, now = 0; byte < 256; ++byte) {
    if (byte > 0 && begins[byte]) ++now;
    classes_[byte] = uint8_t(now);
    class_bytes_[now] = uint8_t(byte);
    class_count_ = int32_t(now) + 1;
  }
  if (automaton_->start == kDead) return;
  std::vector<int32_t> set;
  ++round_;
  int32_t count = -1;
  visit(automaton_->start, set, count);
  start_ = state_of(std::move(set), count);
}

void Lexer::visit(int32_t state, std::vector<int32_t>& set, int32_t& count) {
  const Automaton::Counter& counter = automaton_->counter;
  const bool is_bounded = counter.maximum != kUnbounded;
  pending_.assign(1, state);
  while (!pending_.empty()) {
    const int32_t at = pending_.back();
    pending_.pop_back();
    if (at == kDead || marks_[size_t(at)] == round_) continue;
    marks_[size_t(at)] = round_;
    limits_.spend(1);
    const Automaton::State& found = automaton_->states[size_t(at)];
    if (found.next != kDead || at == automaton_->accept) set.push_back(at);
    const bool is_counter = at == counter.state;
    if (is_counter) count = std::min(count + 1, is_bounded ? counter.maximum : counter.minimum);
    if (!is_counter || !is_bounded || count < counter.maximum) pending_.push_back(found.free[0]);
    if (!is_counter || count >= counter.minimum) pending_.push_back(found.free[1]);
  }
}

int32_t Lexer::state_of(std::vector<int32_t> set, int32_t count) {
  if (set.empty()) return kDead;
  std::sort(set.begin(), set.end());
  const uint64_t hash = hash_of_set(set, count);
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto found = begin; found != end; ++found)
    if (counts_[size_t(found->second)] == count && sets_[size_t(found->second)] == set) return found->second;
  const auto number = int32_t(sets_.size());
  require(number < limits_.lexer_states, "[grammar] the pattern needs more than {} states", limits_.lexer_states);
  limits_.spend(set.size() + size_t(class_count_));
  by_hash_.emplace(hash, number);
  accepts_.push_back(std::binary_search(set.begin(), set.end(), automaton_->accept));
  goes_on_.push_back(set.size() > size_t(accepts_.back()));
  only_.push_back(kUnasked);
  sets_.push_back(std::move(set));
  counts_.push_back(count);
  table_.resize(table_.size() + size_t(class_count_), kUnknown);
  return number;
}

int32_t Lexer::make(int32_t state, uint8_t byte_class) {
  const uint8_t byte = class_bytes_[byte_class];
  std::vector<int32_t> reached;
  int32_t count = counts_[size_t(state)];
  int first = 0, last = 255;  // bytes between which no edge of this state begins or ends
  ++round_;
  for (const int32_t from : sets_[size_t(state)]) {
    const Automaton::State& edge = automaton_->states[size_t(from)];
    if (edge.next == kDead) continue;
    if (edge.high < byte) {
      first = std::max(first, edge.high + 1);
    } else if (edge.low > byte) {
      last = std::min(last, edge.low - 1);
    } else {
      first = std::max<int>(first, edge.low), last = std::min<int>(last, edge.high);
      visit(edge.next, reached, count);
    }
  }
  limits_.spend(sets_[size_t(state)].size());
  const int32_t target = state_of(std::move(reached), count);
  const auto row = table_.begin() + ptrdiff_t(state) * class_count_;
  std::fill(row + classes_[size_t(first)], row + classes_[size_t(last)] + 1, target);
  return target;
}

bool Lexer::matches(std::string_view text) {
  int32_t state = start_;
  for (size_t i = 0; i < text.size() && state != kDead; ++i) state = next(state, uint8_t(text[i]));
  return state != kDead && accepts(state);
}

// Each time past the counter takes a byte at least: counts from which so many do not pass the next bound are one.
int32_t Lexer::like(int32_t state, int32_t bytes) {
  const Automaton::Counter& counter = automaton_->counter;
  const int32_t count = counts_[size_t(state)];
  const int32_t far = (count < counter.minimum ? counter.minimum : counter.maximum) - bytes;
  return count < far ? state_of(sets_[size_t(state)], far) : state;
}

int32_t Lexer::only_byte(int32_t state) {
  if (only_[size_t(state)] != kUnasked) return only_[size_t(state)];
  int32_t found = kDead;
  for (const int32_t from : sets_[size_t(state)]) {
    const Automaton::State& edge = automaton_->states[size_t(from)];
    if (edge.next == kDead) continue;
    found = edge.low != edge.high || (found != kDead && found != edge.low) ? kSeveral : edge.low;
    if (found == kSeveral) break;
  }
  return only_[size_t(state)] = found;
}

}  // namespace fude::grammar
