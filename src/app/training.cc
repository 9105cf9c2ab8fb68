#include "app/training.h"
#include "app/model_files.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "app/lora_options.h"
#include "app/pipeline.h"
#include "app/run_view.h"
#include "app/trained_weights.h"
#include "backend/memory.h"
#include "base/error.h"
#include "base/json.h"
#include "fetch/pull.h"
#include "infer/answer.h"
#include "infer/model_files.h"
#include "model/folder.h"
#include "model/load.h"
#include "text/chat_format.h"
#include "text/tokenizer_file.h"
#include "train/export_run.h"
#include "train/memory_plan.h"
#include "train/muon.h"

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

// What stands behind every document.
TokenId end_mark(const Tokenizer& tokenizer) {
  if (const auto id = tokenizer.find_special(kEndOfText)) return *id;
  const std::vector<TokenId>& ends = tokenizer.data().end_tokens;
  require(!ends.empty(), "[train] the tokenizer has neither {} nor another token that ends a text", kEndOfText);
  return ends.front();
}

// Ids of another tokenizer would be nonsense to the model.
void require_own_tokenizer(const TrainSettings& s, const Tokenizer& tokenizer, const ModelFiles& base) {
  const std::string given = tokenizer.hash(), own = base.tokenizer.hash();
  require(given == own, "[train] {} is another tokenizer ({}) than that of the model {} ({}): leave out --tokenizer",
          s.tokenizer, given, s.model, own);
}

// The shards of a run, all made with its tokenizer.
class Text {
 public:
  Text(const TrainSettings& settings, const Tokenizer& tokenizer) : made_with_(tokenizer.hash()) {
    loading_.packing = {.row_tokens = settings.row_tokens, .concat = settings.concat};
    loading_.end_of_text = end_mark(tokenizer);
    if (settings.chats) {
      const auto vocabulary = int32_t(tokenizer.vocabulary_size());
      loading_.packing.unlearned_from = vocabulary, loading_.end_of_text += vocabulary;
      made_with_ = *settings.chats;
      return;
    }
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
    require(set->info().tokenizer_hash == made_with_, "[train] {} was made with another tokenizer", folder);
    return set;
  }

  std::string made_with_;  // what the shards say of their tokenizer
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
    require_row_fits(s.row_tokens, shape);
  }
  check(shape);
  return shape;
}

// Every setting that decides the weights that come out.
Json deciding_settings(const TrainSettings& s, const ModelConfig& shape) {
  return {{"shape", architecture_of(shape.family).write(shape)},
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
          {"lora", json_of(s.lora, s.frozen)},
          {"weight_decay", s.optimizer.weight_decay},
          {"clip", s.optimizer.max_norm},
          {"betas", {s.optimizer.beta1, s.optimizer.beta2}},
          {"eps", s.optimizer.eps}};
}

// All settings, for the report.
Json told_settings(const TrainSettings& s, Json deciding, DType compute, uint64_t seed) {
  Json told = {{"data", s.data},
               {"weights", s.weights},
               {"validation", s.validation},
               {"validation_rows", s.validation_rows},
               {"tokenizer", s.tokenizer},
               {"tokens_per_step", s.rows * s.blocks * s.row_tokens},
               {"optimizer", s.muon ? fmt::format("Muon in the blocks ({} times AdamW's rate, momentum {}), else AdamW",
                                                  s.optimizer.muon_rate_factor, s.optimizer.muon_momentum)
                                    : "AdamW"},
               {"compute", name_of(compute)},
               {"checkpoint_activations", s.step.checkpoint_blocks},
               {"seed", seed}};
  deciding["config.json"] = Json(deciding["shape"]);
  deciding.erase("shape"), deciding.erase("muon");
  told.update(deciding);
  return told;
}

TrainerOptions trainer_options(const TrainSettings& s) {
  TrainerOptions options;
  options.folder = s.out, options.lock = s.lock;
  options.schedule = s.schedule, options.optimizer = s.optimizer, options.step = s.step;
  if (s.muon) {
    options.optimizer.uses_muon = is_block_matrix;
    // The same decay per step as AdamW's, at Muon's own rate.
    options.optimizer.muon_weight_decay = s.optimizer.weight_decay / options.optimizer.muon_rate_factor;
  }
  options.rows_per_block = s.rows;
  options.validate_every = s.validate_every, options.save_every = s.save_every, options.keep_checkpoints = s.keep;
  return options;
}

