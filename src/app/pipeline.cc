#include "app/pipeline.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "app/signals.h"
#include "backend/cpu/tier.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"
#include "data/shard_writer.h"
#include "model/folder.h"
#include "infer/generator.h"
#include "text/bpe_train.h"
#include "text/chat_format.h"
#include "text/tokenizer_file.h"
#include "train/export_run.h"
#include "train/memory_plan.h"
#include "train/report.h"

namespace fude {
namespace {

Progress progress_on_stderr() { return Progress(stderr, ::isatty(STDERR_FILENO) != 0); }

double mebibytes(int64_t bytes) { return double(bytes) / (1 << 20); }

// A few tokens of what the model says now, for the report.
std::string sample_text(const Transformer& model, const Kernels& kernels, const Tokenizer& tokenizer, const std::string& prompt) {
  Generator generator(model, kernels);
  GenerationOptions options{.sampling = {.temperature = 0.7, .top_k = 50}, .max_tokens = 48, .stop_tokens = {}};
  if (const auto id = tokenizer.find_special(kEndOfText)) options.stop_tokens.push_back(*id);
  std::vector<TokenId> tokens = tokenizer.encode(prompt, SpecialTokens::recognised), answer;
  if (tokens.empty() || int64_t(tokens.size()) + 1 >= generator.context()) return "";
  generator.generate(tokens, options, [&](const SampledToken& token) {
    answer.push_back(token.token);
    return true;
  });
  return tokenizer.decode(answer);
}

std::string machine_line(const Device& device, const Kernels& kernels) {
  utsname name{};
  ::uname(&name);
  return fmt::format("{} {}, {} threads, tier {}", name.sysname, name.machine,
                     const_cast<Device&>(device).threads().count(), kernels.name);
}

// "NAME=FOLDER", or "FOLDER", which is then named by its last part.
std::pair<std::string, std::string> named_folder(const std::string& word) {
  const size_t equals = word.find('=');
  if (equals != std::string::npos && word.find('/') > equals) {
    require(equals > 0, "[train] expected a name before the = of '{}'", word);
    return {word.substr(0, equals), word.substr(equals + 1)};
  }
  return {std::filesystem::path(word + "/").parent_path().filename().string(), word};
}

}  // namespace

std::vector<std::string> own_special_tokens() { return {kEndOfText, kUser, kAssistant, kEnd}; }

void train_tokenizer(const TokenizerSettings& settings, int threads) {
  DocumentStream documents(settings.inputs, settings.documents);
  BpeTrainOptions options;
  options.vocabulary_size = settings.vocabulary;
  options.special_tokens = own_special_tokens();
  options.steps = {{SplitStep::Kind::pattern, std::string(named_pattern(settings.pattern))}};
  options.threads = std::max(1, threads);
  Progress progress = progress_on_stderr();
  const double began = now_seconds();
  ProgressState state{.label = "tokenizer", .unit = "entries"};
  const auto result = train_bpe(
      options,
      [&](std::string& text) {
        auto document = documents.next();
        if (!document) return false;
        text = std::move(document->text);
        return true;
      },
      [&](const BpeTrainProgress& now) {
        state.done = now.entries, state.total = now.entries == 0 ? 0 : settings.vocabulary;
        state.seconds = now_seconds() - began;
        progress.update(state, now_seconds());
      });
  state.done = state.total = settings.vocabulary, state.seconds = now_seconds() - began;
  progress.finish(state);
  if (result.pruned_pieces > 0)
    std::fprintf(stderr, "the memory limit dropped %llu rare pieces (seen up to %llu times)\n",
                 (unsigned long long)result.pruned_pieces, (unsigned long long)result.pruned_below);
  save_tokenizer(settings.out, result.tokenizer, kEndOfText, chat_template());
}

void make_shards(const ShardSettings& settings) {
  const Tokenizer tokenizer = Tokenizer::load(settings.tokenizer);
  DocumentStream documents(settings.inputs, settings.documents);
  Progress progress = progress_on_stderr();
  const double began = now_seconds();
  ProgressState state{.label = "shards", .unit = "bytes"};
  ShardOptions options{.folder = settings.out,
                       .vocabulary = tokenizer.vocabulary_size(),
                       .tokenizer_hash = tokenizer.hash(),
                       .shard_tokens = settings.shard_tokens,
                       .progress = [&](uint64_t done, uint64_t total) {
                         state.done = int64_t(done), state.total = int64_t(total), state.seconds = now_seconds() - began;
                         progress.update(state, now_seconds());
                       }};
  const SpecialTokens special = settings.special_tokens ? SpecialTokens::recognised : SpecialTokens::as_text;
  write_shards(documents, [&](std::string_view text, std::vector<int32_t>& out) { tokenizer.encode_into(text, out, special); },
               options);
  progress.finish(state);
  const DocumentCounts& counts = documents.counts();
  for (const auto& [reason, count] : counts.skipped)
    std::fprintf(stderr, "skipped %lld: %s\n", (long long)count, reason.c_str());
}

bool train_model(TrainSettings s, const CommonOptions& common) {
  require(!s.data.empty(), "[train] expected at least one shard folder (--data); make one with `fude shards`");
  const Tokenizer tokenizer = Tokenizer::load(s.tokenizer.empty() ? s.model : s.tokenizer);
  const auto end_of_text = tokenizer.find_special(kEndOfText);
  require(end_of_text.has_value(), "[train] the tokenizer has no token {}", kEndOfText);
  const Kernels& kernels = default_kernels();

  if (s.model.empty()) {
    s.shape.vocabulary = tokenizer.vocabulary_size();
    s.shape.context = std::max(s.shape.context, s.row_tokens);
  } else {
    s.shape = read_config(s.model);
    require(s.row_tokens <= s.shape.context, "[train] --row-tokens {} exceeds the model's context of {}", s.row_tokens,
            s.shape.context);
  }
  check(s.shape);

  std::vector<MixtureSource> sources;
  std::string text_identity;
  require(s.weights.empty() || s.weights.size() == s.data.size(), "[train] expected a weight for each of {} data folders, got {}",
          s.data.size(), s.weights.size());
  for (size_t i = 0; i < s.data.size(); ++i) {
    auto set = std::make_shared<const ShardSet>(s.data[i]);
    require(set->info().tokenizer_hash == tokenizer.hash(), "[train] {} was made with another tokenizer", s.data[i]);
    text_identity += set->info().text_hash + " ";
    sources.push_back({set, s.weights.empty() ? double(set->info().tokens) : s.weights[i]});
  }
  LoaderOptions loading{.packing = {.row_tokens = s.row_tokens, .concat = s.concat}, .end_of_text = *end_of_text};
  for (int64_t id = 0; id < tokenizer.vocabulary_size(); ++id)
    loading.bytes_of_token.push_back(
        tokenizer.is_special(TokenId(id)) ? 0 : uint16_t(std::min<size_t>(65535, tokenizer.bytes_of(TokenId(id)).size())));
  Loader loader(Mixture(sources, common.seed), loading);
  std::vector<ValidationRows> validation;
  for (const std::string& word : s.validation) {
    const auto [name, folder] = named_folder(word);
    auto set = std::make_shared<const ShardSet>(folder);
    require(set->info().tokenizer_hash == tokenizer.hash(), "[train] {} was made with another tokenizer", folder);
    for (const ValidationRows& other : validation)
      require(other.name() != name, "[train] two validation folders are named '{}'; name them, as in --validation ja=FOLDER", name);
    validation.emplace_back(name, set, loading, s.validation_rows);
  }

  if (s.muon)
    s.optimizer.uses_muon = [](const Parameter& p) {
      return p.is_matrix() && p.name().find("embed") == std::string::npos && p.name().find("lm_head") == std::string::npos &&
             p.name().find("wte") == std::string::npos && p.name().find("wpe") == std::string::npos;
    };
  TrainerOptions options;
  options.folder = s.out;
  options.schedule = s.schedule;
  options.optimizer = s.optimizer;
  options.step = s.step;
  options.blocks_per_step = s.blocks, options.rows_per_block = s.rows;
  options.validate_every = s.validate_every, options.save_every = s.save_every, options.keep_checkpoints = s.keep;

  const auto plan = plan_training_memory(s.shape, options, s.row_tokens, s.compute);
  std::string parts;
  for (int i = 0; i < kPurposes; ++i)
    if (plan.at_peak[size_t(i)] > 0)
      parts += fmt::format("{}{} {:.1f}", parts.empty() ? "" : ", ", name_of(Purpose(i)), mebibytes(plan.at_peak[size_t(i)]));
  std::fprintf(stderr, "memory plan: %.1f MiB (%s)\n", mebibytes(plan.peak), parts.c_str());

  Device device(common.threads);
  device.require_room(plan.peak, "training");
  auto model = s.model.empty() ? std::make_unique<Transformer>(device, s.shape, Precision{s.compute})
                               : load_model(device, s.model, {s.compute});
  if (s.model.empty()) model->initialise(common.seed);

  const Json shape = architecture_of(s.shape.family).write(s.shape);
  const std::string settings_text =
      fmt::format("{} rows {} blocks {} slots {} tokens {} concat {} muon {} lr {} {} steps {} warmup {} final {} decay {} wd {} clip {} "
                  "betas {} {} eps {} from {}",
                  shape.dump(), s.rows, s.blocks, s.step.slots, s.row_tokens, s.concat, s.muon, s.schedule.learning_rate,
                  name_of(s.schedule.kind), s.schedule.steps, s.schedule.warmup_steps, s.schedule.final_fraction,
                  s.schedule.decay_fraction, s.optimizer.weight_decay, s.optimizer.max_norm, s.optimizer.beta1,
                  s.optimizer.beta2, s.optimizer.eps, s.model);
  options.identity = {{"text", hash_hex(text_identity)},
                      {"tokenizer", tokenizer.hash()},
                      {"settings", hash_hex(settings_text)},
                      {"seed", common.seed},
                      {"numerics", s.compute == DType::bf16 ? kernels.bf16 : "f32"}};
  options.on_save = [&](const std::string& folder) {
    save_tokenizer(folder, tokenizer.data(), kEndOfText, chat_template());
  };

  if (!s.export_to.empty()) {
    export_run(s.export_to, *model, loader, validation, options);
    return true;
  }

  Report report{.title = s.out, .machine = machine_line(device, kernels)};
  report.settings = {{"parameters", quantity_text(double(model->parameter_count()))},
                     {"family", s.shape.family},
                     {"shape", fmt::format("{} layers, width {}, heads {}/{} of {}, MLP {}", s.shape.layers, s.shape.width,
                                           s.shape.heads, s.shape.kv_heads, s.shape.head_size, s.shape.feed_forward)},
                     {"vocabulary", std::to_string(s.shape.vocabulary)},
                     {"tokens per step", std::to_string(s.rows * s.blocks * s.row_tokens)},
                     {"schedule", fmt::format("{} to {} over {} steps", name_of(s.schedule.kind), s.schedule.learning_rate,
                                              s.schedule.steps)},
                     {"seed", std::to_string(common.seed)}};

  Trainer* running = nullptr;
  Progress progress = progress_on_stderr();
  const double began = now_seconds();
  ProgressState state{.label = "train", .total = s.schedule.steps, .unit = "steps"};
  int64_t tokens_before = -1;
  options.on_step = [&](const StepMetrics& m, const std::string& event) {
    if (tokens_before < 0) tokens_before = m.tokens;
    state.done = m.step, state.seconds = now_seconds() - began;
    const double rate = state.seconds > 0 ? double(m.tokens - tokens_before) / state.seconds : 0;
    state.note = fmt::format("loss {:.3f}  {} tok/s", m.loss, quantity_text(rate));
    if (!event.empty()) std::fprintf(stderr, "\nstep %lld: %s, loss %.3f\n", (long long)m.step, event.c_str(), m.loss);
    progress.update(state, now_seconds());
    if (common.json) std::printf("%s\n", metrics_line(m).c_str()), std::fflush(stdout);
    if (!m.validation.empty()) {
      for (const std::string& prompt : s.sample_prompts)
        report.samples.push_back({m.step, prompt, sample_text(*model, kernels, tokenizer, prompt)});
      report.steps = running->metrics();
      write_report(s.out + "/report.html", report);
    }
  };
  Trainer trainer(*model, kernels, loader, std::move(validation), options);
  running = &trainer;
  state.skipped = trainer.resume();
  if (state.skipped > 0) std::fprintf(stderr, "going on after step %lld\n", (long long)state.skipped);
  watch_interrupts();
  const bool finished = trainer.run(&interrupted);
  state.done = trainer.steps_done(), state.seconds = now_seconds() - began;
  progress.finish(state);
  const LoaderTotals& totals = loader.totals();
  std::fprintf(stderr, "packing: %.2f %% padding; peak memory %.1f MiB\n",
               100.0 * double(totals.padding) / double(std::max<int64_t>(1, totals.tokens + totals.padding)),
               mebibytes(device.usage().peak));
  report.steps = trainer.metrics();
  write_report(s.out + "/report.html", report);
  if (!finished) {
    std::fprintf(stderr, "stopped at step %lld; the same command goes on from there\n", (long long)trainer.steps_done());
    return false;
  }
  save_model(*model, s.out + "/model");
  options.on_save(s.out + "/model");
  std::fprintf(stderr, "model: %s/model  report: %s/report.html\n", s.out.c_str(), s.out.c_str());
  return true;
}

}  // namespace fude
