#include "app/training.h"
#include "app/model_files.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "app/pipeline.h"
#include "app/signals.h"
#include "backend/memory.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"
#include "infer/answer.h"
#include "model/folder.h"
#include "model/load.h"
#include "text/chat_format.h"
#include "text/tokenizer_file.h"
#include "train/export_run.h"
#include "train/memory_plan.h"
#include "train/muon.h"
#include "train/report.h"

namespace fude {
namespace {

double mebibytes(int64_t bytes) { return double(bytes) / (1 << 20); }

// "NAME=FOLDER", or "FOLDER", which is then named by its last part.
std::pair<std::string, std::string> named_folder(const std::string& word) {
  const size_t equals = word.find('=');
  if (equals != std::string::npos && word.find('/') > equals) {
    require(equals > 0, "[train] expected a name before the = of '{}'", word);
    return {word.substr(0, equals), word.substr(equals + 1)};
  }
  return {std::filesystem::path(word + "/").parent_path().filename().string(), word};
}

// The shards of a run, all made with its tokenizer.
class Text {
 public:
  Text(const TrainSettings& settings, const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
    const auto end_of_text = tokenizer.find_special(kEndOfText);
    require(end_of_text.has_value(), "[train] the tokenizer has no token {}", kEndOfText);
    loading_.packing = {.row_tokens = settings.row_tokens, .concat = settings.concat};
    loading_.end_of_text = *end_of_text;
    for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id)
      loading_.bytes_of_token.push_back(
          tokenizer.is_special(id) ? 0 : uint16_t(std::min<size_t>(65535, tokenizer.bytes_of(id).size())));
  }

  Loader loader(const TrainSettings& s, uint64_t seed) {
    require(!s.data.empty(), "[train] expected at least one shard folder (--data); make one with `fude shards`");
    require(s.weights.empty() || s.weights.size() == s.data.size(),
            "[train] expected a weight for each of {} data folders, got {}", s.data.size(), s.weights.size());
    std::vector<MixtureSource> sources;
    for (size_t i = 0; i < s.data.size(); ++i) {
      const auto set = open(s.data[i]);
      hashes_ += set->info().text_hash + " ";
      sources.push_back({set, s.weights.empty() ? double(set->info().tokens) : s.weights[i]});
    }
    return Loader(Mixture(sources, seed), loading_);
  }

  std::vector<ValidationRows> validation(const TrainSettings& s) const {
    std::vector<ValidationRows> sets;
    for (const std::string& word : s.validation) {
      const auto [name, folder] = named_folder(word);
      for (const ValidationRows& other : sets)
        require(other.name() != name,
                "[train] two validation folders are named '{}'; name them, as in --validation ja={}", name, folder);
      sets.emplace_back(name, open(folder), loading_, s.validation_rows);
    }
    return sets;
  }

  // Of the text that the loader reads.
  std::string hash() const { return hash_hex(hashes_); }

 private:
  std::shared_ptr<const ShardSet> open(const std::string& folder) const {
    auto set = std::make_shared<const ShardSet>(folder);
    require(set->info().tokenizer_hash == tokenizer_.hash(), "[train] {} was made with another tokenizer", folder);
    return set;
  }

