// fude tokenizer, fude shards, fude init, fude train: the stages of pre-training as commands.
#include <fmt/ranges.h>

#include <cstdio>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/pipeline.h"
#include "app/training.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "model/architecture.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

void add_documents(CLI::App* command, DocumentOptions& o) {
  command->add_option("--text-field", o.text_field, "JSONL: the field that holds the text")->capture_default_str();
  command->add_flag_callback(
      "--skip-bad", [&o] { o.on_bad_input = OnBadInput::skip; },
      "skip and count unreadable documents instead of stopping");
}

// The options of a model with random weights; it must outlive the command.
class NewModelOptions {
 public:
  explicit NewModelOptions(CLI::App& command) {
    const std::vector<std::string> families = families_of_new_models();
    others_.push_back(command
                          .add_option("--family", wanted_.family,
                                      fmt::format("which architecture it is: {}", fmt::join(families, ", ")))
                          ->check(CLI::IsMember(families))
                          ->capture_default_str());
    add(command, "--width", &ModelConfig::width, 256, "model width");
    add(command, "--layers", &ModelConfig::layers, 6, "blocks");
    add(command, "--heads", &ModelConfig::heads, 4, "query heads");
    add(command, "--kv-heads", &ModelConfig::kv_heads, 2, "key and value heads; of gpt2 as many as --heads");
    add(command, "--head-size", &ModelConfig::head_size, 64, "width of a head; of gpt2 --width by --heads");
    add(command, "--feed-forward", &ModelConfig::feed_forward, 768, "width of the MLP");
    add(command, "--context", &ModelConfig::context, 1024, "largest context of the model");
    rope_ = command.add_option("--rope-theta", wanted_.rope.base, "base of the rotary positions (not of gpt2)")
                ->capture_default_str();
    others_.push_back(rope_);
    others_.push_back(command.add_flag_callback(
        "--untied-head", [this] { wanted_.ties_head = false; }, "a classifier of its own beside the embedding table"));
  }

  void exclude(CLI::Option* other) const {
    for (CLI::Option* option : others_) option->excludes(other);
    for (const Size& size : sizes_) size.option->excludes(other);
  }

  // Error if something was asked for that the family has otherwise.
  ModelConfig config() const {
    ModelConfig config = new_config(wanted_.family, wanted_);
    for (const auto& [option, member] : sizes_)
      require(option->empty() || config.*member == wanted_.*member, "[model] expected {} {} of the family {}, got {}",
              option->get_name(), config.*member, config.family, wanted_.*member);
    require(rope_->empty() || config.has_rope,
            "[model] expected no --rope-theta: the positions of the family {} are learned", config.family);
    return config;
  }

 private:
  struct Size {
    CLI::Option* option;
    int64_t ModelConfig::*member;
  };

  void add(CLI::App& command, const char* name, int64_t ModelConfig::*member, int64_t usual, const char* help) {
    wanted_.*member = usual;
    sizes_.push_back(
        {command.add_option(name, wanted_.*member, help)->check(at_least(1))->capture_default_str(), member});
  }

  ModelConfig wanted_;
  std::vector<Size> sizes_;
  std::vector<CLI::Option*> others_;
  CLI::Option* rope_ = nullptr;
};

}  // namespace

void add_init(CLI::App& app, const CommonOptions& common) {
  struct InitSettings {
    std::string tokenizer, out;
  };
  auto s = std::make_shared<InitSettings>();
  CLI::App* command = app.add_subcommand("init", "write a model with random weights, to be taught by other commands");
  command->add_option("--tokenizer", s->tokenizer, "folder, tokenizer.json, tokenizer.model or .tiktoken")->required();
  command->add_option("--out", s->out, "folder for the model")->required();
  command->option_defaults()->group("Model");
  const auto shape = std::make_shared<NewModelOptions>(*command);
  command->callback([=, &common] {
    require(!file_exists(s->out + "/config.json"), "[init] {} holds a model already; choose another --out", s->out);
    init_model(s->tokenizer, shape->config(), s->out, common);
    if (common.json) print_as_json(written_model(s->out));
  });
}

void add_tokenizer(CLI::App& app, const CommonOptions& common) {
  auto s = std::make_shared<TokenizerSettings>();
  CLI::App* command = app.add_subcommand("tokenizer", "train a byte-level BPE tokenizer on text");
  command->add_option("inputs", s->inputs, "files or folders: .txt .md .jsonl, also .gz .zst .xz")->required();
  command->add_option("--out", s->out, "folder for tokenizer.json")->required();
  command->add_option("--vocabulary", s->vocabulary, "entries, special tokens included")->capture_default_str();
  command
      ->add_option("--pattern", s->pattern,
                   "how text is split first: o200k, cl100k, llama3, qwen2, gpt2, or a regular expression")
      ->capture_default_str();
  command->add_option("--ranks", s->ranks, "write the entries to this .tiktoken file too (it holds no special tokens)");
  command->add_flag("--chats", s->chats, "JSONL of conversations, as `fude sft` reads them, in place of texts");
  add_documents(command, s->documents);
  command->callback([=, &common] {
    const Json made = train_tokenizer(*s, common.threads);
    if (common.json) print_as_json(made);
  });
}

