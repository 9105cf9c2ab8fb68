#include "tasks/generated_task.h"

#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"

namespace fude {
namespace {

constexpr uint64_t kHeldOutQuestions = 0x68656c6400000001;
// A tenth is held out: so many draws miss it, or what is left of it, only where there are hardly any problems.
constexpr int kMostDraws = 400;

DifficultyRange part_of(DifficultyRange whole, const TaskOptions& options, std::string_view name) {
  const DifficultyRange wanted = options.difficulties.value_or(whole);
  require(wanted.least <= wanted.most && whole.contains(wanted.least) && whole.contains(wanted.most),
          "[{}] expected a difficulty from {} to {}, got {} to {}", name, whole.least, whole.most, wanted.least,
          wanted.most);
  return wanted;
}

}  // namespace

bool is_held_out(std::string_view problem) { return std::stoul(hash_hex(problem).substr(0, 8), nullptr, 16) % 10 == 0; }

GeneratedTask::GeneratedTask(std::string name, uint64_t seed, DifficultyRange whole, const TaskOptions& options)
    : name_(std::move(name)), seed_(seed), range_(part_of(whole, options, name_)), wanted_(options.held_out) {
  require(wanted_ >= 0, "[{}] expected a number of held-out questions, got {}", name_, wanted_);
}

Draft GeneratedTask::finished_draft(Random& random, Language language, int difficulty) const {
  Draft drawn = draft(random, language, difficulty);
  Question& question = drawn.example.question;
  question.language = language_code(language);
  question.difficulty = difficulty;
  if (question.kind.empty()) question.kind = name_;
  return drawn;
}

Example GeneratedTask::practice(Random& random, Language language) const {
  const int difficulty = range_.least + int(random.below(uint64_t(range_.most - range_.least) + 1));
  for (int i = 0; i < kMostDraws; ++i) {
    Draft drawn = finished_draft(random, language, difficulty);
    if (!is_held_out(drawn.problem)) return std::move(drawn.example);
  }
  fail("[{}] expected a practice question among {} draws, all of them are held out", name_, kMostDraws);
}

// Languages in turn, and the difficulties in turn in each language.
const std::vector<Example>& GeneratedTask::held_out_list() const {
  std::call_once(once_, [this] {
    std::set<std::string> asked;
    std::vector<Example> found;
    std::set<std::pair<Language, int>> exhausted;  // all draws have missed once: not asked again
    for (int64_t i = 0; i < wanted_; ++i) {
      Random random{seed_, kHeldOutQuestions, uint64_t(i) << 32};
      const Language language = i % 2 == 0 ? Language::english : Language::japanese;
      const int difficulty = range_.least + int(i / 2 % (range_.most - range_.least + 1));
      if (exhausted.contains({language, difficulty})) continue;
      int misses = 0;
      for (; misses < kMostDraws; ++misses) {
        Draft drawn = finished_draft(random, language, difficulty);
        if (!is_held_out(drawn.problem) || !asked.insert(drawn.example.question.prompt).second) continue;
        found.push_back(std::move(drawn.example));
        break;
      }
      if (misses == kMostDraws) exhausted.insert({language, difficulty});
    }
    held_out_ = std::move(found);
  });
  return held_out_;
}

Example GeneratedTask::held_out(int64_t index) const {
  require(index >= 0 && index < held_out_count(), "[{}] expected a held-out index below {}, got {}", name_,
          held_out_count(), index);
  return held_out_[size_t(index)];
}

}  // namespace fude
