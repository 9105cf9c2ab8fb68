#include "posttrain/doctor.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/statistics.h"

namespace fude {
namespace {

constexpr size_t kWindow = 10;  // rollouts that are judged together

Json json_of(const RolloutSigns& s) { return {s.right, s.equal_groups, s.truncated, s.tokens, s.entropy}; }

RolloutSigns signs_from(const Json& json) {
  const auto at = [&](size_t i) { return json.at(i).get<double>(); };
  return {at(0), at(1), at(2), at(3), at(4)};
}

}  // namespace

// Of each sign for itself, so that one odd rollout changes nothing.
RolloutSigns Doctor::median() const {
  RolloutSigns result;
  for (double RolloutSigns::*sign : {&RolloutSigns::right, &RolloutSigns::equal_groups, &RolloutSigns::truncated,
                                     &RolloutSigns::tokens, &RolloutSigns::entropy}) {
    std::vector<double> values;
    for (const RolloutSigns& s : seen_) values.push_back(s.*sign);
    result.*sign = spread_of(std::move(values)).median;
  }
  return result;
}

Json Doctor::state() const {
  Json seen = Json::array();
  for (const RolloutSigns& s : seen_) seen.push_back(json_of(s));
  return {{"seen", seen},
          {"first", json_of(first_)},
          {"knows_first", knows_first_},
          {"best", best_right_},
          {"told", told_}};
}

void Doctor::restore(const Json& state, std::string_view where) try {
  seen_.clear();
  for (const Json& s : state.at("seen")) seen_.push_back(signs_from(s));
  first_ = signs_from(state.at("first"));
  state.at("knows_first").get_to(knows_first_), state.at("best").get_to(best_right_), state.at("told").get_to(told_);
} catch (const Json::exception& error) {
  fail("[{}] what is known of the rollouts is damaged: {}", where, error.what());
}

std::string Doctor::look(const RolloutSigns& signs) {
  seen_.push_back(signs);
  if (seen_.size() > kWindow) seen_.pop_front();
  if (seen_.size() < kWindow) return {};
  const RolloutSigns now = median();
  if (!knows_first_) first_ = now, knows_first_ = true;
  best_right_ = std::max(best_right_, now.right);

  std::string words;
  const auto complain = [&](const char* name, bool is_so, const std::string& what) {
    if (!is_so) return void(told_.erase(name));
    if (!told_.insert(name).second) return;
    words += (words.empty() ? "" : "; ") + what;
  };
  const auto percent = [](double share) { return fmt::format("{:.0f} %", 100 * share); };
  const bool is_equal = now.equal_groups > 0.95;
  const bool is_wrong = now.right < 0.05;
  const bool is_right = now.right > 0.95;
  complain("all wrong", is_equal && is_wrong,
           fmt::format("in {} of the groups every answer is wrong, so there is nothing to learn from: ask easier "
                       "questions (--difficulty), or teach the model by examples first (fude sft)",
                       percent(now.equal_groups)));
  complain("all right", is_equal && is_right,
           fmt::format("in {} of the groups every answer is right: ask harder questions (--difficulty), or stop here",
                       percent(now.equal_groups)));
  complain("all equal", is_equal && !is_wrong && !is_right,
           fmt::format("in {} of the groups all answers are worth the same, though only {} are right: the model has "
                       "settled on one answer to each question, perhaps the same to all; begin a new run (another "
                       "--out folder) from an earlier checkpoint, with a lower learning rate",
                       percent(now.equal_groups), percent(now.right)));
  complain("cut off", now.truncated > 0.5,
           fmt::format("{} of the answers are cut off before they end: raise --max-tokens, or make "
                       "long answers cost (--overlong-from)",
                       percent(now.truncated)));
  complain("entropy", now.entropy < 0.1 * first_.entropy && now.right < 0.9,
           fmt::format("the answers hardly differ any more (entropy {:.3f}, once {:.3f} nats per token): lower the "
                       "learning rate, or raise --clip-high",
                       now.entropy, first_.entropy));
  complain(
      "length", now.tokens > 1.5 * first_.tokens && now.right < first_.right + 0.02,
      fmt::format("answers grow longer ({:.0f} tokens, once {:.0f}) and not better ({} right, once {}): the length "
                  "is being learned, not the task; --normaliser constant and --overlong-from work against it",
                  now.tokens, first_.tokens, percent(now.right), percent(first_.right)));
  complain("fallen", now.right < 0.5 * best_right_ && best_right_ > 0.05,
           fmt::format("{} of the answers are right, it has been {}: begin a new run (another --out folder) from an "
                       "earlier checkpoint, with a lower learning rate",
                       percent(now.right), percent(best_right_)));
  return words;
}

}  // namespace fude