  const Tokenizer& tokenizer_;
  LoaderOptions loading_;
  std::string hashes_;
};

// `base`: of the model that it goes on from, or null.
ModelConfig shape_of(const TrainSettings& s, const Tokenizer& tokenizer, const ModelConfig* base) {
  ModelConfig shape = s.shape;
  if (base == nullptr) {
    shape.vocabulary = tokenizer.vocabulary_size();
    shape.context = std::max(shape.context, s.row_tokens);
  } else {
    shape = *base;
    require(s.row_tokens <= shape.context, "[train] --row-tokens {} exceeds the model's context of {}", s.row_tokens,
            shape.context);
  }
  check(shape);
  return shape;
}

// Every setting that decides the weights that come out.
Json deciding_settings(const TrainSettings& s, const ModelConfig& shape) {
  return {{"model", architecture_of(shape.family).write(shape)},
          {"from", s.model},
          {"row_tokens", s.row_tokens},
          {"rows", s.rows},
          {"blocks", s.blocks},
          {"gradient_slots", s.step.slots},
          {"concat", s.concat},
          {"steps", s.schedule.steps},
          {"schedule", name_of(s.schedule.kind)},
          {"learning_rate", s.schedule.learning_rate},
          {"warmup", s.schedule.warmup_steps},
          {"final_fraction", s.schedule.final_fraction},
          {"decay_fraction", s.schedule.decay_fraction},
          {"muon", s.muon},
          {"weight_decay", s.optimizer.weight_decay},
          {"clip", s.optimizer.max_norm},
          {"betas", {s.optimizer.beta1, s.optimizer.beta2}},
          {"eps", s.optimizer.eps}};
}

TrainerOptions trainer_options(const TrainSettings& s) {
  TrainerOptions options;
  options.folder = s.out;
  options.schedule = s.schedule, options.optimizer = s.optimizer, options.step = s.step;
  if (s.muon) options.optimizer.uses_muon = is_block_matrix;
  options.blocks_per_step = s.blocks, options.rows_per_block = s.rows;
  options.validate_every = s.validate_every, options.save_every = s.save_every, options.keep_checkpoints = s.keep;
  return options;
}

// What the device will hold, and what the program holds already.
// `waiting_rows`: of the loader. Besides the plan the program itself grows by them, by their copy and text while a
// checkpoint is written, and by what writing takes anyway.
void print_plan(const MemoryPlan& plan, int64_t waiting_rows) {
  std::string parts;
  for (int i = 0; i < kPurposes; ++i)
    if (plan.device.at_peak[size_t(i)] > 0)
      parts += fmt::format("{}{} {:.1f}", parts.empty() ? "" : ", ", name_of(Purpose(i)),
                           mebibytes(plan.device.at_peak[size_t(i)]));
  return_unused_memory();
  const int64_t program = own_memory() + (1 << 19) + 600 * waiting_rows;
  std::fprintf(stderr, "memory plan: %.1f MiB (%s, gaps %.1f, kernels %.1f, program %.1f)\n",
               mebibytes(plan.total() + program), parts.c_str(), mebibytes(plan.device.held - plan.device.peak),
               mebibytes(plan.kernels), mebibytes(program));
}

// "AMD EPYC, Linux x86_64, 2 threads, tier avx2"
std::string machine_line(Device& device, const Kernels& kernels) {
  std::string processor = "unknown processor";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);)
    if (line.starts_with("model name") && line.find(": ") != std::string::npos) {
      processor = line.substr(line.find(": ") + 2);
      break;
    }
  utsname name{};
  ::uname(&name);
  return fmt::format("{}, {} {}, {} threads, tier {}", processor, name.sysname, name.machine, device.threads().count(),
                     kernels.name);
}

// A few tokens of what the model says now.
std::string sample_text(const Transformer& model, const Kernels& kernels, const Tokenizer& tokenizer,
                        const std::string& prompt) {
  const std::vector<TokenId> tokens = tokenizer.encode(prompt, SpecialTokens::recognised);
  if (tokens.empty() || int64_t(tokens.size()) + 1 >= model.config().context) return "";
  Request request{.prompt = tokens, .sampling = {.temperature = 0.7, .top_k = 50}, .max_tokens = 48};
  request.stop_tokens.push_back(*tokenizer.find_special(kEndOfText));
  Engine engine(model, kernels,
                {.context = std::min(model.config().context, int64_t(tokens.size()) + request.max_tokens)});
  return answer(engine, tokenizer, std::move(request)).text;
}

// Nothing where there is no room for the probe; the run may well have it.
std::optional<MachineLimit> limit_of_machine(const CommonOptions& common, const Kernels& kernels, DType compute) {
  try {
    return probe_machine(common.threads, kernels, compute);
  } catch (const OutOfMemory&) { return std::nullopt; } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

// The run as a person sees it: a line of progress, and the report.
class View {
 public:
  View(const TrainSettings& settings, const CommonOptions& common, const Transformer& model, const Kernels& kernels,
       const std::optional<MachineLimit>& limit)
      : settings_(settings), common_(common) {
    state_.total = settings.schedule.steps;
    const ModelConfig& shape = model.config();
    report_.title = settings.out;
    report_.machine = machine_line(model.device(), kernels);
    report_.limit = limit;
    report_.parameters = model.parameter_count(), report_.total_steps = settings.schedule.steps;
    report_.settings = {
        {"parameters", quantity_text(double(model.parameter_count()))},
        {"family", shape.family},
        {"shape", fmt::format("{} layers, width {}, heads {}/{} of {}, MLP {}", shape.layers, shape.width, shape.heads,
                              shape.kv_heads, shape.head_size, shape.feed_forward)},
        {"vocabulary", std::to_string(shape.vocabulary)},
        {"tokens per step", std::to_string(settings.rows * settings.blocks * settings.row_tokens)},
        {"schedule", fmt::format("{} to {} over {} steps", name_of(settings.schedule.kind),
                                 settings.schedule.learning_rate, settings.schedule.steps)},
        {"seed", std::to_string(common.seed)}};
  }

  void begin(int64_t steps_done) {
    state_.skipped = steps_done;
    if (steps_done > 0) std::fprintf(stderr, "going on after step %lld\n", (long long)steps_done);
  }

  void step(const StepMetrics& m, const std::vector<StepMetrics>& all) {
    constexpr size_t kRecent = 20;
    const Speed speed = speed_of(all, kRecent, report_.limit, report_.parameters);
    state_.done = m.step, state_.seconds = now_seconds() - began_;
    state_.note = fmt::format("loss {:.3f}  {} tok/s", m.loss, quantity_text(speed.tokens_per_second));
    if (speed.share) state_.note += fmt::format("  {:.0f}% of limit", 100 * *speed.share);
    if (!m.event.empty())
      std::fprintf(stderr, "\nstep %lld: %s (loss %.3f)\n", (long long)m.step, m.event.c_str(), m.loss);
    progress_.update(state_, now_seconds());
    if (common_.json) std::printf("%s\n", metrics_line(m).c_str()), std::fflush(stdout);
    if (!m.validation.empty() || !m.samples.empty() || !m.event.empty()) write(all);
  }

  void end(int64_t steps_done, const std::vector<StepMetrics>& all) {
    state_.done = steps_done, state_.seconds = now_seconds() - began_;
    progress_.finish(state_);
    write(all);
  }

 private:
  void write(const std::vector<StepMetrics>& all) {
    report_.steps = all;
    write_report(settings_.out + "/report.html", report_);
  }

  const TrainSettings& settings_;
  const CommonOptions& common_;
  Progress progress_ = progress_on_stderr();
  ProgressState state_{.label = "train", .unit = "steps"};
  Report report_;
  double began_ = now_seconds();
};

}  // namespace

