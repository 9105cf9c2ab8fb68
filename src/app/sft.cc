// fude sft: a model learns from conversations, as text, by all of its weights or by an adapter.
#include <cstdio>

#include "app/chat_shards.h"
#include "app/command_line.h"
#include "app/commands.h"
#include "app/lora_options.h"
#include "app/model_files.h"
#include "app/run_view.h"
#include "app/trained_weights.h"
#include "app/training.h"
#include "base/error.h"
#include "fetch/pull.h"
#include "infer/model_files.h"

namespace fude {
namespace {

struct SftSettings {
  ChatShardSettings chats;
  std::vector<std::string> roles = {"assistant"};
  std::string held_out;
  TrainSettings train;
  LoraChoice lora;
  double epochs = 2, learning_rate = 0;
};

void run_sft(SftSettings s, const CommonOptions& common) {
  TrainSettings& train = s.train;
  // What can be wrong with the command is said before the shards are made.
  train.lora = s.lora.options(common.seed), train.frozen = s.lora.precision();
  require_elsewhere(train.model, train.lora, train.out);
  precision_of_run(train.lora, train.frozen, train.compute);
  const Chat chat = [&] {
    const ModelFiles files = open_model(find_model(train.model));
    require_row_fits(train.row_tokens, files.weights->config());
    return Chat(files.tokenizer);
  }();
  make_directories(train.out);
  train.lock = std::make_shared<FolderLock>(train.out);
  require(train.lock->is_held(), "[sft] another process is training into {}", train.out);
  s.chats.row_tokens = train.row_tokens, s.chats.out = train.out + "/chats";
  s.chats.replaces_others = checkpoints_in(train.out).empty();  // nothing was learned from what is there
  s.chats.example.learned_roles = {s.roles.begin(), s.roles.end()};
  const ChatShards made = make_chat_shards(chat, s.chats);
  train.data = {s.chats.out}, train.chats = made.made_with;
  if (!s.held_out.empty()) {
    ChatShardSettings held_out = s.chats;
    held_out.inputs = {s.held_out}, held_out.out = train.out + "/held-out";
    make_chat_shards(chat, held_out);
    train.validation = {"held-out=" + held_out.out};
  }
  if (train.schedule.steps == 0) {
    const double tokens = double(made.tokens + made.conversations) * s.epochs;
    train.schedule.steps = whole_steps(tokens / double(train.rows * train.blocks * train.row_tokens));
  }
  train.schedule.learning_rate = s.learning_rate > 0 ? s.learning_rate : train.lora ? 2e-4 : 2e-5;
  train.schedule.warmup_steps = std::min<int64_t>(train.schedule.steps / 10, 50);
  train_model(train, common);
}

}  // namespace

void add_sft(CLI::App& app, const CommonOptions& common) {
  auto s = std::make_shared<SftSettings>();
  TrainSettings& train = s->train;
  train.schedule = {.learning_rate = 2e-5, .steps = 0, .warmup_steps = 0, .final_fraction = 0};
  train.optimizer.weight_decay = 0, train.optimizer.beta2 = 0.999f;
  train.row_tokens = 1024, train.rows = 4;
  CLI::App* command =
      app.add_subcommand("sft", "teach a model by conversations (supervised fine-tuning); the same command resumes it");
  command->add_option("model", train.model, kModelHelp)->required();
  command->add_option("--out", train.out, "folder of the run")->required();
  command->option_defaults()->group("Conversations");
  command
      ->add_option("--data", s->chats.inputs,
                   "JSONL, also .gz .zst .xz: {\"messages\": […]}, {\"prompt\": …, \"completion\": …} or "
                   "{\"conversations\": […]} a line")
      ->required();
  command->add_option("--held-out", s->held_out, "conversations that the loss is measured on, not learned")
      ->check(some_text());
  command->add_option("--learn", s->roles, "roles whose turns are learned")
      ->check(CLI::IsMember({"assistant", "user", "system", "developer", "tool"}))
      ->default_str("assistant");
  command->add_flag_callback(
      "--no-thoughts", [s] { s->chats.example.with_thoughts = false; }, "leave the assistant's thoughts out");
  command->add_flag_callback(
      "--skip-bad", [s] { s->chats.documents.on_bad_input = OnBadInput::skip; },
      "skip and count lines that are not JSON instead of stopping");
  command->option_defaults()->group("Training");
  command->add_option("--epochs", s->epochs, "times that the conversations are read")
      ->check(number_at_least(0) & CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--steps", train.schedule.steps, "steps, instead of epochs");
  command->add_option("--learning-rate", s->learning_rate, "highest learning rate; 0: 2e-5, or 2e-4 of an adapter")
      ->check(number_at_least(0))
      ->capture_default_str();
  command->add_option("--row-tokens", train.row_tokens, "tokens in a row; conversations are packed into rows")
      ->check(at_least(2))
      ->capture_default_str();
  command->add_option("--rows", train.rows, "rows in a block")->check(at_least(1))->capture_default_str();
  command->add_option("--blocks", train.blocks, "blocks in a step (gradients are summed)")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--weight-decay", train.optimizer.weight_decay, "decoupled, of matrices")
      ->check(number_at_least(0))
      ->capture_default_str();
  command->add_option("--clip", train.optimizer.max_norm, "largest gradient norm; 0: off")
      ->check(number_at_least(0))
      ->capture_default_str();
  add_compute(*command, train.compute, "what matrices multiply in: f32, or bf16 (weights still trained in f32)");
  command->add_flag("--checkpoint-activations", train.step.checkpoint_blocks,
                    "keep less of the forward pass and run it again: less memory, a third more time, the same bits");
  add_lora(*command, s->lora);
  command->option_defaults()->group("Watching and saving");
  command->add_option("--validate-every", train.validate_every, "steps between validations; 0: at the end")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--save-every", train.save_every, "steps between checkpoints; 0: at the end")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--keep", train.keep, "newest checkpoints kept; 0: all")
      ->check(at_least(0))
      ->capture_default_str();
  command->callback([=, &common] { run_sft(*s, common); });
}

}  // namespace fude
