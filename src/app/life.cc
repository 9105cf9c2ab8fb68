// fude life: the whole line in miniature with no download. It writes a corpus about a small world, trains a tokenizer and
// a model on it, keeps several generations of the model, asks each the same questions that no training text asks, and
// ends in a chat. With a path it takes the user's own text instead, and there are no questions.
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "app/pipeline.h"
#include "app/signals.h"
#include "app/training.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/statistics.h"
#include "infer/answer.h"
#include "model/folder.h"
#include "tasks/life_corpus.h"
#include "text/chat_format.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

struct LifeOptions {
  std::string text, out = "out/life";
  int64_t documents = 60000, steps = 1500, questions = 280, vocabulary = 2048;
  bool chat = true;
};

// The corpus as JSONL: one object with its text a line. Kept if it is there already.
void write_corpus(const LifeCorpus& corpus, int64_t first, int64_t count, const std::string& path) {
  if (file_exists(path)) return;
  const ChatMarkers markers{kUser, kAssistant, kEnd};
  write_atomically(path, [&](const auto& put) {
    for (int64_t i = first; i < first + count; ++i)
      put(Json({{"text", corpus.document(i).render(markers)}}).dump() + "\n");
  });
}

// Right answers of the model in a folder, greedy; the first answer is shown.
int64_t count_right(const std::string& folder, const std::vector<Question>& questions, int threads, std::string& shown) {
  Device device(threads);
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const auto model = load_model(device, folder);
  const ChatFormat format(tokenizer);
  Generator generator(*model, default_kernels());
  GenerationOptions options{.sampling = {.temperature = 0}, .max_tokens = 80, .stop_tokens = format.stops()};
  int64_t right = 0;
  for (const Question& question : questions) {
    if (interrupted) break;
    const Answer reply = answer(generator, tokenizer, format.user_turn(question.prompt), options, {}, {}, &interrupted);
    if (&question == &questions.front()) shown = reply.text;
    right += verify(question, reply.text) ? 1 : 0;
  }
  return right;
}

void run_life(LifeOptions o, const CommonOptions& common) {
  make_directories(o.out);
  const LifeCorpus corpus(common.seed);
  const bool own_world = o.text.empty();
  std::string input = o.text, held_out_text;
  if (own_world) {
    input = o.out + "/corpus.jsonl", held_out_text = o.out + "/held-out.jsonl";
    std::printf("1. a small world: %lld documents in English and Japanese\n", (long long)o.documents);
    write_corpus(corpus, 0, o.documents, input);
    write_corpus(corpus, o.documents, 500, held_out_text);
    std::printf("   %s\n", corpus.document(0).render({}).c_str());
  } else {
    std::printf("1. your text: %s\n", input.c_str());
  }
  std::printf("2. a tokenizer of %lld entries\n", (long long)o.vocabulary);
  std::fflush(stdout);
  const std::string tokenizer = o.out + "/tokenizer";
  if (!file_exists(tokenizer + "/tokenizer.json"))
    train_tokenizer({.inputs = {input}, .out = tokenizer, .vocabulary = o.vocabulary, .pattern = "qwen2"}, common.threads);
  make_shards({.inputs = {input}, .tokenizer = tokenizer, .out = o.out + "/shards", .special_tokens = own_world});
  if (own_world)
    make_shards({.inputs = {held_out_text}, .tokenizer = tokenizer, .out = o.out + "/validation", .special_tokens = true});

  TrainSettings train;
  train.data = {o.out + "/shards"};
  if (own_world) train.validation = {o.out + "/validation"};
  train.tokenizer = tokenizer, train.out = o.out + "/run";
  ModelConfig& shape = train.shape;
  shape.width = 160, shape.layers = 4, shape.heads = 5, shape.kv_heads = 5, shape.head_size = 32, shape.feed_forward = 448;
  shape.context = 512;
  train.row_tokens = 256, train.rows = 10;
  train.schedule = {.learning_rate = 4e-3, .steps = o.steps, .warmup_steps = std::min<int64_t>(40, o.steps), .final_fraction = 0.05};
  train.save_every = train.validate_every = (o.steps + 3) / 4;
  train.keep = 0;
  train.sample_prompts = own_world ? std::vector<std::string>{"<|user|>What is 27 + 15?<|end|><|assistant|>", "Alice lives in"}
                                   : std::vector<std::string>{"The "};
  const std::string newborn = o.out + "/run/untrained";
  if (!file_exists(newborn + "/tokenizer.json")) {
    Device device(common.threads);
    ModelConfig config = shape;
    const Tokenizer made = Tokenizer::load(tokenizer);
    config.vocabulary = made.vocabulary_size();
    Transformer model(device, config);
    model.initialise(common.seed);
    save_model(model, newborn);
    save_tokenizer(newborn, made.data(), kEndOfText, chat_template());
  }
  std::printf("3. a model learns to read (%lld steps)\n", (long long)o.steps);
  std::fflush(stdout);
  if (!train_model(train, common)) return;

  if (own_world && o.questions > 0) {
    const std::vector<Question> questions = corpus.held_out(o.questions);
    std::printf("4. every generation answers the same %zu questions, none of which is asked in the corpus\n", questions.size());
    std::printf("   for example: %s\n", questions.front().prompt.c_str());
    std::vector<std::pair<std::string, std::string>> generations = {{"untrained", newborn}};
    for (int64_t step = train.save_every; step < o.steps; step += train.save_every)
      generations.push_back({"step " + std::to_string(step), fmt::format("{}/run/checkpoint-{:08}", o.out, step)});
    generations.push_back({"step " + std::to_string(o.steps), train.out + "/model"});
    for (const auto& [name, folder] : generations) {
      std::string shown;
      const int64_t right = count_right(folder, questions, common.threads, shown);
      if (interrupted) return;
      const Interval interval = wilson_interval(right, int64_t(questions.size()));
      std::printf("   %-10s %4lld right, %5.1f %% (95 %%: %.1f to %.1f)   %s\n", name.c_str(), (long long)right,
                  100.0 * double(right) / double(questions.size()), 100 * interval.low, 100 * interval.high,
                  shown.substr(0, shown.find('\n')).c_str());
      std::fflush(stdout);
    }
  }
  std::printf("the report: %s/run/report.html\ntalk with it: fude %s %s/run/model\n", o.out.c_str(), own_world ? "chat" : "generate",
              o.out.c_str());
  std::fflush(stdout);
  if (own_world && o.chat && ::isatty(STDIN_FILENO) != 0) {
    std::printf("5. a chat (Ctrl-D ends it)\n");
    chat_with(o.out + "/run/model", common);
  }
}

}  // namespace

void add_life(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<LifeOptions>();
  CLI::App* command = app.add_subcommand("life", "the whole line in miniature: corpus, tokenizer, training, questions, chat");
  command->add_option("text", options->text, "your own text (files or folder) instead of the small world");
  command->add_option("--out", options->out, "folder of this life; the same command goes on where it was stopped")->capture_default_str();
  command->add_option("--documents", options->documents, "documents of the small world")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--steps", options->steps, "training steps")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--questions", options->questions, "held-out questions; 0: none")->check(CLI::NonNegativeNumber)->capture_default_str();
  command->add_option("--vocabulary", options->vocabulary, "entries of the tokenizer")->capture_default_str();
  command->add_flag("--chat,!--no-chat", options->chat, "end in a chat when at a terminal");
  command->callback([=, &common] { run_life(*options, common); });
}

}  // namespace fude
