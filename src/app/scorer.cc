// fude scorer: a judge of answers learns from a model's own answers to a task's practice questions, right and wrong
// ones.
#include <cstdio>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/model_files.h"
#include "app/run_view.h"
#include "app/scorer.h"
#include "app/signals.h"
#include "app/task_options.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "data/identity.h"
#include "fetch/pull.h"
#include "infer/model_files.h"
#include "posttrain/judged_answers.h"
#include "posttrain/score_mix.h"
#include "reason/scorer.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

constexpr int64_t kQuestionsOfAFile = 64;  // that a killed run asks again at most

// Asks what has not been asked yet. Nothing if it was interrupted.
std::optional<std::vector<JudgedAnswer>> judged_answers(const ScorerSettings& s, const Transformer& model,
                                                        const Chat& chat, const Task& task,
                                                        const CommonOptions& common) {
  Engine engine(model, default_kernels(), sampling_engine(model.config(), s.batch, s.ask.max_tokens));
  Progress progress = progress_on_stderr();
  ProgressState state{.label = "answers", .unit = "questions"};
  state.total = s.ask.questions;
  const double began = now_seconds();
  std::vector<JudgedAnswer> all;
  for (int64_t first = 0; first < s.ask.questions; first += kQuestionsOfAFile) {
    const std::string path = fmt::format("{}/answers-{:06}.jsonl", s.out, first);
    if (!file_exists(path)) {
      JudgeOptions ask = s.ask;
      ask.first = first, ask.questions = std::min(kQuestionsOfAFile, s.ask.questions - first);
      ask.seed = common.seed, ask.cancel = &interrupted;
      const auto judged = judge_answers(engine, chat, task, ask);
      if (interrupted) return {};
      save_judged(judged, path);
    } else {
      state.skipped = std::min(first + kQuestionsOfAFile, s.ask.questions);
    }
    for (JudgedAnswer& answer : load_judged(path)) all.push_back(std::move(answer));
    state.done = std::min(first + kQuestionsOfAFile, s.ask.questions), state.seconds = now_seconds() - began;
    progress.update(state, now_seconds());
  }
  progress.finish(state);
  return all;
}

// Where the answers begin that tell how scores are mixed, which are not learned from: those to the last questions, an
// eighth at most and no more than three numbers need. With few questions there are none.
size_t first_of_mix(const std::vector<JudgedAnswer>& answers) {
  constexpr size_t kEnough = 1000;
  const size_t least = answers.size() - std::min(answers.size() / 8, kEnough);
  for (size_t i = least; i < answers.size(); ++i)
    if (i > 0 && answers[i].prompt != answers[i - 1].prompt) return i;
  return answers.size();
}

ScoreMix mix_of(const ScorerModel& scorer, const Kernels& kernels, const std::vector<JudgedAnswer>& answers) {
  if (answers.empty()) return {};
  std::vector<AnswerToScore> to_score;
  for (const JudgedAnswer& a : answers) to_score.push_back(answer_to_score(a.prompt, a.answer, a.logprob));
  const std::vector<double> odds = verdicts(scorer, kernels, to_score);
  std::vector<MixSample> samples;
  for (size_t i = 0; i < answers.size(); ++i) samples.push_back({odds[i], answers[i].logprob, answers[i].is_right()});
  return fit_score_mix(samples);
}

}  // namespace

