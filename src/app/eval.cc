// fude eval: a model asked the held-out questions of a task, with as many answers and as much thought as it is given:
// how many are right at one try, by a vote, and at best.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/model_files.h"
#include "app/pipeline.h"
#include "app/signals.h"
#include "app/task_options.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "eval/task_eval.h"
#include "fetch/pull.h"
#include "infer/model_files.h"
#include "tasks/task_json.h"

namespace fude {
namespace {

struct EvalSettings {
  std::string model, adapter, scorer, save_to;
  TaskChoice task;
  TaskEvalOptions ask;
  Precision precision;
  int64_t batch = 64;
};

void show(const std::string& what, const Estimate& estimate, bool as_json, const Json& more = Json::object()) {
  if (as_json) {
    Json line = {{"measure", what},
                 {"value", estimate.value},
                 {"low", estimate.interval.low},
                 {"high", estimate.interval.high},
                 {"questions", estimate.count}};
    line.update(more);
    std::printf("%s\n", line.dump().c_str());
  } else {
    std::printf("%-34s %5.1f %%  (95 %%: %.1f to %.1f)\n", what.c_str(), 100 * estimate.value,
                100 * estimate.interval.low, 100 * estimate.interval.high);
  }
}

// By vote, by the scorer if there is one, and at best, of 4, 16, … and n answers; last the differences on the same
// questions.
void show_choices(const std::vector<GradedQuestion>& questions, int64_t n, bool has_scorer, uint64_t seed,
                  bool as_json) {
  std::vector<int64_t> counts;
  for (int64_t k = 4; k < n; k *= 4) counts.push_back(k);
  counts.push_back(n);
  using Values = std::vector<std::vector<double>>;  // of each count, of each question
  const auto by = [&](const char* name, const auto& of) {
    Values values;
    for (int64_t k : counts) {
      values.push_back(of(k));
      show(fmt::format("{} of {}", name, k), share_of(values.back()), as_json);
    }
    return values;
  };
  const auto less = [&](const char* name, const Values& values, const char* other, const Values& others) {
    for (size_t i = 0; i < counts.size(); ++i)
      show(fmt::format("{} of {} less {}", name, counts[i], other), paired_difference(values[i], others[i]), as_json);
  };
  const std::vector<double> one = one_right(questions);
  const Values vote = by("vote", [&](int64_t k) { return vote_right(questions, k, seed); });
  Values weighted, best;
  if (has_scorer) {
    weighted = by("weighted vote", [&](int64_t k) { return vote_right(questions, k, seed, true); });
    best = by("best", [&](int64_t k) { return best_right(questions, k); });
  }
  std::vector<double> any;
  for (double share : one) any.push_back(share > 0 ? 1 : 0);
  show(fmt::format("any of {}", n), share_of(any), as_json);
  less("vote", vote, "right", Values(counts.size(), one));
  if (!has_scorer) return;
  less("weighted vote", weighted, "vote", vote);
  less("best", best, "vote", vote);
}

// Where what was written stays written.
bool is_pipe_or_device(const std::string& path) {
  std::error_code none;
  return std::filesystem::is_other(path, none);
}

// Answers may take hours: a place where they could not be saved is refused before.
void require_place_for(const std::string& path) {
  require(!std::filesystem::is_directory(path), "[eval] expected a file to save answers in, {} is a folder", path);
  if (is_pipe_or_device(path)) return;
  const std::string folder = std::filesystem::absolute(path).parent_path().string();
  make_directories(folder);
  require(::access(folder.c_str(), W_OK) == 0, "[eval] nothing can be written into {}", folder);
}

// How far answers have come: made, judged by the task, weighed by the scorer if there is one.
enum class Stage { sampled, judged, weighed };

// Every answer that came to an end, a line of JSON each.
void save(const std::vector<GradedQuestion>& questions, Stage stage, const std::string& path) {
  write_atomically(path, [&](const auto& put) {
    for (const GradedQuestion& question : questions)
      for (const GradedAnswer& answer : question.answers) {
        if (answer.is_cancelled) continue;
        Json line = {{"question", to_json(question.question)}, {"text", answer.text}};
        if (stage != Stage::sampled) line["key"] = answer.key, line["is_right"] = answer.is_right;
        line["is_truncated"] = answer.is_truncated;
        if (stage == Stage::weighed) line["weight"] = answer.weight;
        line["tokens"] = answer.tokens.size();
        put(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
      }
  });
}

// What there is after Ctrl-C is kept, but measured it would mislead: short answers end first.
void end_early(const std::vector<GradedQuestion>& questions, const EvalSettings& s) {
  int64_t done = 0, total = 0;
  for (const GradedQuestion& question : questions) {
    total += int64_t(question.answers.size());
    done += std::ranges::count(question.answers, false, &GradedAnswer::is_cancelled);
  }
  std::string where = "; --save keeps those that there are";
  if (!s.save_to.empty()) {
    // An earlier file is worth more than an empty one.
    if (done > 0) save(questions, s.scorer.empty() ? Stage::weighed : Stage::judged, s.save_to);
    where = done > 0 ? ", saved in " + s.save_to : ", nothing to save";
  }
  std::fprintf(stderr, "fude: stopped after %lld of %lld answers%s\n", (long long)done, (long long)total,
               where.c_str());
}

void run_eval(EvalSettings s, const CommonOptions& common) {
  if (!s.save_to.empty()) require_place_for(s.save_to);
  Device device(common.threads);
  const LoadedModel loaded = load_for_use(device, find_model(s.model), s.precision);
  const Chat chat(loaded.tokenizer);
  const auto task = s.task.make(common.seed, s.ask.questions);
  std::optional<ScorerModel> scorer;
  if (!s.scorer.empty()) {
    int64_t longest = 0;
    for (int64_t i = 0; i < std::min(s.ask.questions, task->held_out_count()); ++i)
      longest = std::max(longest, std::ssize(chat.question(task->held_out(i).question.prompt, s.ask.enable_thinking)));
    require_can_judge(scorer.emplace(load_scorer(device, s.scorer)), *loaded.model, longest, s.ask.max_tokens,
                      "--max-tokens");
  }
  Engine engine(*loaded.model, default_kernels(), sampling_engine(loaded.model->config(), s.batch, s.ask.max_tokens));
  if (!s.adapter.empty()) engine.adapters().load(s.ask.adapter = "given", s.adapter);
  s.ask.seed = common.seed, s.ask.cancel = &interrupted;
  if (s.ask.answers > 1 && s.ask.temperature == 0) s.ask.temperature = 1;
  Progress progress = progress_on_stderr();
  ProgressState state{.label = "eval", .unit = "answers"};
  const double began = now_seconds();
  s.ask.progress = [&](int64_t done, int64_t total) {
    state.done = done, state.total = total, state.seconds = now_seconds() - began;
    progress.update(state, now_seconds());
  };
  // What was made in hours outlives a judge that fails.
  const bool saves_on_the_way = !s.save_to.empty() && !is_pipe_or_device(s.save_to);
  if (saves_on_the_way)
    s.ask.sampled = [&](const auto& questions) {
      if (state.done == state.total) save(questions, Stage::sampled, s.save_to);
    };
  watch_interrupts();
  std::vector<GradedQuestion> questions = evaluate_task(engine, chat, *task, s.ask);
  progress.finish(state);
  if (state.done < state.total) return end_early(questions, s);
  if (scorer && saves_on_the_way) save(questions, Stage::judged, s.save_to);
  if (scorer) score_answers(*scorer, default_kernels(), questions);
  const TaskScore score = score_of(questions);
  const int64_t n = s.ask.answers;
  show("right", score.accuracy, common.json, {{"tokens", score.tokens}, {"truncated", score.truncated}});
  if (n > 1) show_choices(questions, n, scorer.has_value(), common.seed, common.json);
  if (!common.json)
    std::printf("%zu questions, %lld answers to each of %.0f tokens, %.1f %% cut off, %.0f s\n", questions.size(),
                (long long)n, score.tokens, 100 * score.truncated, now_seconds() - began);
  if (!s.save_to.empty()) save(questions, Stage::weighed, s.save_to);
}

}  // namespace

void add_eval(CLI::App& app, const CommonOptions& common) {
  auto s = std::make_shared<EvalSettings>();
  CLI::App* command = app.add_subcommand("eval", "ask a model a task's held-out questions and count right answers");
  command->add_option("model", s->model, kModelHelp)->required();
  add_adapter_option(*command, s->adapter);
  add_task(*command, s->task);
  command->add_option("--questions", s->ask.questions, "held-out questions")->check(at_least(1))->capture_default_str();
  command->add_option("--answers", s->ask.answers, "answers to each: also by vote, and whether any is right")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--max-tokens", s->ask.max_tokens, "longest answer, thoughts included")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--temperature", s->ask.temperature, "of sampling; with more than one answer 0 means 1")
      ->check(number_between(0, 100))
      ->capture_default_str();
  command->add_option("--thinking", s->ask.enable_thinking, "say to the chat template whether to think (true, false)");
  add_thinking_budget(*command, s->ask.budget);
  command->add_option("--scorer", s->scorer, "folder of `fude scorer`: also the best answer, and the weighted vote")
      ->check(some_text());
  command->add_option("--batch", s->batch, "answers that run at a time")->check(at_least(1))->capture_default_str();
  command->add_option("--save", s->save_to, "file for all answers, a line of JSON each; after Ctrl-C for those so far")
      ->check(some_text());
  add_precision(*command, s->precision);
  command->callback([=, &common] { run_eval(*s, common); });
}

}  // namespace fude
