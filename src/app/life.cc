// fude life: the whole line in miniature with no download. It writes a corpus about a small world, trains a tokenizer
// and a model on it, keeps several generations of the model, asks each the same questions that no training text asks,
// and ends in a chat. With a path it takes the user's own text instead, and there are no questions.
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "app/command_line.h"
#include "app/pipeline.h"
#include "app/signals.h"
#include "app/training.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/statistics.h"
#include "infer/answer.h"
#include "model/folder.h"
#include "model/load.h"
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
int64_t count_right(const std::string& folder, const std::vector<Question>& questions, int threads,
                    std::string& shown) {
  Device device(threads);
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const auto model = load_model(device, folder);
  const ChatFormat format(tokenizer);
  Engine engine(*model, default_kernels());
  Request request{.sampling = {.temperature = 0}, .max_tokens = 80, .stop_tokens = format.stops()};
  int64_t right = 0;
  for (const Question& question : questions) {
    if (interrupted) break;
    request.prompt = format.user_turn(question.prompt);
    const Answer reply = answer(engine, tokenizer, request, {}, {}, &interrupted);
    if (&question == &questions.front()) shown = reply.text;
    right += verify(question, reply.text) ? 1 : 0;
  }
  return right;
}

class Life {
 public:
  Life(LifeOptions options, const CommonOptions& common)
      : o_(std::move(options)),
        common_(common),
        has_own_world_(o_.text.empty()),
        corpus_(common.seed),
        questions_(has_own_world_ ? corpus_.held_out(o_.questions) : std::vector<Question>()) {
    make_directories(o_.out);
  }

  void run() {
    require_same_life();
    write_text();
    learn_tokens();
    write_newborn();
    if (!train()) return;
    if (!questions_.empty() && !ask_every_generation()) return;
    std::printf("the report: %s/report.html\ntalk with it: fude %s %s\n", run_folder_.c_str(),
                has_own_world_ ? "chat" : "generate", grown_.c_str());
    std::fflush(stdout);
    if (has_own_world_ && o_.chat && ::isatty(STDIN_FILENO) != 0) {
      std::printf("5. a chat (Ctrl-D ends it)\n");
      chat_with(grown_, common_);
    }
  }

 private:
  // What earlier runs left in the folder is kept, so it has to be what this command would make.
  void require_same_life() const {
    Json settings = {{"vocabulary", o_.vocabulary}};
    if (has_own_world_)
      settings.update({{"seed", common_.seed}, {"documents", o_.documents}});
    else
      settings["text"] = o_.text;
    const std::string path = o_.out + "/life.json";
    if (!file_exists(path)) return write_file(path, settings.dump(1) + "\n");
    const Json earlier = parse_json(read_file(path), path);
    require(earlier == settings,
            "[life] {} was begun with {}, now it is {}: choose another --out folder, or the old settings", o_.out,
            earlier.dump(), settings.dump());
  }

  void write_text() {
    if (!has_own_world_) {
      std::printf("1. your text: %s\n", text_.c_str());
      return;
    }
    std::printf("1. a small world: %lld documents in English and Japanese\n", (long long)o_.documents);
    write_corpus(corpus_, 0, o_.documents, text_);
    write_corpus(corpus_, o_.documents, 500, held_out_text_);
    std::printf("   %s\n", corpus_.document(0).render({}).c_str());
  }

  void learn_tokens() {
    std::printf("2. a tokenizer of %lld entries\n", (long long)o_.vocabulary);
    std::fflush(stdout);
    if (!file_exists(tokenizer_ + "/tokenizer.json"))
      train_tokenizer({.inputs = {text_}, .out = tokenizer_, .vocabulary = o_.vocabulary, .pattern = "qwen2"},
                      common_.threads);
    make_shards({.inputs = {text_}, .tokenizer = tokenizer_, .out = shards_, .special_tokens = has_own_world_});
    if (has_own_world_)
      make_shards({.inputs = {held_out_text_}, .tokenizer = tokenizer_, .out = validation_, .special_tokens = true});
  }

  static ModelConfig shape() {
    ModelConfig shape;
    shape.width = 160, shape.layers = 4, shape.heads = 5, shape.kv_heads = 5, shape.head_size = 32,
    shape.feed_forward = 448;
    shape.context = 512;
    return shape;
  }