bool train_model(TrainSettings s, const CommonOptions& common) {
  require(!s.tokenizer.empty() || !s.model.empty(),
          "[train] expected --tokenizer, the one that the shards were made with");
  std::optional<ModelFiles> base;
  if (!s.model.empty()) base = open_model(s.model);
  const Tokenizer tokenizer = s.tokenizer.empty() ? base->tokenizer : Tokenizer::load(s.tokenizer);
  const Kernels& kernels = default_kernels();
  const ModelConfig shape = shape_of(s, tokenizer, base ? &base->weights->config() : nullptr);
  Text text(s, tokenizer);
  Loader loader = text.loader(s, common.seed);
  std::vector<ValidationRows> validation = text.validation(s);

  TrainerOptions options = trainer_options(s);
  options.identity = {{"text", text.hash()},
                      {"tokenizer", tokenizer.hash()},
                      {"settings", hash_hex(deciding_settings(s, shape).dump())},
                      {"seed", common.seed},
                      {"numerics", s.compute == DType::bf16 ? kernels.bf16 : "f32"}};
  options.on_save = [&](const std::string& folder) {
    save_tokenizer(folder, tokenizer.data(), kEndOfText, chat_template());
  };
  const MemoryPlan plan = plan_training_memory(shape, options, s.row_tokens, kernels, s.compute);
  print_plan(plan, loader.waiting_rows());

  std::optional<MachineLimit> limit;
  if (s.export_to.empty()) limit = limit_of_machine(common, kernels, s.compute);
  Device device(common.threads);
  device.require_room(plan.total(), "training");
  const auto model = base ? load_model(device, std::move(base->weights), {s.compute})
                          : std::make_unique<Transformer>(device, shape, Precision{s.compute});
  if (!base) model->initialise(common.seed);
  if (!s.export_to.empty()) {
    export_run(s.export_to, *model, loader, validation, options);
    return true;
  }

  View view(s, common, *model, kernels, limit);
  options.sample = [&] {
    std::vector<Sample> samples;
    for (const std::string& prompt : s.sample_prompts)
      samples.push_back({prompt, sample_text(*model, kernels, tokenizer, prompt)});
    return samples;
  };
  Trainer* running = nullptr;
  options.on_step = [&](const StepMetrics& m) { view.step(m, running->metrics()); };
  Trainer trainer(*model, kernels, loader, std::move(validation), options);
  running = &trainer;
  view.begin(trainer.resume());
  watch_interrupts();
  const bool finished = trainer.run(&interrupted);
  view.end(trainer.steps_done(), trainer.metrics());
  const LoaderTotals& totals = loader.totals();
  std::fprintf(stderr, "packing: %.2f %% padding; memory used %.1f MiB\n",
               100.0 * double(totals.padding) / double(std::max<int64_t>(1, totals.tokens + totals.padding)),
               mebibytes(std::max(own_memory(), device.usage().held)));  // a device keeps what it once held
  if (!finished) {
    std::fprintf(stderr, "stopped at step %lld; the same command goes on from there\n",
                 (long long)trainer.steps_done());
    return false;
  }
  save_model(*model, s.out + "/model");
  options.on_save(s.out + "/model");
  std::fprintf(stderr, "model: %s/model  report: %s/report.html\n", s.out.c_str(), s.out.c_str());
  return true;
}

}  // namespace fude
