#include "tasks/program_task.h"

#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "tasks/task_json.h"
#include "text/unicode.h"

namespace fude {
namespace {

constexpr JsonLimits kReplyLimits{.bytes = uint64_t(1) << 20, .depth = 8};
constexpr size_t kLongestAnswerToSend = size_t(1) << 16;
constexpr int kHardestOfPrograms = 1000;

// A program does not say how hard it can be: it is asked for what the options say.
TaskOptions with_difficulties(TaskOptions options) {
  options.difficulties = options.difficulties.value_or(DifficultyRange{});
  return options;
}

}  // namespace

ProgramTask::ProgramTask(const std::string& command, uint64_t seed, const TaskOptions& options)
    : GeneratedTask("program:" + command, seed, {1, kHardestOfPrograms}, with_difficulties(options)),
      program_(command, {.reply_seconds = options.reply_seconds, .reply_bytes = size_t(kReplyLimits.bytes)}) {}

Json ProgramTask::ask(const Json& request) const {
  return parse_json(program_.ask(request.dump()), "reply of " + std::string(name()), kReplyLimits);
}

Draft ProgramTask::draft(Random& random, Language language, int difficulty) const {
  const Json reply = ask({{"make",
                           {{"seed", random.seed},
                            {"stream", random.stream},
                            {"counter", random.counter},
                            {"language", language_code(language)},
                            {"difficulty", difficulty}}}});
  random.bits();
  Example example = read_example(reply, "reply of " + std::string(name())).example;
  std::string prompt = example.question.prompt;
  if (example.question.kind.empty()) example.question.kind = "program";
  return {std::move(prompt), std::move(example)};
}

bool ProgramTask::verify(const Question& question, std::string_view model_answer) const {
  if (model_answer.size() > kLongestAnswerToSend) return false;
  const Json reply = ask({{"verify", {{"question", to_json(question)}, {"answer", replace_invalid(model_answer)}}}});
  return json_boolean(reply, "right", "reply of " + std::string(name()));
}

}  // namespace fude
