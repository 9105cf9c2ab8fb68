// fude life: the whole line in miniature with no download. It writes a corpus about a small world, trains a tokenizer
// and a model on it, teaches the model by examples and then by its own tries, trains a judge of its answers, asks every
// generation the same questions that no training text asks, and ends in a chat. With a path it takes the user's own
// text instead: it learns to read, and there are no questions.
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "app/chat_shards.h"
#include "app/command_line.h"
#include "app/life_report.h"
#include "app/pipeline.h"
#include "app/rl.h"
#include "app/scorer.h"
#include "app/signals.h"
#include "app/training.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/statistics.h"
#include "model/load.h"
#include "posttrain/worked_answer.h"
#include "reason/scorer.h"
#include "tasks/life_corpus.h"
#include "tasks/registry.h"
#include "text/chat.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

struct LifeOptions {
  std::string text, out = "out/life";
  int64_t documents = 60000, steps = 1500, vocabulary = 2048;
  int64_t chats = 64000, tries = 300;  // that it is taught by, and steps of learning by its own
  int64_t questions = 280;             // about the world; as many problems at most
  bool chat = true;
};

constexpr DifficultyRange kProblems{2, 3};  // of mini-AIME, that it is taught and asked

// The small world as a task: its facts and sums.
struct WorldQuestions final : Task {
  WorldQuestions(const LifeCorpus& corpus, int64_t count) : questions(corpus.held_out(count)) {}
  std::string_view name() const override { return "world"; }
  Example practice(Random&, Language) const override { fail("[life] the world is not practised"); }
  int64_t held_out_count() const override { return int64_t(questions.size()); }
  Example held_out(int64_t index) const override { return {questions[size_t(index)], ""}; }

  std::vector<Question> questions;
};

// Conversations to be taught by: two problems for each fact or sum. Kept if they are there already.
void write_chats(const LifeCorpus& corpus, const Task& problems, uint64_t seed, int64_t count,
                 const std::string& path) {
  if (file_exists(path)) return;
  write_atomically(path, [&](const auto& put) {
    for (int64_t i = 0; i < count; ++i) {
      Json messages = Json::array();
      if (i % 3 != 0) {
        const Example example = practice_at(problems, seed, 0, uint64_t(i));
        messages.push_back({{"role", "user"}, {"content", example.question.prompt}});
        messages.push_back(worked_answer(example));
      } else {
        for (const Turn& turn : (i % 2 == 0 ? corpus.fact_chat(i) : corpus.sum_chat(i)).segments)
          messages.push_back({{"role", turn.role == Role::user ? "user" : "assistant"}, {"content", turn.text}});
      }
      put(Json({{"messages", messages}}).dump() + "\n");
    }
  });
}

// The corpus as JSONL: one object with its text a line. Kept if it is there already.
void write_corpus(const LifeCorpus& corpus, int64_t first, int64_t count, const std::string& path) {
  if (file_exists(path)) return;
  const ChatMarkers markers{kUser, kAssistant, kEnd};
  write_atomically(path, [&](const auto& put) {
    for (int64_t i = first; i < first + count; ++i)
      put(Json({{"text", corpus.document(i).render(markers)}}).dump() + "\n");
  });
}

class Life {
 public:
  Life(LifeOptions options, const CommonOptions& common)
      : o_(std::move(options)),
        common_(common),
        has_own_world_(o_.text.empty()),
        corpus_(common.seed),
        world_(corpus_, has_own_world_ ? o_.questions : 0),
        problems_(make_task("mini_aime", common.seed,
                            {.difficulties = kProblems, .held_out = std::max<int64_t>(1, o_.questions)})) {
    if (!has_own_world_) DocumentStream({o_.text});  // Error if it is not there
    make_directories(o_.out);
    stages_.json = false;
  }

  void run() {
    require_same_life();
    write_text();
    learn_tokens();
    if (!file_exists(newborn_ + "/tokenizer.json")) init_model(tokenizer_, shape(), newborn_, stages_);
    if (!read()) return;
    put({{"stage", "read"}, {"steps", o_.steps}, {"model", run_folder_ + "/model"}});
    if (!has_own_world_) return say("the report: {0}/report.html\ntalk with it: fude generate {0}/model", run_folder_);
    if (!learn_by_examples()) return;
    put({{"stage", "taught"}, {"examples", o_.chats}, {"model", taught_ + "/model"}});
    if (!learn_by_tries()) return;
    put({{"stage", "tried"}, {"steps", o_.tries}, {"model", grown_}});
    if (!raise_a_judge()) return;
    put({{"stage", "judge"}, {"scorer", judge_ + "/scorer"}});
    if (o_.questions > 0 && !ask_every_generation()) return;
    say("the report: {0}/report.html\ntalk with it: fude chat {1}\non a page: fude serve {1} --scorer {2}/scorer",
        o_.out, grown_, judge_);
    if (o_.chat && !common_.json && ::isatty(STDIN_FILENO) != 0) {
      say("8. a chat (Ctrl-D ends it)");
      chat_with(grown_, common_);
    }
  }