// Of the model, from `weights` or of the shape, and the adapter that may stand beside it.
MemoryPlan memory_plan(const TrainSettings& s, TrainerOptions options, const ModelConfig& shape,
                       const WeightSource* weights, Precision precision, const CommonOptions& common) {
  Device counting(1, /*only_counts=*/true);
  const auto model =
      weights ? make_model(counting, *weights, precision) : std::make_unique<Transformer>(counting, shape, precision);
  const std::shared_ptr<Adapter> adapter = s.lora ? new_adapter(*model, *s.lora) : nullptr;
  if (adapter) options.step.adapter = adapter.get(), options.step.trained = parameters(*adapter);
  return plan_training_memory(*model, options, s.blocks, s.row_tokens, default_kernels(), threads_of(common.threads));
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

// A few tokens of what the model says now.
std::string sample_text(const Transformer& model, const Kernels& kernels, const Tokenizer& tokenizer,
                        const std::string& prompt) {
  const std::vector<TokenId> tokens = tokenizer.encode(prompt, SpecialTokens::recognised);
  if (tokens.empty() || int64_t(tokens.size()) + 1 >= model.config().context) return "";
  Request request{.prompt = tokens, .sampling = {.temperature = 0.7, .top_k = 50}, .max_tokens = 48};
  request.stop_tokens.push_back(end_mark(tokenizer));
  Engine engine(model, kernels,
                {.context = std::min(model.config().context, int64_t(tokens.size()) + request.max_tokens)});
  return answer(engine, tokenizer, std::move(request)).text;
}

}  // namespace

void require_row_fits(int64_t row_tokens, const ModelConfig& model) {
  require(row_tokens <= model.context, "[train] --row-tokens {} exceeds the model's context of {}", row_tokens,
          model.context);
}

void init_model(const std::string& tokenizer_path, ModelConfig shape, const std::string& out,
                const CommonOptions& common) {
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_path);
  shape.vocabulary = tokenizer.vocabulary_size();
  Device device(common.threads);
  Transformer model(device, shape);
  model.initialise(common.seed);
  save_model(model, out, tokenizer_files(tokenizer.data(), {}));
}

bool train_model(TrainSettings s, const CommonOptions& common) {
  require_elsewhere(s.model, s.lora, s.out);
  const Precision precision = precision_of_run(s.lora, s.frozen, s.compute);
  require(!s.tokenizer.empty() || !s.model.empty(),
          "[train] expected --tokenizer, the one that the shards were made with");
  std::optional<ModelFiles> base;
  if (!s.model.empty()) base = open_model(find_model(s.model));
  const Tokenizer tokenizer = s.tokenizer.empty() ? base->tokenizer : Tokenizer::load(s.tokenizer);
  if (base) require_own_tokenizer(s, tokenizer, *base);
  const Kernels& kernels = default_kernels();
  const ModelConfig shape = shape_of(s, tokenizer, base ? &base->weights->config() : nullptr);
  Text text(s, tokenizer);
  Loader loader = text.loader(s, common.seed);
  std::vector<ValidationRows> validation = text.validation(s);
  require(s.blocks >= 1 && s.blocks % s.step.slots == 0,
          "[train] expected blocks that {} gradient slots can share alike, got {} in a step", s.step.slots, s.blocks);
  LoadedBatches batches(loader, s.blocks, s.rows);

  TrainerOptions options = trainer_options(s);
  options.identity = {{"text", text.hash()},
                      {"model", fingerprint_of(s.model)},
                      {"tokenizer", tokenizer.hash()},
                      {"seed", common.seed},
                      {"numerics", numerics_of(kernels, precision.compute)}};
  const Json deciding = deciding_settings(s, shape);
  options.identity.update(deciding);
  require(!s.lora || base, "[train] expected a model for the adapter to stand beside");
  const MemoryPlan plan = memory_plan(s, options, shape, base ? base->weights.get() : nullptr, precision, common);
  print_plan(plan, loader.waiting_rows());

  std::optional<MachineLimit> limit;
  if (s.export_to.empty()) limit = limit_of_machine(common, kernels, precision.compute);
  Device device(common.threads);
  device.require_room(plan.total(), "training");
  const auto model = base ? load_model(device, std::move(base->weights), precision)
                          : std::make_unique<Transformer>(device, shape, precision);
  const TrainedWeights trained(*model, tokenizer, s.model, s.lora);
  trained.put_into(options);
  if (!base) model->initialise(common.seed);
  if (!s.export_to.empty()) {
    export_run(s.export_to, *model, batches, validation, options);
    return true;
  }

  Report report{.title = s.out,
                .machine = machine_line(device, kernels),
                .limit = limit,
                .parameters = trained_count(*model, options.step),
                .total_steps = s.schedule.steps,
                .settings = settings_of(*model),
                .steps = {}};
  for (auto& row : setting_rows(told_settings(s, deciding, precision.compute, common.seed)))
    report.settings.push_back(std::move(row));
  RunView view(std::move(report), s.out, s.chats ? "sft" : "train", common);
  options.sample = [&] {
    std::vector<Sample> samples;
    for (const std::string& prompt : s.sample_prompts)
      samples.push_back({prompt, sample_text(*model, kernels, tokenizer, prompt)});
    return samples;
  };
  const bool finished = run_to_end(*model, kernels, batches, std::move(validation), options, view);
  const LoaderTotals& totals = loader.totals();
  std::fprintf(stderr, "packing: %.2f %% padding; memory used %.1f MiB\n",
               100.0 * double(totals.padding) / double(std::max<int64_t>(1, totals.tokens + totals.padding)),
               mebibytes(std::max(own_memory(), device.usage().held)));  // a device keeps what it once held
  if (!finished) return false;
  trained.finish(s.out);
  return true;
}

}  // namespace fude
