#include "posttrain/judged_answers.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "data/permutation.h"
#include "reason/scorer.h"

namespace fude {
namespace {

constexpr uint64_t kJudgedStream = 0x6A756467, kJudgedOrder = 0x6F726465;

}  // namespace

void save_judged(const std::vector<JudgedAnswer>& answers, const std::string& path) {
  write_atomically(path, [&](const auto& put) {
    for (const JudgedAnswer& a : answers)
      put(Json({{"prompt", a.prompt}, {"answer", a.answer}, {"is_right", a.is_right}}).dump() + "\n");
  });
}

std::vector<JudgedAnswer> load_judged(const std::string& path) {
  std::vector<JudgedAnswer> answers;
  const std::string text = read_file(path);
  int64_t line = 0;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    const std::string where = fmt::format("{}:{}", path, ++line);
    const Json json = parse_json(std::string_view(text).substr(begin, end - begin), where);
    try {
      answers.push_back({json.at("prompt").get<std::vector<int32_t>>(), json.at("answer").get<std::vector<int32_t>>(),
                         json.at("is_right").get<bool>()});
    } catch (const Json::exception& error) { fail("[{}] {}", where, error.what()); }
    require(!answers.back().prompt.empty() && !answers.back().answer.empty(), "[{}] expected a prompt and an answer",
            where);
  }
  return answers;
}

std::vector<JudgedAnswer> judge_answers(Engine& engine, const Chat& chat, const Task& task,
                                        const JudgeOptions& options) {
  std::vector<Question> questions;
  std::vector<std::vector<int32_t>> prompts;
  for (int64_t i = options.first; i < options.first + options.questions; ++i) {
    questions.push_back(practice_at(task, options.seed, kJudgedStream, uint64_t(i)).question);
    prompts.push_back(chat.question(questions.back().prompt, options.enable_thinking));
  }
  SampleOptions sample{.answers = options.answers, .max_tokens = options.max_tokens};
  sample.sampling.temperature = options.temperature;
  sample.sampling.seed = Random{options.seed, kJudgedStream, uint64_t(options.first)}.bits();
  sample.cancel = options.cancel;
  const auto answers = sample_answers(engine, prompts, chat.stops(), sample);
  std::vector<JudgedAnswer> judged;
  for (size_t q = 0; q < questions.size(); ++q)
    for (const SampledAnswer& answer : answers[q]) {
      if (answer.tokens.empty()) continue;
      const GradedAnswer graded = grade(task, questions[q], chat.tokenizer(), answer, false);
      judged.push_back({prompts[q], graded.tokens, graded.is_right});
    }
  return judged;
}

JudgedBatches::JudgedBatches(const std::vector<JudgedAnswer>& answers, int64_t step_tokens, uint64_t seed)
    : answers_(answers), step_tokens_(step_tokens), seed_(seed) {
  require(!answers.empty(), "[scorer] expected judged answers");
  require(step_tokens > 0, "[scorer] expected tokens in a step, got {}", step_tokens);
}

size_t JudgedBatches::at(int64_t number) const {
  const auto count = uint64_t(answers_.size());
  return size_t(Permutation(count, seed_, kJudgedOrder + uint64_t(number) / count)(uint64_t(number) % count));
}

Batch JudgedBatches::next() {
  TokenBlock block;
  block.sequence_starts_S1 = {0};
  do {
    const JudgedAnswer& a = answers_[at(given_)];
    const size_t size = a.prompt.size() + a.answer.size();
    if (block.tokens() > 0 && block.tokens() + int64_t(size) > step_tokens_) break;
    for (size_t i = 0; i < size; ++i) {
      const bool is_answer = i >= a.prompt.size();
      block.tokens_N.push_back(is_answer ? a.answer[i - a.prompt.size()] : a.prompt[i]);
      block.targets_N.push_back(!is_answer ? -1 : a.is_right ? kRight : kWrong);
      block.positions_N.push_back(int32_t(i));
    }
    block.target_count += int64_t(a.answer.size());
    block.sequence_starts_S1.push_back(int32_t(block.tokens()));
    ++block.rows, ++given_;
  } while (true);
  Batch batch;
  batch.blocks.push_back(std::move(block));
  return batch;
}

Json JudgedBatches::state() const { return {{"given", given_}}; }

void JudgedBatches::restore(const Json& state, std::string_view where) {
  given_ = json_integer(state, "given", where);
  require(given_ >= 0, "[{}] expected a position of at least 0, got {}", where, given_);
}

}  // namespace fude
