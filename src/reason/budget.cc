#include "reason/budget.h"

#include <algorithm>
#include <deque>
#include <limits>

#include "base/error.h"

namespace fude {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// What the masks of one chat have in common.
struct Marks {
  std::vector<int32_t> open, close;  // as tokens; usually one each
  std::vector<int32_t> stops, go_on;
  ThinkingBudget budget;
};

class BudgetMask : public TokenMask {
 public:
  BudgetMask(std::shared_ptr<const Marks> marks, bool is_open)
      : marks_(std::move(marks)), state_(is_open ? State::thinking : State::before) {
    if (state_ == State::before && marks_->budget.least > 0) force(marks_->open);
  }

  void apply(std::span<float> logits_V) override {
    if (forced_.empty() && state_ == State::thinking) decide(logits_V);
    if (!forced_.empty()) return allow_only(logits_V, forced_.front());
    if (state_ == State::thinking) {
      if (thought_ < marks_->budget.least) forbid(logits_V, marks_->close.front());
      for (int32_t stop : marks_->stops) forbid(logits_V, stop);
    }
  }

  void accept(int32_t token) override {
    if (!forced_.empty()) forced_.pop_front();
    if (state_ == State::answering) return;
    // Thoughts are counted in tokens between the marks; an answer that begins without one has none.
    recent_.push_back(token);
    if (state_ == State::before) {
      if (ends_with(marks_->open))
        state_ = State::thinking, recent_.clear();
      else if (!begins(marks_->open))
        state_ = State::answering;
      return;
    }
    ++thought_;
    if (ends_with(marks_->close)) state_ = State::answering;
  }

  std::vector<int32_t> foreseen(int64_t most) override {
    return {forced_.begin(), forced_.begin() + std::min(most, int64_t(forced_.size()))};
  }

 private:
  enum class State { before, thinking, answering };

  void decide(std::span<const float> logits_V) {
    const ThinkingBudget& budget = marks_->budget;
    if (budget.most && thought_ >= *budget.most) return force(marks_->close);
    if (thought_ >= budget.least || marks_->go_on.empty()) return;
    if (budget.most && thought_ + int64_t(marks_->go_on.size()) > *budget.most) return;  // no room for the words
    const auto likeliest = int32_t(std::max_element(logits_V.begin(), logits_V.end()) - logits_V.begin());
    if (likeliest == marks_->close.front() || std::ranges::find(marks_->stops, likeliest) != marks_->stops.end())
      force(marks_->go_on);
  }
  void force(const std::vector<int32_t>& tokens) { forced_.assign(tokens.begin(), tokens.end()); }
  bool ends_with(const std::vector<int32_t>& mark) const {
    return recent_.size() >= mark.size() && std::equal(mark.rbegin(), mark.rend(), recent_.rbegin());
  }
  bool begins(const std::vector<int32_t>& mark) const {
    return recent_.size() < mark.size() && std::equal(recent_.begin(), recent_.end(), mark.begin());
  }
  static void forbid(std::span<float> logits_V, int32_t token) { logits_V[size_t(token)] = kNever; }
  static void allow_only(std::span<float> logits_V, int32_t token) {
    const float kept = logits_V[size_t(token)];
    std::ranges::fill(logits_V, kNever);
    logits_V[size_t(token)] = kept > kNever ? kept : 0.0f;
  }

  std::shared_ptr<const Marks> marks_;
  State state_;
  int64_t thought_ = 0;
  std::deque<int32_t> forced_;
  std::vector<int32_t> recent_;
};

}  // namespace

std::function<std::unique_ptr<TokenMask>()> thinking_masks(const Chat& chat, const ThinkingBudget& budget,
                                                           bool is_thought_open) {
  if (!budget.is_given()) return {};
  require(chat.may_think(), "[thinking] the model was not trained to think ({} … {}), so it has no budget for it",
          kThinkOpen, kThinkClose);
  require(budget.least >= 0 && (!budget.most || *budget.most >= budget.least),
          "[thinking] expected a budget of at least {} tokens, got {}", std::max<int64_t>(0, budget.least),
          budget.most.value_or(0));
  const Tokenizer& tokenizer = chat.tokenizer();
  const auto encoded = [&](std::string_view text) {
    return tokenizer.encode(std::vector<TextPiece>{{std::string(text), true}});
  };
  auto marks = std::make_shared<Marks>(
      Marks{encoded(kThinkOpen), encoded(kThinkClose), chat.stops(), encoded(budget.go_on), budget});
  return [marks = std::move(marks), is_thought_open] { return std::make_unique<BudgetMask>(marks, is_thought_open); };
}

}  // namespace fude
