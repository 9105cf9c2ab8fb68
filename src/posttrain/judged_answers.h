// Answers with verdicts, as what a scorer learns from: the outcome, told at every token of an answer.
#pragma once

#include <string>
#include <vector>

#include "eval/task_eval.h"
#include "train/batch_source.h"

namespace fude {

struct JudgedAnswer {
  std::vector<int32_t> prompt, answer;
  bool is_right = false;
};

// A line of JSON each; written beside and renamed.
void save_judged(const std::vector<JudgedAnswer>& answers, const std::string& path);
std::vector<JudgedAnswer> load_judged(const std::string& path);

// Answers to practice questions number `first` on of a stream of their own, judged by the task.
struct JudgeOptions {
  int64_t first = 0, questions = 100, answers = 16, max_tokens = 256;
  double temperature = 1;
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
