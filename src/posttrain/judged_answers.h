// Answers with verdicts, as what a scorer learns from.
//
// Where the task can check the lines of a thought, each line's verdict is told at its end (Lightman et al., "Let's
// verify step by step", 2023), and the outcome at every token of what is said behind it; else the outcome is told at
// every token. Either way the last token tells of the answer as a whole.
#pragma once

#include <string>
#include <vector>

#include "eval/task_eval.h"
#include "train/batch_source.h"

namespace fude {

struct JudgedAnswer {
  std::vector<int32_t> prompt, answer;
  std::vector<int32_t> verdicts;  // of each token of the answer: kRight, kWrong, or -1: nothing is told here
  double logprob = 0;             // log p(answer | prompt)
  bool is_right() const;          // what the last token tells
};

// Of the tokens of an answer, its end mark included.
std::vector<int32_t> verdicts_of(const Task& task, const Question& question, const Tokenizer& tokenizer,
                                 const GradedAnswer& answer, bool checks_steps, bool begins_in_thought);

// Of each question as many right answers as wrong ones, the first of them, none twice: else a scorer learns how hard
// questions are, which makes it sure and of no use for choosing among answers to one question. Those to a question
// stand together.
std::vector<JudgedAnswer> balanced(const std::vector<JudgedAnswer>& answers);

// A line of JSON each; written beside and renamed.
void save_judged(const std::vector<JudgedAnswer>& answers, const std::string& path);
std::vector<JudgedAnswer> load_judged(const std::string& path);

// Answers to practice questions number `first` on of a stream of their own, judged by the task.
struct JudgeOptions {
  int64_t first = 0, questions = 100, answers = 16, max_tokens = 256;
  double temperature = 1;
  bool checks_steps = true;  // where the task can
  std::optional<bool> enable_thinking{};
  uint64_t seed = 0;
  const std::atomic<bool>* cancel = nullptr;
};
std::vector<JudgedAnswer> judge_answers(Engine& engine, const Chat& chat, const Task& task,
                                        const JudgeOptions& options);

// In an order that the seed and the epoch give; as many a step as fill so many tokens.
class JudgedBatches final : public BatchSource {
 public:
  JudgedBatches(const std::vector<JudgedAnswer>& answers, int64_t step_tokens, uint64_t seed);

  Batch next() override;
  Json state() const override;
  void restore(const Json& state, std::string_view where) override;

 private:
  size_t at(int64_t number) const;

  const std::vector<JudgedAnswer>& answers_;
  int64_t step_tokens_;
  uint64_t seed_;
  int64_t given_ = 0;  // over all epochs
};

}  // namespace fude
