#include "tasks/registry.h"

#include "base/error.h"
#include "base/file.h"
#include "base/nearest.h"
#include "tasks/ages.h"
#include "tasks/arithmetic.h"
#include "tasks/countdown.h"
#include "tasks/facts.h"
#include "tasks/jsonl_task.h"
#include "tasks/letters.h"
#include "tasks/mini_aime.h"
#include "tasks/program_task.h"

namespace fude {
namespace {

constexpr std::string_view kProgram = "program:";
constexpr uint64_t kLargestFile = uint64_t(1) << 30;

template <class Kind>
std::unique_ptr<Task> make_generated(uint64_t seed, const TaskOptions& options) {
  return std::make_unique<Kind>(seed, options);
}

// The tasks of `fude life` have one difficulty.
std::unique_ptr<Task> only_difficulty(std::unique_ptr<Task> task, const TaskOptions& options) {
  const DifficultyRange wanted = options.difficulties.value_or(DifficultyRange{});
  require(wanted.least == 1 && wanted.most == 1, "[{}] expected difficulty 1, the only one it has, got {} to {}",
          task->name(), wanted.least, wanted.most);
  return task;
}

constexpr TaskEntry kTasks[] = {
    {"arithmetic", "sums and differences of two-digit numbers, digit by digit",
     [](uint64_t seed, const TaskOptions& options) {
       return only_difficulty(std::make_unique<Arithmetic>(seed), options);
     }},
    {"facts", "questions about the small world of fude life",
     [](uint64_t seed, const TaskOptions& options) {
       return only_difficulty(std::make_unique<Facts>(World(seed), seed), options);
     }},
    {"mini_aime", "chains of + - * mod with an answer from 0 to 999; difficulty: operations", make_generated<MiniAime>},
    {"letters", "a letter counted in a word; difficulty: letters of the word", make_generated<Letters>},
    {"countdown", "an expression that reaches a target; difficulty: numbers given", make_generated<Countdown>},
    {"ages", "puzzles about two people's ages; difficulty: 1 to 3 linear, 4 to 6 nested", make_generated<Ages>}};

}  // namespace

std::span<const TaskEntry> built_in_tasks() { return kTasks; }

std::unique_ptr<Task> make_task(const std::string& name, uint64_t seed, const TaskOptions& options) {
  if (name.ends_with(".jsonl")) return std::make_unique<JsonlTask>(name, read_file(name, kLargestFile), options);
  if (name.starts_with(kProgram)) return std::make_unique<ProgramTask>(name.substr(kProgram.size()), seed, options);
  std::vector<std::string> names;
  for (const TaskEntry& entry : built_in_tasks()) {
    if (entry.name == name) return entry.make(seed, options);
    names.emplace_back(entry.name);
  }
  fail(
      "[tasks] expected the name of a task, a path to a .jsonl file or 'program:COMMAND', got '{}'{} (`fude tasks` "
      "lists them)",
      name, did_you_mean(name, names));
}

}  // namespace fude
