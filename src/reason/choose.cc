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

ChosenAnswer choose_answer(Engine& engine, const Kernels& kernels, const Chat& chat, const std::vector<int32_t>& prompt,
                           const ChooseOptions& options) {
  require(options.by == ChooseBy::vote || options.scorer != nullptr,
          "[choose] expected a scorer for answers to be judged; `fude scorer` makes one");
  const std::string prompt_text = chat.tokenizer().decode(prompt);
  const bool is_thought_open = prompt_text.substr(0, prompt_text.find_last_not_of(" \n") + 1).ends_with(kThinkOpen);
  ChosenAnswer chosen;
  Vote vote;
  std::vector<int64_t> order;  // numbers of the answers that ended
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
      vote.add(committed_answer(split_thought(chosen.texts.back(), is_thought_open).answer), order.size());
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
  chosen.weights.assign(order.size(), 1.0);
  if (options.scorer != nullptr && !order.empty()) {
    std::vector<std::vector<int32_t>> sequences;
    for (int64_t number : order) {
      sequences.push_back(prompt);
      for (const SampledToken& token : answers[size_t(number)].tokens) sequences.back().push_back(token.token);
    }
    const std::vector<double> scores = score_sequences(*options.scorer, kernels, sequences);
    vote = {};
    for (size_t i = 0; i < order.size(); ++i) {
      chosen.weights[i] = std::exp(scores[i]);
      vote.add(committed_answer(split_thought(chosen.texts[i], is_thought_open).answer), i, chosen.weights[i]);
    }
  }
  chosen.ranking = vote.ranking();
  if (chosen.texts.empty()) return chosen;
  size_t best = size_t(std::ranges::max_element(chosen.weights) - chosen.weights.begin());
  // Of equal answers the one that is thought best of.
  if (options.by != ChooseBy::best && !chosen.ranking.empty()) {
    const std::string& key = chosen.ranking.front().key;
    best = chosen.ranking.front().example;
    for (size_t i = 0; i < chosen.texts.size(); ++i)
      if (chosen.weights[i] > chosen.weights[best] &&
          committed_answer(split_thought(chosen.texts[i], is_thought_open).answer) == key)
        best = i;
  }
  chosen.text = chosen.texts[best];
  return chosen;
}

}  // namespace fude
