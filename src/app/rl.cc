// fude rl: a model learns from its own answers to a task's questions, paid by the task's exact verifier (GRPO).
#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/lora_options.h"
#include "app/model_files.h"
#include "app/rl.h"
#include "app/run_view.h"
#include "app/signals.h"
#include "app/task_options.h"
#include "app/trained_weights.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "data/identity.h"
#include "fetch/pull.h"
#include "infer/model_files.h"
#include "model/load.h"

namespace fude {
namespace {

using Normaliser = PolicyOptions::Normaliser;
using Scale = PolicyOptions::Scale;

// As the command line has them.
constexpr std::pair<std::string_view, Normaliser> kNormalisers[] = {
    {"tokens", Normaliser::tokens}, {"sequences", Normaliser::sequences}, {"constant", Normaliser::constant}};
constexpr std::pair<std::string_view, Scale> kScales[] = {
    {"none", Scale::none}, {"group", Scale::group}, {"batch", Scale::batch}};
std::string_view name_in(const auto& names, auto value) {
  return std::ranges::find(names, value, [](const auto& pair) { return pair.second; })->first;
}
auto value_in(const auto& names, std::string_view name) {
  return std::ranges::find(names, name, [](const auto& pair) { return pair.first; })->second;
}

// Every setting that decides the weights that come out.
Json deciding_settings(const RlSettings& s, uint64_t seed) {
  const GrpoOptions& g = s.grpo;
  return {{"from", s.model},
          {"task", s.task.name},
          {"difficulties", s.task.difficulties_json()},
          {"questions", g.questions},
          {"answers", g.answers},
          {"max_tokens", g.max_tokens},
          {"temperature", g.temperature},
          {"minibatches", g.minibatches},
          {"epochs", g.epochs},
          {"skips_equal_groups", g.skips_equal_groups},
          {"rounds", g.most_rounds},
          {"learns_truncated", g.learns_truncated},
          {"overlong_from", g.overlong_from},
          {"thinking", g.enable_thinking ? Json(*g.enable_thinking) : Json()},
          {"normaliser", name_in(kNormalisers, g.policy.normaliser)},
          {"scale", name_in(kScales, g.policy.scale)},
          {"clip_low", g.policy.clip_low},
          {"clip_high", g.policy.clip_high},
          {"kl", g.policy.kl},
          {"block_tokens", g.block_tokens},
          {"lora", json_of(s.lora, s.frozen)},
          {"steps", s.schedule.steps},
          {"schedule", name_of(s.schedule.kind)},
          {"learning_rate", s.schedule.learning_rate},
          {"warmup", s.schedule.warmup_steps},
          {"weight_decay", s.optimizer.weight_decay},
          {"clip", s.optimizer.max_norm},
          {"seed", seed}};
}

}  // namespace

bool train_by_answers(RlSettings s, const CommonOptions& common) {
  const Kernels& kernels = default_kernels();
  require_elsewhere(s.model, s.lora, s.out);
  const Precision precision = precision_of_run(s.lora, s.frozen, s.compute);
  ModelFiles base = open_model(find_model(s.model));
  const Chat chat(base.tokenizer);
  require(chat.can_chat(), "[rl] the model has no chat template: teach it to chat first (fude sft)");
  const std::unique_ptr<Task> task = s.task.make(common.seed, s.held_out);
  Device device(common.threads);
  const auto model = load_model(device, std::move(base.weights), precision);
  const TrainedWeights trained(*model, base.tokenizer, s.model, s.lora);
  const std::shared_ptr<Adapter>& adapter = trained.adapter();
  std::unique_ptr<Transformer> reference;
  if (s.grpo.policy.kl != 0 && !adapter)
    reference = load_model(device, open_model(find_model(s.model)).weights, {s.compute, false});

  const int64_t context = model->config().context;
  require(s.grpo.max_tokens < context, "[rl] expected answers shorter than the model's context of {}, got {}", context,
          s.grpo.max_tokens);
  Engine engine(*model, kernels, sampling_engine(model->config(), s.batch, s.grpo.max_tokens));
  const std::string adapter_name = adapter ? "policy" : "";
  if (adapter) engine.adapters().put(adapter_name, adapter);

  s.grpo.seed = common.seed;
  GrpoBatches batches({.model = *model,
                       .kernels = kernels,
                       .engine = engine,
                       .chat = chat,
                       .task = *task,
                       .adapter_name = adapter_name,
                       .adapter = adapter.get(),
                       .reference = reference.get()},
                      s.grpo, &interrupted);
  TrainerOptions options;
  options.folder = s.out, options.schedule = s.schedule, options.optimizer = s.optimizer;
  options.validate_every = s.validate_every, options.save_every = s.save_every, options.keep_checkpoints = s.keep;
  options.watches_spikes = false;
  const Json settings = deciding_settings(s, common.seed);
  options.identity = {{"model", fingerprint_of(s.model)},
                      {"tokenizer", base.tokenizer.hash()},
                      {"template", hash_hex(chat.source())},
                      {"questions of the task", fingerprint_of_file(s.task.name)},
                      {"numerics", numerics_of(kernels, precision.compute)}};
  options.identity.update(settings);
  trained.put_into(options);
  if (s.held_out > 0 && task->held_out_count() > 0)
    options.evaluate = [&](StepMetrics& line) {
      engine.weights_changed();
      const auto graded = evaluate_task(engine, chat, *task,
                                        {.questions = s.held_out,
                                         .max_tokens = s.grpo.max_tokens,
                                         .enable_thinking = s.grpo.enable_thinking,
                                         .adapter = adapter_name,
                                         .cancel = &interrupted});
      if (interrupted) return false;
      const TaskScore score = score_of(graded);
      line.values.emplace_back("held-out accuracy", score.accuracy.value);
      line.samples.push_back({graded.front().question.prompt, "\n" + graded.front().answers.front().text});
      return true;
    };

  Report report{.title = s.out,
                .machine = machine_line(device, kernels),
                .parameters = trained_count(*model, options.step),
                .total_steps = s.schedule.steps,
                .settings = settings_of(*model),
                .steps = {}};
  for (auto& row : setting_rows(settings)) report.settings.push_back(std::move(row));
  RunView view(std::move(report), s.out, "rl", common);
  if (!run_to_end(*model, kernels, batches, {}, options, view)) return false;
  trained.finish(s.out);
  return true;
}

void add_rl(CLI::App& app, const CommonOptions& common) {
  auto s = std::make_shared<RlSettings>();
  auto lora = std::make_shared<LoraChoice>();
  auto normaliser = std::make_shared<std::string>("tokens"), scale = std::make_shared<std::string>("none");
  GrpoOptions& g = s->grpo;
  CLI::App* command = app.add_subcommand(
      "rl", "teach a model by its own answers to a task's questions (GRPO); the same command resumes it");
  command->add_option("model", s->model, kModelHelp)->required();
  add_task(*command, s->task);
  command->add_option("--out", s->out, "folder of the run")->required();
  command->option_defaults()->group("Rollout");
  command->add_option("--questions", g.questions, "questions of a rollout")->check(at_least(1))->capture_default_str();
  command->add_option("--answers", g.answers, "answers to each, which are compared")
      ->check(at_least(2))
      ->capture_default_str();
  command->add_option("--max-tokens", g.max_tokens, "longest answer, thoughts included")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--temperature", g.temperature, "of sampling, and of what is learned")
      ->check(number_between(0, 100))
      ->capture_default_str();
  command->add_option("--thinking", g.enable_thinking, "say to the chat template whether to think (true, false)");
  command->add_flag_callback(
      "--keep-equal", [s] { s->grpo.skips_equal_groups = false; },
      "learn also where all answers to a question are worth the same, instead of asking others");
  command->add_option("--rounds", g.most_rounds, "times that questions are asked at most")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--batch", s->batch, "answers that run at a time")->check(at_least(1))->capture_default_str();
  command->option_defaults()->group("Reward and loss");
  command
      ->add_option("--overlong-from", g.overlong_from,
                   "tokens from which on an answer loses reward, up to 1 at --max-tokens; 0: never")
      ->capture_default_str();
  command->add_flag_callback(
      "--mask-truncated", [s] { s->grpo.learns_truncated = false; }, "do not learn from answers that were cut off");
  command->add_option("--scale", *scale, "what rewards less their group's mean are divided by: none, group or batch")
      ->check(CLI::IsMember({"none", "group", "batch"}))
      ->capture_default_str();
  command
      ->add_option("--normaliser", *normaliser,
                   "what the sum over tokens is divided by: tokens (DAPO), sequences (GRPO) or constant (Dr. GRPO)")
      ->check(CLI::IsMember({"tokens", "sequences", "constant"}))
      ->capture_default_str();
  command->add_option("--clip-low", g.policy.clip_low, "largest fall of a token's probability that is learned")
      ->check(number_at_least(0))
      ->capture_default_str();
  command->add_option("--clip-high", g.policy.clip_high, "largest rise")
      ->check(number_at_least(0))
      ->capture_default_str();
  command->add_option("--kl", g.policy.kl, "cost of leaving the model that it began as; needs a second copy of it")
      ->check(number_at_least(0))
      ->capture_default_str();
  command->option_defaults()->group("Training");
  command->add_option("--steps", s->schedule.steps, "updates")->check(at_least(1))->capture_default_str();
  command->add_option("--learning-rate", s->schedule.learning_rate, "highest learning rate")->capture_default_str();
  command->add_option("--warmup", s->schedule.warmup_steps, "warm-up steps")->capture_default_str();
  command->add_option("--minibatches", g.minibatches, "updates that share a rollout's answers")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--epochs", g.epochs, "times that a rollout is learned from")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--block-tokens", g.block_tokens, "tokens of a forward pass")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--clip", s->optimizer.max_norm, "largest gradient norm; 0: off")
      ->check(number_at_least(0))
      ->capture_default_str();
  command->add_option("--weight-decay", s->optimizer.weight_decay, "decoupled, of matrices")
      ->check(number_at_least(0))
      ->capture_default_str();
  add_compute(*command, s->compute, "what matrices multiply in: f32, or bf16 (weights still trained in f32)");
  add_lora(*command, *lora);
  command->option_defaults()->group("Watching and saving");
  command->add_option("--held-out", s->held_out, "held-out questions that accuracy is measured on; 0: none")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--validate-every", s->validate_every, "steps between measurements; 0: at the end")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--save-every", s->save_every, "steps between checkpoints; 0: at the end")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--keep", s->keep, "newest checkpoints kept; 0: all")->check(at_least(0))->capture_default_str();
  command->callback([=, &common] {
    s->grpo.policy.normaliser = value_in(kNormalisers, *normaliser);
    s->grpo.policy.scale = value_in(kScales, *scale);
    s->lora = lora->options(common.seed), s->frozen = lora->precision();
    s->schedule.warmup_steps = std::min(s->schedule.warmup_steps, s->schedule.steps);
    train_by_answers(*s, common);
  });
}

}  // namespace fude