void add_shards(CLI::App& app, const CommonOptions& common) {
  auto s = std::make_shared<ShardSettings>();
  CLI::App* command = app.add_subcommand("shards", "encode text into token shards; goes on where it was stopped");
  command->add_option("inputs", s->inputs, "files or folders: .txt .md .jsonl, also .gz .zst .xz")->required();
  command
      ->add_option("--tokenizer", s->tokenizer,
                   "folder, tokenizer.json, tokenizer.model, .tiktoken, or a model (GGUF file, name of fude pull)")
      ->required();
  command->add_option("--out", s->out, "folder for the shards")->required();
  command->add_option("--shard-tokens", s->shard_tokens, "a shard ends with the document that reaches this many")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_flag("--special-tokens", s->special_tokens,
                    "recognise special tokens in the text (only for text you trust)");
  add_documents(command, s->documents);
  command->callback([=, &common] {
    const Json made = make_shards(*s, common.threads);
    if (common.json) print_as_json(made);
  });
}

void add_train(CLI::App& app, const CommonOptions& common) {
  auto s = std::make_shared<TrainSettings>();
  auto schedule = std::make_shared<std::string>("cosine");
  s->schedule.steps = 1000, s->schedule.warmup_steps = 50;
  CLI::App* command = app.add_subcommand("train", "train a model on token shards; the same command resumes it");
  command->add_option("--out", s->out, "folder of the run")->required();
  command->option_defaults()->group("Text");
  command->add_option("--data", s->data, "shard folders")->required();
  command->add_option("--weights", s->weights, "shares of the data folders; without: by size");
  command->add_option("--validation", s->validation, "shard folders for validation, each as FOLDER or NAME=FOLDER");
  command
      ->add_option("--tokenizer", s->tokenizer,
                   "folder, tokenizer.json, tokenizer.model or .tiktoken; without: the model's")
      ->check(some_text());
  command->option_defaults()->group("Model");
  CLI::Option* model =
      command
          ->add_option("--model", s->model,
                       "model folder, GGUF file or name of fude pull to go on from; without: random weights of the "
                       "shape below")
          ->check(some_text());
  add_compute(*command, s->compute, "what matrices multiply in: f32, or bf16 (weights still trained in f32)");
  const auto shape = std::make_shared<NewModelOptions>(*command);
  shape->exclude(model);
  command->option_defaults()->group("Batch");
  command->add_option("--row-tokens", s->row_tokens, "tokens in a row (T)")->check(at_least(1))->capture_default_str();
  command->add_option("--rows", s->rows, "rows in a block")->check(at_least(1))->capture_default_str();
  command->add_option("--blocks", s->blocks, "blocks in a step (gradients are summed)")
      ->check(at_least(1))
      ->capture_default_str();
  command
      ->add_option("--gradient-slots", s->step.slots,
                   "power of two: groups of blocks whose sums meet in a pairwise tree, so "
                   "that as many workers may share a step and give the same bits")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_flag("--checkpoint-activations", s->step.checkpoint_blocks,
                    "keep less of the forward pass and run it again: less memory, a third more time, the same bits");
  command->add_flag("--concat", s->concat, "join documents into full rows, attention over the whole row");
  command->option_defaults()->group("Optimiser");
  command->add_option("--steps", s->schedule.steps, "steps")->check(at_least(1))->capture_default_str();
  command->add_option("--learning-rate", s->schedule.learning_rate, "highest learning rate")->capture_default_str();
  command->add_option("--schedule", *schedule, "constant, cosine, linear or wsd")->capture_default_str();
  CLI::Option* warmup = command->add_option("--warmup", s->schedule.warmup_steps, "warm-up steps; at most --steps")
                            ->capture_default_str();
  command->add_option("--final-fraction", s->schedule.final_fraction, "last learning rate as a share of the highest")
      ->capture_default_str();
  command->add_option("--decay-fraction", s->schedule.decay_fraction, "wsd: share of the steps that decay")
      ->capture_default_str();
  const auto add_number = [&](const char* name, auto& value, const char* help) {
    command->add_option(name, value, help)->check(number_at_least(0))->capture_default_str();
  };
  add_number("--weight-decay", s->optimizer.weight_decay, "decoupled, of matrices");
  add_number("--clip", s->optimizer.max_norm, "largest gradient norm; 0: off");
  add_number("--beta1", s->optimizer.beta1, "AdamW: how much of the mean of gradients a step keeps");
  add_number("--beta2", s->optimizer.beta2, "AdamW: how much of the mean of their squares a step keeps");
  add_number("--epsilon", s->optimizer.eps, "AdamW: what is added to the root of the mean square");
  command->add_flag("--muon", s->muon, "Muon for the matrices of the blocks");
  command->option_defaults()->group("Watching and saving");
  command->add_option("--validate-every", s->validate_every, "steps between validations; 0: at the end")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--validation-rows", s->validation_rows, "rows of each validation folder")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--save-every", s->save_every, "steps between checkpoints; 0: at the end")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--keep", s->keep, "newest checkpoints kept; 0: all")->check(at_least(0))->capture_default_str();
  command
      ->add_option("--export", s->export_to,
                   "folder: write weights, batches and rates of the run there instead of training, for another program "
                   "to repeat")
      ->check(some_text());
  command->add_option("--sample", s->sample_prompts, "prompts whose continuations go into the report");
  command->callback([=, &common] {
    if (s->model.empty()) s->shape = shape->config();
    s->schedule.kind = schedule_kind_of(*schedule);
    if (warmup->empty()) s->schedule.warmup_steps = std::min(s->schedule.warmup_steps, s->schedule.steps);
    train_model(*s, common);
  });
}

}  // namespace fude
