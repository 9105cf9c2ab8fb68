#include "eval/task_eval.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"

namespace fude {
namespace {

int64_t count_right(const GradedQuestion& question) {
  return std::ranges::count(question.answers, true, &GradedAnswer::is_right);
}

std::vector<Try> tries_of(const GradedQuestion& question) {
  std::map<std::string, int64_t> numbers;
  std::vector<Try> tries;
  for (const GradedAnswer& answer : question.answers) {
    const auto number = numbers.try_emplace(answer.key, int64_t(numbers.size())).first->second;
    tries.push_back({answer.key.empty() ? kNoAnswer : number, answer.is_right, answer.weight});
  }
  return tries;
}

GradedAnswer ungraded(const Tokenizer& tokenizer, const SampledAnswer& answer) {
  return {.tokens = answer.ids(),
          .text = text_of(tokenizer, answer),
          .is_truncated = answer.is_truncated(),
          .is_cancelled = answer.reason == FinishReason::cancelled,
          .logprob = answer.logprob()};
}

}  // namespace

GradedAnswer grade(const Task& task, const Question& question, const Tokenizer& tokenizer, const SampledAnswer& answer,
                   bool begins_in_thought) {
  GradedAnswer graded = ungraded(tokenizer, answer);
  const ThoughtAndAnswer parts = split_thought(graded.text, begins_in_thought);
  if (!answer.has_ended() || parts.is_thought_open) return graded;
  graded.key = committed_answer(parts.answer);
  graded.is_right = task.verify(question, parts.answer);
  return graded;
}

std::vector<GradedQuestion> evaluate_task(Engine& engine, const Chat& chat, const Task& task,
                                          const TaskEvalOptions& options) {
  require(options.questions >= 1, "[eval] expected at least one question, got {}", options.questions);
  std::vector<GradedQuestion> graded;
  std::vector<std::vector<int32_t>> prompts;
  for (int64_t i = 0; i < std::min(options.questions, task.held_out_count()); ++i) {
    const Question question = task.held_out(i).question;
    prompts.push_back(chat.question(question.prompt, options.enable_thinking));
    graded.push_back({question, prompts.back(), {}});
  }
  require(!prompts.empty(), "[eval] the task '{}' has no held-out questions", task.name());
  SampleOptions sample{.answers = options.answers, .max_tokens = options.max_tokens, .adapter = options.adapter};
  sample.sampling.temperature = options.temperature, sample.sampling.seed = options.seed;
  sample.cancel = options.cancel;
  const bool begins_in_thought = chat.opens_thought(prompts.front());
  if (const auto masks = thinking_masks(chat, options.budget, begins_in_thought))
    sample.mask = [masks](size_t, int64_t) { return masks(); };
  if (options.progress) {
    const int64_t total = int64_t(prompts.size()) * options.answers;
    options.progress(0, total);
    sample.on_answer = [&options, total, done = int64_t(0)](size_t, int64_t, const SampledAnswer&) mutable {
      options.progress(++done, total);
      return true;
    };
  }
  const auto answers = sample_answers(engine, prompts, chat.stops(), sample);
  if (options.sampled) {
    std::vector<GradedQuestion> sampled = graded;
    for (size_t q = 0; q < sampled.size(); ++q)
      for (const SampledAnswer& answer : answers[q]) sampled[q].answers.push_back(ungraded(chat.tokenizer(), answer));
    options.sampled(sampled);
  }
  for (size_t q = 0; q < graded.size(); ++q)
    for (const SampledAnswer& answer : answers[q])
      graded[q].answers.push_back(grade(task, graded[q].question, chat.tokenizer(), answer, begins_in_thought));
  return graded;
}

TaskScore score_of(const std::vector<GradedQuestion>& questions) {
  TaskScore score;
  if (questions.empty()) return score;
  int64_t answers = 0;
  for (const GradedQuestion& question : questions) {
    answers += int64_t(question.answers.size());
    for (const GradedAnswer& answer : question.answers)
      score.truncated += answer.is_truncated ? 1 : 0, score.tokens += double(answer.tokens.size());
  }
  score.accuracy = share_of(one_right(questions));
  score.truncated /= double(std::max<int64_t>(1, answers)), score.tokens /= double(std::max<int64_t>(1, answers));
  return score;
}

std::vector<double> one_right(const std::vector<GradedQuestion>& questions) {
  std::vector<double> shares;
  for (const GradedQuestion& question : questions)
    shares.push_back(double(count_right(question)) / double(std::max<size_t>(1, question.answers.size())));
  return shares;
}

std::vector<double> vote_right(const std::vector<GradedQuestion>& questions, int64_t k, uint64_t seed,
                               bool is_weighted) {
  std::vector<double> values;
  for (const GradedQuestion& question : questions) {
    std::vector<Try> tries = tries_of(question);
    if (!is_weighted)
      for (Try& one : tries) one.weight = 1;
    values.push_back(vote_at(k, tries, seed));
  }
  return values;
}

std::vector<double> best_right(const std::vector<GradedQuestion>& questions, int64_t k) {
  std::vector<double> values;
  for (const GradedQuestion& question : questions) values.push_back(best_of(k, tries_of(question)));
  return values;
}

void score_answers(const ScorerModel& scorer, const Kernels& kernels, std::vector<GradedQuestion>& questions) {
  for (GradedQuestion& question : questions) {
    std::vector<AnswerToScore> sequences;
    for (const GradedAnswer& answer : question.answers)
      sequences.push_back(answer_to_score(question.prompt, answer.tokens, answer.logprob));
    const std::vector<double> scores = score_sequences(scorer, kernels, sequences);
    for (size_t i = 0; i < scores.size(); ++i)
      question.answers[i].weight = question.answers[i].is_truncated ? 0 : std::exp(scores[i]);
  }
}

}  // namespace fude
