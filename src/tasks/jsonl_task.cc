#include "tasks/jsonl_task.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "tasks/generated_task.h"
#include "tasks/task_json.h"

namespace fude {
namespace {

constexpr JsonLimits kLineLimits{.bytes = uint64_t(1) << 20, .depth = 8};

// The judge must take what the file itself says.
void require_consistent(const Example& example, const std::string& where) {
  const Question& question = example.question;
  std::vector<std::string> answers = question.also;
  answers.push_back(question.answer);
  for (const std::string& answer : answers)
    require(
        verify(question, answer),
        "[{}] the judge would refuse the answer '{}': it says nothing, it denies, or it holds one of the wrong words",
        where, answer);
  require(example.solution.empty() || verify(question, example.solution),
          "[{}] the judge would refuse the solution: it does not end in 'The answer is {}.', or names something wrong",
          where, question.answer);
}

}  // namespace

JsonlTask::JsonlTask(std::string name, std::string_view text, const TaskOptions& options) : name_(std::move(name)) {
  std::vector<std::pair<Example, bool>> all;  // and whether it is held out
  std::unordered_map<std::string, int64_t> lines;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  int64_t number = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    ++number;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    const std::string where = fmt::format("{}:{}", name_, number);
    ReadExample read = read_example(parse_json(line, where, kLineLimits), where);
    Question& question = read.example.question;
    require_consistent(read.example, where);
    if (question.kind.empty()) question.kind = "question";
    const auto [first, is_new] = lines.try_emplace(question.prompt, number);
    require(is_new, "[{}] the prompt is that of line {} again", where, first->second);
    const int difficulty = question.difficulty;
    range_ = all.empty() ? DifficultyRange{difficulty, difficulty}
                         : DifficultyRange{std::min(range_.least, difficulty), std::max(range_.most, difficulty)};
    const bool is_out = read.held_out.value_or(is_held_out(question.prompt));
    all.emplace_back(std::move(read.example), is_out);
  }
  require(!all.empty(), "[{}] expected a question a line, got none", name_);

  const DifficultyRange wanted = options.difficulties.value_or(range_);
  bool is_any = false;
  for (auto& [example, is_out] : all) {
    if (!wanted.contains(example.question.difficulty)) continue;
    is_any = true;
    if (!is_out)
      practice_[example.question.language == "ja" ? 1 : 0].push_back(std::move(example));
    else if (held_out_count() < options.held_out)
      held_out_.push_back(std::move(example));
  }
  require(is_any, "[{}] expected questions of difficulty {} to {}, the file has {} to {}", name_, wanted.least,
          wanted.most, range_.least, range_.most);
  range_ = wanted;
}

std::vector<Language> JsonlTask::languages() const {
  std::vector<Language> present;
  for (const Language language : {Language::english, Language::japanese})
    if (!practice_[size_t(language)].empty()) present.push_back(language);
  return present;
}

Example JsonlTask::practice(Random& random, Language language) const {
  const auto& examples = practice_[size_t(language)];
  require(!examples.empty(), "[{}] expected a practice question in '{}', the file has none", name_,
          language_code(language));
  return examples[random.below(examples.size())];
}

Example JsonlTask::held_out(int64_t index) const {
  require(index >= 0 && index < held_out_count(), "[{}] expected a held-out index below {}, got {}", name_,
          held_out_count(), index);
  return held_out_[size_t(index)];
}

}  // namespace fude
