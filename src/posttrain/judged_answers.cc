#include "posttrain/judged_answers.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "data/permutation.h"
#include "reason/scorer.h"

namespace fude {
namespace {

constexpr uint64_t kJudgedStream = 0x6A756467, kJudgedOrder = 0x6F726465;

}  // namespace

std::vector<int32_t> verdicts_of(const Task& task, const Question& question, const Tokenizer& tokenizer,
                                 const GradedAnswer& answer, bool checks_steps, bool begins_in_thought) {
  std::vector<int32_t> verdicts(answer.tokens.size(), answer.is_right ? kRight : kWrong);
  if (!checks_steps || verdicts.empty()) return verdicts;
  std::string text;
  std::vector<size_t> ends;  // of the tokens, in the text
  for (int32_t token : answer.tokens) {
    if (tokenizer.has(token)) text += tokenizer.bytes_of(token);
    ends.push_back(text.size());
  }
  const std::string_view thought = split_thought(text, begins_in_thought).thought;
  const std::vector<CheckedLine> lines = task.check_steps(question, thought);
  if (lines.empty()) return verdicts;
  const auto end_in_text = [&](std::string_view part) { return size_t(part.data() + part.size() - text.data()); };
  // The token behind a line: before it, a number might still go on.
  const auto token_behind = [&](std::string_view part) {
    const auto found = std::ranges::upper_bound(ends, end_in_text(part));
    return size_t(std::min(found, ends.end() - 1) - ends.begin());
  };
  std::fill_n(verdicts.begin(), token_behind(thought), -1);
  for (const CheckedLine& line : lines) verdicts[token_behind(line.text)] = line.is_right ? kRight : kWrong;
  verdicts.back() = answer.is_right ? kRight : kWrong;
  return verdicts;
}

bool JudgedAnswer::is_right() const { return verdicts.back() == kRight; }

std::vector<JudgedAnswer> balanced(const std::vector<JudgedAnswer>& answers) {
  std::vector<JudgedAnswer> chosen;
  for (size_t begin = 0, end; begin < answers.size(); begin = end) {
    std::set<std::vector<int32_t>> seen;
    std::vector<const JudgedAnswer*> kinds[2];
    for (end = begin; end < answers.size() && answers[end].prompt == answers[begin].prompt; ++end)
      if (seen.insert(answers[end].answer).second) kinds[answers[end].is_right() ? 1 : 0].push_back(&answers[end]);
    const size_t count = std::min(kinds[0].size(), kinds[1].size());
    for (const auto& kind : kinds)
      for (size_t i = 0; i < count; ++i) chosen.push_back(*kind[i]);
  }
  return chosen;
}

void save_judged(const std::vector<JudgedAnswer>& answers, const std::string& path) {
  write_atomically(path, [&](const auto& put) {
    for (const JudgedAnswer& a : answers)
      put(Json({{"prompt", a.prompt}, {"answer", a.answer}, {"verdicts", a.verdicts}, {"logprob", a.logprob}}).dump() +
          "\n");
  });
}

std::vector<JudgedAnswer> load_judged(const std::string& path) {
  std::vector<JudgedAnswer> answers;
  const std::string text = read_file(path);
  require(text.empty() || text.ends_with('\n'), "[{}] the last line is cut off; remove the file and it is made again",
          path);
  int64_t line = 0;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    const std::string where = fmt::format("{}:{}", path, ++line);
    const Json json = parse_json(std::string_view(text).substr(begin, end - begin), where);
    try {
      answers.push_back({json.at("prompt").get<std::vector<int32_t>>(), json.at("answer").get<std::vector<int32_t>>(),
                         json.at("verdicts").get<std::vector<int32_t>>(), json.at("logprob").get<double>()});
    } catch (const Json::exception& error) { fail("[{}] {}", where, error.what()); }
    const JudgedAnswer& a = answers.back();
    require(!a.prompt.empty() && !a.answer.empty(), "[{}] expected a prompt and an answer", where);
    require(a.verdicts.size() == a.answer.size() && a.verdicts.back() != -1 &&
                std::ranges::all_of(a.verdicts, [](int32_t v) { return v == -1 || v == kWrong || v == kRight; }),
            "[{}] expected a verdict, {}, {} or -1, of each token", where, kWrong, kRight);
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
  const bool begins_in_thought = !prompts.empty() && chat.opens_thought(prompts.front());
  std::vector<JudgedAnswer> judged;
  for (size_t q = 0; q < questions.size(); ++q)
    for (const SampledAnswer& answer : answers[q]) {
      if (answer.tokens.empty()) continue;
      const GradedAnswer graded = grade(task, questions[q], chat.tokenizer(), answer, begins_in_thought);
      judged.push_back(
          {prompts[q], graded.tokens,
           verdicts_of(task, questions[q], chat.tokenizer(), graded, options.checks_steps, begins_in_thought),
           graded.logprob});
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
      block.targets_N.push_back(is_answer ? a.verdicts[i - a.prompt.size()] : -1);
      block.positions_N.push_back(int32_t(i));
      block.target_count += block.targets_N.back() >= 0 ? 1 : 0;
    }
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
