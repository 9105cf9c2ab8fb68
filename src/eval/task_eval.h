// A model asked the held-out questions of a task, each any number of times, and judged by the task's own verifier.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/statistics.h"
#include "reason/budget.h"
#include "reason/sample.h"
#include "reason/scorer.h"
#include "tasks/task.h"

namespace fude {

struct GradedAnswer {
  std::vector<int32_t> tokens;  // with its end mark
  std::string text;             // thoughts and all
  std::string key;              // what it commits to: equal answers have equal keys; empty: nothing
  bool is_right = false;
  bool is_truncated = false;
  bool is_cancelled = false;  // before it came to an end
  double logprob = 0;         // log p(answer | prompt)
  double weight = 1;          // what a scorer thinks of it: p(right)
};

struct GradedQuestion {
  Question question;
  std::vector<int32_t> prompt;
  std::vector<GradedAnswer> answers;
};

struct TaskEvalOptions {
  int64_t questions = 200;  // the first so many held-out ones, or all there are
  int64_t answers = 1;      // to each
  int64_t max_tokens = 256;
  double temperature = 0;
  uint64_t seed = 0;
  std::optional<bool> enable_thinking{};  // said to the chat template
  ThinkingBudget budget{};
  std::string adapter{};
  std::function<void(int64_t done, int64_t total)> progress{};  // of answers: at the start, and as each ends
  // Hears all answers before any is judged, which can fail; without keys and verdicts.
  std::function<void(const std::vector<GradedQuestion>&)> sampled{};
  const std::atomic<bool>* cancel = nullptr;
};

// What an answer is worth. A cut-off answer is wrong, whatever it says.
GradedAnswer grade(const Task& task, const Question& question, const Tokenizer& tokenizer, const SampledAnswer& answer,
                   bool begins_in_thought);

// The engine must have nothing else to do.
std::vector<GradedQuestion> evaluate_task(Engine& engine, const Chat& chat, const Task& task,
                                          const TaskEvalOptions& options);

struct TaskScore {
  Estimate accuracy;                 // mean over questions of the share of right answers (share_of)
  double truncated = 0, tokens = 0;  // share of answers, mean of an answer
};
TaskScore score_of(const std::vector<GradedQuestion>& questions);
// What each question's answers are worth, for means and paired differences: one of them at random; k of them by vote,
// each counting what the scorer thinks of it if `is_weighted` (vote_at); k of them by the scorer (best_of).
std::vector<double> one_right(const std::vector<GradedQuestion>& questions);
std::vector<double> vote_right(const std::vector<GradedQuestion>& questions, int64_t k, uint64_t seed,
                               bool is_weighted = false);
std::vector<double> best_right(const std::vector<GradedQuestion>& questions, int64_t k);
// Has a scorer weigh every answer. One that was cut off weighs nothing.
void score_answers(const ScorerModel& scorer, const Kernels& kernels, std::vector<GradedQuestion>& questions);

}  // namespace fude