bool train_scorer(ScorerSettings s, const CommonOptions& common) {
  const Kernels& kernels = default_kernels();
  make_directories(s.out);
  ModelFiles base = open_model(find_model(s.model));
  const Chat chat(base.tokenizer);
  const auto task = s.task.make(common.seed, s.held_out);
  const Json settings = {{"from", s.model},
                         {"model", fingerprint_of(s.model)},
                         {"template", hash_hex(chat.source())},
                         {"task", s.task.name},
                         {"questions of the task", fingerprint_of_file(s.task.name)},
                         {"difficulties", s.task.difficulties_json()},
                         {"questions", s.ask.questions},
                         {"answers", s.ask.answers},
                         {"max_tokens", s.ask.max_tokens},
                         {"temperature", s.ask.temperature},
                         {"checks_steps", s.ask.checks_steps},
                         {"thinking", s.ask.enable_thinking ? Json(*s.ask.enable_thinking) : Json()},
                         {"seed", common.seed}};
  const std::string settings_path = s.out + "/answers.json";
  if (!file_exists(settings_path)) write_file(settings_path, settings.dump(1) + "\n");
  const std::string others = differences(parse_json(read_file(settings_path), settings_path), settings);
  require(others.empty(), "[scorer] {} holds answers of other settings: {}; use another --out folder, or the old ones",
          s.out, others);

  Device device(common.threads);
  ScorerModel scorer = make_scorer(load_model(device, std::move(base.weights), {DType::f32}));
  Transformer& trunk = *scorer.trunk;
  watch_interrupts();
  // The trunk is still the model itself.
  const auto all = judged_answers(s, trunk, chat, *task, common);
  if (!all) return false;
  const auto behind = all->begin() + int64_t(first_of_mix(*all));
  std::vector<JudgedAnswer> answers(all->begin(), behind);
  const std::vector<JudgedAnswer> mixed(behind, all->end());
  if (s.balances)
    if (auto chosen = balanced(answers); !chosen.empty()) answers = std::move(chosen);
  std::vector<GradedQuestion> held_out;
  if (s.held_out > 0) {
    Engine engine(trunk, kernels, sampling_engine(trunk.config(), s.batch, s.ask.max_tokens));
    held_out = evaluate_task(engine, chat, *task,
                             {.questions = s.held_out,
                              .answers = s.ask.answers,
                              .max_tokens = s.ask.max_tokens,
                              .temperature = s.ask.temperature,
                              .seed = common.seed,
                              .enable_thinking = s.ask.enable_thinking,
                              .cancel = &interrupted});
    if (interrupted) return false;
  }
  int64_t tokens = 0, right = 0;
  for (const JudgedAnswer& a : *all) right += a.is_right() ? 1 : 0;
  for (const JudgedAnswer& a : answers) tokens += int64_t(a.prompt.size() + a.answer.size());
  std::fprintf(stderr, "%zu answers, %.1f %% right; learned from: %zu\n", all->size(),
               100 * double(right) / double(all->size()), answers.size());
  if (right == 0 || right == int64_t(all->size()))
    std::fprintf(
        stderr,
        "there is nothing to tell apart in them: choose questions that the model solves sometimes, or teach it "
        "first\n");

  JudgedBatches batches(answers, s.step_tokens, common.seed);
  TrainerOptions options;
  options.folder = s.out;
  options.schedule = {.learning_rate = s.learning_rate,
                      .steps = std::max<int64_t>(1, whole_steps(s.epochs * double(tokens) / double(s.step_tokens))),
                      .final_fraction = 0.05};
  options.schedule.warmup_steps = options.schedule.steps / 20;
  options.optimizer.weight_decay = 0;
  options.step.classifier = &scorer.head_2C;
  options.step.trained = trunk.parameters();
  options.step.trained.push_back(&scorer.head_2C);
  options.validate_every = s.validate_every, options.save_every = s.save_every;
  options.identity = settings;
  options.identity.update({{"step_tokens", s.step_tokens},
                           {"epochs", s.epochs},
                           {"balances", s.balances},
                           {"learning_rate", s.learning_rate}});
  options.save = [&](const std::string& folder) {
    scorer.mix = mix_of(scorer, kernels, mixed);
    save_scorer(scorer, folder, tokenizer_files(chat.tokenizer().data(), {}));
  };
  if (!held_out.empty())
    options.evaluate = [&](StepMetrics& line) {
      scorer.mix = mix_of(scorer, kernels, mixed);
      score_answers(scorer, kernels, held_out);
      line.values.emplace_back(fmt::format("best of {} right", s.ask.answers),
                               mean_of(best_right(held_out, s.ask.answers)).value);
      line.values.emplace_back("one right", score_of(held_out).accuracy.value);
      return true;
    };
  Report report{.title = s.out,
                .machine = machine_line(device, kernels),
                .parameters = trunk.parameter_count(),
                .total_steps = options.schedule.steps,
                .settings = settings_of(trunk),
                .steps = {}};
  RunView view(std::move(report), s.out, "scorer", common);
  if (!run_to_end(trunk, kernels, batches, {}, options, view)) return false;
  options.save(s.out + "/scorer");
  std::fprintf(stderr, "scorer: %s/scorer  report: %s/report.html\n", s.out.c_str(), s.out.c_str());
  return true;
}

void add_scorer(CLI::App& app, const CommonOptions& common) {
  auto s = std::make_shared<ScorerSettings>();
  CLI::App* command = app.add_subcommand(
      "scorer", "train a judge of a model's answers from the task's verdicts; the same command resumes it");
  command->add_option("model", s->model, kModelHelp)->required();
  add_task(*command, s->task);
  command->add_option("--out", s->out, "folder of the run")->required();
  command->add_option("--questions", s->ask.questions, "practice questions")->check(at_least(1))->capture_default_str();
  command->add_option("--answers", s->ask.answers, "answers to each")->check(at_least(1))->capture_default_str();
  command->add_option("--max-tokens", s->ask.max_tokens, "longest answer, thoughts included")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--temperature", s->ask.temperature, "of sampling")
      ->check(number_between(0, 100))
      ->capture_default_str();
  command->add_flag_callback(
      "--outcome-only", [s] { s->ask.checks_steps = false; },
      "teach it by each answer's outcome alone, though the task could check the lines of a thought");
  command->add_option("--thinking", s->ask.enable_thinking, "say to the chat template whether to think (true, false)");
  command->add_option("--batch", s->batch, "answers that run at a time")->check(at_least(1))->capture_default_str();
  command->option_defaults()->group("Training");
  command->add_flag_callback(
      "--all-answers", [s] { s->balances = false; },
      "learn from all answers, not from as many right as wrong ones to each question");
  command->add_option("--epochs", s->epochs, "times that the answers are read")
      ->check(number_at_least(0) & CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--step-tokens", s->step_tokens, "tokens of a step")->check(at_least(1))->capture_default_str();
  command->add_option("--learning-rate", s->learning_rate, "highest learning rate")->capture_default_str();
  command->add_option("--held-out", s->held_out, "held-out questions to measure it on; 0: none")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--validate-every", s->validate_every, "steps between measurements; 0: at the end")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--save-every", s->save_every, "steps between checkpoints; 0: at the end")
      ->check(at_least(0))
      ->capture_default_str();
  command->callback([=, &common] { train_scorer(*s, common); });
}

}  // namespace fude