  // The model before its first step, the first generation.
  void write_newborn() const {
    if (file_exists(newborn_ + "/tokenizer.json")) return;
    const Tokenizer tokenizer = Tokenizer::load(tokenizer_);
    ModelConfig config = shape();
    config.vocabulary = tokenizer.vocabulary_size();
    Device device(common_.threads);
    Transformer model(device, config);
    model.initialise(common_.seed);
    save_model(model, newborn_);
    save_tokenizer(newborn_, tokenizer.data(), kEndOfText, chat_template());
  }

  int64_t steps_of_a_generation() const { return (o_.steps + 3) / 4; }

  bool train() const {
    std::printf("3. a model learns to read (%lld steps)\n", (long long)o_.steps);
    std::fflush(stdout);
    TrainSettings s;
    s.data = {shards_}, s.tokenizer = tokenizer_, s.out = run_folder_;
    if (has_own_world_) s.validation = {validation_};
    s.shape = shape();
    s.row_tokens = 256, s.rows = 10;
    s.schedule = {.learning_rate = 4e-3,
                  .steps = o_.steps,
                  .warmup_steps = std::min<int64_t>(40, o_.steps),
                  .final_fraction = 0.05};
    s.save_every = s.validate_every = steps_of_a_generation();
    s.keep = 0;
    if (has_own_world_)
      s.sample_prompts = {"<|user|>What is 27 + 15?<|end|><|assistant|>", "Alice lives in"};
    else
      s.sample_prompts = {"The "};
    return train_model(s, common_);
  }

  bool ask_every_generation() const {
    std::printf("4. every generation answers the same %zu questions, none of which is asked in the corpus\n",
                questions_.size());
    std::printf("   for example: %s\n", questions_.front().prompt.c_str());
    std::vector<std::pair<std::string, std::string>> generations = {{"untrained", newborn_}};
    for (int64_t step = steps_of_a_generation(); step < o_.steps; step += steps_of_a_generation())
      generations.push_back({"step " + std::to_string(step), fmt::format("{}/checkpoint-{:08}", run_folder_, step)});
    generations.push_back({"step " + std::to_string(o_.steps), grown_});
    for (const auto& [name, folder] : generations) {
      std::string shown;
      const int64_t right = count_right(folder, questions_, common_.threads, shown);
      if (interrupted) return false;
      const Interval interval = wilson_interval(right, int64_t(questions_.size()));
      std::printf("   %-10s %4lld right, %5.1f %% (95 %%: %.1f to %.1f)   %s\n", name.c_str(), (long long)right,
                  100.0 * double(right) / double(questions_.size()), 100 * interval.low, 100 * interval.high,
                  shown.substr(0, shown.find('\n')).c_str());
      std::fflush(stdout);
    }
    return true;
  }

  const LifeOptions o_;
  const CommonOptions& common_;
  const bool has_own_world_;  // its own text, with questions about it
  const LifeCorpus corpus_;
  const std::vector<Question> questions_;
  const std::string text_ = has_own_world_ ? o_.out + "/corpus.jsonl" : o_.text,
                    held_out_text_ = o_.out + "/held-out.jsonl";
  const std::string tokenizer_ = o_.out + "/tokenizer", shards_ = o_.out + "/shards",
                    validation_ = o_.out + "/validation";
  const std::string run_folder_ = o_.out + "/run", newborn_ = run_folder_ + "/untrained",
                    grown_ = run_folder_ + "/model";
};

}  // namespace

void add_life(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<LifeOptions>();
  CLI::App* command =
      app.add_subcommand("life", "the whole line in miniature: corpus, tokenizer, training, questions, chat");
  command->add_option("text", options->text, "your own text (files or folder) instead of the small world");
  command->add_option("--out", options->out, "folder of this life; the same command goes on where it was stopped")
      ->capture_default_str();
  command->add_option("--documents", options->documents, "documents of the small world")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--steps", options->steps, "training steps")->check(at_least(1))->capture_default_str();
  command->add_option("--questions", options->questions, "held-out questions; 0: none")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--vocabulary", options->vocabulary, "entries of the tokenizer")->capture_default_str();
  command->add_flag_callback(
      "--no-chat", [options] { options->chat = false; }, "do not end in a chat (which a terminal gets)");
  command->callback([=, &common] { Life(*options, common).run(); });
}

}  // namespace fude
