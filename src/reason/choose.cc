#include "reason/choose.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "tasks/task.h"

namespace fude {

ChooseBy choose_by_of(std::string_view name) {
  if (name == "vote") return ChooseBy::vote;
  if (name == "best") return ChooseBy::best;
  if (name == "weighted") return ChooseBy::weighted;
  fail("[choose] expected vote, best or weighted, got '{}'", name);
}

Selection select_answer(ChooseBy by, const std::vector<Candidate>& candidates) {
  require(!candidates.empty(), "[choose] expected at least one answer");
  Vote vote;
  for (size_t i = 0; i < candidates.size(); ++i)
    vote.add(candidates[i].key, i, by == ChooseBy::vote ? 1 : candidates[i].weight);
  Selection selection{0, vote.ranking()};
  const bool is_vote = by != ChooseBy::best && !selection.ranking.empty();
  const auto may_win = [&](size_t i) { return !is_vote || candidates[i].key == selection.ranking.front().key; };
  if (is_vote) selection.chosen = selection.ranking.front().example;
  for (size_t i = 0; i < candidates.size(); ++i)
    if (may_win(i) && candidates[i].weight > candidates[selection.chosen].weight) selection.chosen = i;
  return selection;
}

ChosenAnswer choose_answer(Engine& engine, const Kernels& kernels, const Chat& chat, const std::vector<int32_t>& prompt,
                           const ChooseOptions& options) {
  require(options.by == ChooseBy::vote || options.scorer != nullptr,
          "[choose] expected a scorer for answers to be judged; `fude scorer` makes one");
  const bool is_thought_open = chat.opens_thought(prompt);
  ChosenAnswer chosen;
  Vote vote;
  std::vector<int64_t> order;  // numbers of the answers that ended
  std::vector<Candidate> candidates;
  SampleOptions sample{.sampling = options.sampling,
                       .answers = options.answers,
                       .max_tokens = options.max_tokens,
                       .adapter = options.adapter};
  sample.cancel = options.cancel;
  if (const auto masks = thinking_masks(chat, options.budget, is_thought_open))
    sample.mask = [masks](size_t, int64_t) { return masks(); };
  sample.on_answer = [&](size_t, int64_t number, const SampledAnswer& answer) {
    if (answer.has_ended()) {
      chosen.texts.push_back(text_of(chat.tokenizer(), answer));
      candidates.push_back({committed_answer(split_thought(chosen.texts.back(), is_thought_open).answer)});
      vote.add(candidates.back().key, order.size());
      order.push_back(number);
    }
    chosen.truncated += answer.is_truncated() ? 1 : 0;
    const int64_t left = options.answers - int64_t(order.size()) - chosen.truncated;
    return options.by != ChooseBy::vote || !options.stops_early || !vote.is_decided(left);
  };
  const std::vector<SampledAnswer> answers = sample_answers(engine, {prompt}, chat.stops(), sample).front();
  for (const SampledAnswer& answer : answers) {
    chosen.tokens += int64_t(answer.tokens.size());
    chosen.cancelled += answer.reason == FinishReason::cancelled ? 1 : 0;
  }
  if (order.empty()) return chosen;
  if (options.scorer != nullptr) {
    std::vector<AnswerToScore> sequences;
    for (int64_t number : order) {
      const SampledAnswer& answer = answers[size_t(number)];
      sequences.push_back(answer_to_score(prompt, answer.ids(), answer.logprob()));
    }
    const std::vector<double> scores = score_sequences(*options.scorer, kernels, sequences);
    for (size_t i = 0; i < order.size(); ++i) candidates[i].weight = std::exp(scores[i]);
  }
  for (const Candidate& candidate : candidates) chosen.weights.push_back(candidate.weight);
  Selection selection = select_answer(options.by, candidates);
  chosen.ranking = std::move(selection.ranking);
  chosen.text = chosen.texts[selection.chosen];
  return chosen;
}

}  // namespace fude