 private:
  // What earlier runs left in the folder is kept, so it has to be what this command would make.
  void require_same_life() const {
    Json settings = {{"vocabulary", o_.vocabulary}};
    if (has_own_world_)
      settings.update({{"seed", common_.seed}, {"documents", o_.documents}, {"chats", o_.chats}});
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
      say("1. your text: {}", text_);
      put({{"stage", "text"}, {"path", text_}});
      return;
    }
    say("1. a small world: {} documents in English and Japanese", o_.documents);
    write_corpus(corpus_, 0, o_.documents, text_);
    write_corpus(corpus_, o_.documents, 500, held_out_text_);
    write_chats(corpus_, *problems_, common_.seed, o_.chats, chats_);
    say("   {}", corpus_.document(0).render({}));
    put({{"stage", "text"}, {"path", text_}, {"documents", o_.documents}});
  }

  void learn_tokens() {
    say("2. a tokenizer of {} entries", o_.vocabulary);
    if (!file_exists(tokenizer_ + "/tokenizer.json"))
      train_tokenizer({.inputs = {text_}, .out = tokenizer_, .vocabulary = o_.vocabulary, .pattern = "qwen2"},
                      common_.threads);
    make_shards({.inputs = {text_}, .tokenizer = tokenizer_, .out = shards_, .special_tokens = has_own_world_},
                common_.threads);
    if (has_own_world_)
      make_shards({.inputs = {held_out_text_}, .tokenizer = tokenizer_, .out = validation_, .special_tokens = true},
                  common_.threads);
    put({{"stage", "tokenizer"}, {"path", tokenizer_}, {"vocabulary", o_.vocabulary}});
  }

  static ModelConfig shape() {
    ModelConfig shape;
    shape.width = 160, shape.layers = 4, shape.heads = 5, shape.kv_heads = 5, shape.head_size = 32,
    shape.feed_forward = 448;
    shape.context = 512;
    return shape;
  }

  int64_t steps_of_a_generation() const { return (o_.steps + 3) / 4; }

  bool read() const {
    say("3. a model learns to read ({} steps)", o_.steps);
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
    return train_model(s, stages_);
  }

  bool learn_by_examples() const {
    say("4. it learns to answer, and to think before it does, by {} examples", o_.chats);
    const Chat chat(Tokenizer::load(run_folder_ + "/model"));
    TrainSettings s;
    s.model = run_folder_ + "/model", s.out = taught_, s.row_tokens = 256, s.rows = 10;
    const ChatShards made =
        make_chat_shards(chat, {.inputs = {chats_}, .out = taught_ + "/chats", .row_tokens = s.row_tokens});
    s.data = {taught_ + "/chats"}, s.chats = made.made_with;
    const int64_t steps = (made.tokens + made.conversations) / (s.rows * s.row_tokens) + 1;
    s.schedule = {.learning_rate = 2e-3, .steps = steps, .warmup_steps = steps / 20, .final_fraction = 0.05};
    s.optimizer.weight_decay = 0;
    s.validate_every = s.save_every = std::max<int64_t>(1, steps / 2);
    return train_model(s, stages_);
  }

  bool learn_by_tries() const {
    say("5. it tries problems of mini-AIME itself; what it is told is whether the answer was right ({} steps)",
        o_.tries);
    RlSettings s;
    s.model = taught_ + "/model", s.out = tried_, s.task = {"mini_aime", kProblems};
    s.grpo.questions = 16, s.grpo.answers = 16, s.grpo.max_tokens = kLongest;
    s.schedule.steps = o_.tries, s.schedule.learning_rate = 1e-4;
    s.schedule.warmup_steps = std::min<int64_t>(5, o_.tries);
    s.save_every = s.validate_every = std::max<int64_t>(1, o_.tries / 2);
    s.held_out = std::min<int64_t>(100, o_.questions);
    return train_by_answers(s, stages_);
  }

  bool raise_a_judge() const {
    say("6. a judge learns which of its answers are right");
    ScorerSettings s;
    s.model = grown_, s.out = judge_, s.task = {"mini_aime", kProblems};
    s.ask.questions = std::max<int64_t>(16, 4 * o_.tries), s.ask.answers = 8, s.ask.max_tokens = kLongest;
    s.learning_rate = 3e-4, s.step_tokens = 4096, s.epochs = 2, s.held_out = 0;
    return train_scorer(s, stages_);
  }

  // Every generation the same questions; the last one also many times, for a vote and for the judge.
  bool ask_every_generation() const {
    say("7. every generation answers the same questions, none of which it was taught");
    std::vector<std::pair<std::string, std::string>> generations = {{"untrained", newborn_}};
    for (int64_t step = steps_of_a_generation(); step < o_.steps; step += steps_of_a_generation())
      generations.push_back(
          {fmt::format("read {} steps", step), fmt::format("{}/checkpoint-{:08}", run_folder_, step)});
    generations.push_back({"read to the end", run_folder_ + "/model"});
    generations.push_back({"taught", taught_ + "/model"});
    generations.push_back({"tried", grown_});
    LifeReport report{o_.out, {}, {}};
    for (const auto& [name, folder] : generations) {
      Device device(common_.threads);
      const auto model = load_model(device, folder);
      const Chat chat(Tokenizer::load(folder));
      Engine engine(*model, default_kernels(), {.cache_tokens = 64 * model->config().context, .step_seconds = 0});
      const auto asked = [&](const Task& task, int64_t answers) {
        return evaluate_task(engine, chat, task,
                             {.questions = o_.questions,
                              .answers = answers,
                              .max_tokens = kLongest,
                              .temperature = answers > 1 ? 1.0 : 0.0,
                              .seed = common_.seed});
      };
      LifeGeneration generation{name, asked(world_, 1), asked(*problems_, 1)};
      const TaskScore facts = score_of(generation.world), sums = score_of(generation.problems);
      say("   {:<16} facts and sums {:5.1f} % ({:.0f} to {:.0f})   problems {:5.1f} % ({:.0f} to {:.0f})", name,
          100 * facts.accuracy.value, 100 * facts.accuracy.interval.low, 100 * facts.accuracy.interval.high,
          100 * sums.accuracy.value, 100 * sums.accuracy.interval.low, 100 * sums.accuracy.interval.high);
      put({{"generation", name},
           {"model", folder},
           {"facts_and_sums", json_of(facts.accuracy)},
           {"problems", json_of(sums.accuracy)}});
      report.generations.push_back(std::move(generation));
      if (name != generations.back().first) continue;
      report.tries = asked(*problems_, kTries);
      score_answers(load_scorer(device, judge_ + "/scorer"), default_kernels(), report.tries);
    }
    for (const auto& [name, estimate, is_difference] : ways_to_choose(report.tries)) {
      say("   {:<38} problems {:5.1f} % ({:.0f} to {:.0f})", name, 100 * estimate.value, 100 * estimate.interval.low,
          100 * estimate.interval.high);
      put({{"way", name}, {"problems", json_of(estimate)}});
    }
    write_life_report(report);
    return true;
  }

  static Json json_of(const Estimate& e) {
    return {{"value", e.value}, {"low", e.interval.low}, {"high", e.interval.high}, {"questions", e.count}};
  }

  // For people; with --json standard output is for `put` alone.
  template <class... Arguments>
  void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    std::FILE* out = common_.json ? stderr : stdout;
    std::fprintf(out, "%s\n", fmt::format(format, std::forward<Arguments>(arguments)...).c_str());
    std::fflush(out);
  }

  // The same for programs.
  void put(const Json& result) const {
    if (common_.json) print_as_json(result);
  }

  static constexpr int64_t kLongest = 160, kTries = 16;  // tokens of an answer; answers to choose from

  const LifeOptions o_;
  const CommonOptions& common_;
  CommonOptions stages_ = common_;  // of the commands within, whose lines are not this one's
  const bool has_own_world_;        // its own text, with questions about it
  const LifeCorpus corpus_;
  const WorldQuestions world_;
  const std::unique_ptr<Task> problems_;
  const std::string text_ = has_own_world_ ? o_.out + "/corpus.jsonl" : o_.text,
                    held_out_text_ = o_.out + "/held-out.jsonl", chats_ = o_.out + "/chats.jsonl";
  const std::string tokenizer_ = o_.out + "/tokenizer", shards_ = o_.out + "/shards",
                    validation_ = o_.out + "/validation";
  const std::string run_folder_ = o_.out + "/run", newborn_ = run_folder_ + "/untrained", taught_ = o_.out + "/taught",
                    tried_ = o_.out + "/tried", judge_ = o_.out + "/judge", grown_ = tried_ + "/model";
};

}  // namespace

void add_life(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<LifeOptions>();
  CLI::App* command = app.add_subcommand(
      "life", "the whole line in miniature: corpus, tokenizer, training, examples, tries, questions, chat");
  command->add_option(
      "text", options->text,
      "your own text (a file or a folder) instead of the small world: a tokenizer and a model that reads it, "
      "without the later stages");
  command->add_option("--out", options->out, "folder of this life; the same command goes on where it was stopped")
      ->capture_default_str();
  command->add_option("--documents", options->documents, "documents of the small world")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--steps", options->steps, "training steps")->check(at_least(1))->capture_default_str();
  command->add_option("--chats", options->chats, "conversations that it is taught by")
      ->check(at_least(3))
      ->capture_default_str();
  command->add_option("--tries", options->tries, "steps of learning by its own answers")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--questions", options->questions, "held-out questions; 0: none")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--vocabulary", options->vocabulary, "entries of the tokenizer")->capture_default_str();
  command->add_flag_callback(
      "--no-chat", [options] { options->chat = false; }, "do not end in a chat (which a terminal gets)");
  command->callback([=, &common] { Life(*options, common).run(); });
}

}  // namespace fude
