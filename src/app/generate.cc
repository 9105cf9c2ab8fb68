// fude generate, fude chat: a model in the terminal, streaming.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/line_input.h"
#include "app/model_files.h"
#include "app/pipeline.h"
#include "app/signals.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "fetch/pull.h"
#include "infer/answer.h"
#include "infer/grammar/constraint.h"
#include "infer/grammar/gbnf.h"
#include "infer/grammar/json_schema.h"
#include "infer/grammar/regex.h"
#include "infer/model_files.h"
#include "text/chat.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

struct GenerateOptions {
  std::string model, adapter, prompt, draft_model, system;
  Request request;
  std::vector<std::string> stops;
  std::string json_schema, regex, grammar;  // at most one
  int64_t context = 0, drafts = 0;
  Precision precision;
  DType kv = DType::f32;
  bool drop_oldest = false, logprobs = false;
};

void add_shared(CLI::App* command, GenerateOptions& o) {
  add_adapter_option(*command, o.adapter);
  add_precision(*command, o.precision);
  command->add_option("--context", o.context, "positions kept; 0: the model's")
      ->check(at_least(0))
      ->capture_default_str();
  add_kv(*command, o.kv);
  command->add_option("--drafts", o.drafts, "tokens to guess ahead; the answer stays the same")
      ->check(at_least(0))
      ->capture_default_str();
  command
      ->add_option("--draft-model", o.draft_model,
                   "a smaller model with the same tokens that guesses; without it, what came before does")
      ->check(some_text());
  command->option_defaults()->group("Answer");
  command->add_option("--max-tokens", o.request.max_tokens, "longest answer")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--stop", o.stops, "text that ends the answer (may be given again)")->check(some_text());
  CLI::Option* schema = command
                            ->add_option("--json-schema", o.json_schema,
                                         "the answer is JSON as this schema (a file, or its text) says; {}: any JSON")
                            ->check(some_text());
  CLI::Option* regex = command->add_option("--regex", o.regex, "the answer matches this, as a whole")
                           ->check(some_text())
                           ->excludes(schema);
  command->add_option("--grammar", o.grammar, "the answer follows this, in llama.cpp's GBNF (a file, or its text)")
      ->check(some_text())
      ->excludes(schema)
      ->excludes(regex);
  command->add_flag("--logprobs", o.logprobs,
                    "print each token with its bytes and log-probabilities, as JSON, then the answer");
  command->option_defaults()->group("Sampling");
  SamplingOptions& s = o.request.sampling;  // in the ranges of its check()
  command->add_option("--temperature", s.temperature, "0: always the most likely token")
      ->check(number_between(0, 100))
      ->capture_default_str();
  command->add_option("--top-k", s.top_k, "draw from the k most likely; 0: all")
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option("--top-p", s.top_p, "draw from the fewest that reach this probability")
      ->check(number_between(0, 1))
      ->capture_default_str();
  command->add_option("--min-p", s.min_p, "least share of the most likely token's probability")
      ->check(number_between(0, 1))
      ->capture_default_str();
  command->add_option("--repetition-penalty", s.repetition_penalty, "weakens every token seen; 1: off")
      ->check(number_between(0.01, 100))
      ->capture_default_str();
  command->add_option("--presence-penalty", s.presence_penalty, "weakens tokens already in the answer")
      ->check(number_between(-100, 100))
      ->capture_default_str();
  command->add_option("--frequency-penalty", s.frequency_penalty, "the same, for each time")
      ->check(number_between(-100, 100))
      ->capture_default_str();
  command->option_defaults()->group("Options");
  command->footer(
      "An answer held to --json-schema, --regex or --grammar that is cut off, by --max-tokens or the end of the\n"
      "context, is an error (exit code 1); a chat on a terminal says so and goes on.");
}

// A model with its tokenizer, the small one that guesses for it, if there is one, and their engine. The request names
// the adapter, if there is one.
class Speaker {
 public:
  Speaker(Device& device, GenerateOptions& o)
      : loaded_(load_for_use(device, find_model(o.model), o.precision)),
        draft_model_(o.draft_model.empty() ? nullptr : load_model(device, find_model(o.draft_model), o.precision)),
        engine_(*loaded_.model, default_kernels(),
                {.context = o.context, .kv = o.kv, .drafts = o.drafts, .draft_model = draft_model_.get()}) {
    require(o.draft_model.empty() || o.drafts > 0, "[generate] a draft model needs --drafts, how many tokens to guess");
    if (o.adapter.empty()) return;
    o.request.adapter = "given";
    engine_.adapters().load(o.request.adapter, o.adapter);
  }
  const Tokenizer& tokenizer() const { return loaded_.tokenizer; }
  Engine& engine() { return engine_; }

 private:
  LoadedModel loaded_;
  std::unique_ptr<Transformer> draft_model_;
  Engine engine_;
};

// Stops like the end of text, when the tokenizer has it, and what ends a turn.
void add_ends(const Tokenizer& tokenizer, std::vector<TokenId>& stops) {
  if (const auto id = tokenizer.find_special(kEndOfText)) stops.push_back(*id);
  const std::vector<TokenId>& ends = tokenizer.data().end_tokens;
  stops.insert(stops.end(), ends.begin(), ends.end());
}

// A schema is an object, true or false; whatever else is given was meant as the name of a file.
std::string schema_of(const std::string& given) {
  if (file_exists(given)) return read_file(given);
  const size_t begin = given.find_first_not_of(" \t\r\n"), end = given.find_last_not_of(" \t\r\n");
  std::string text = begin == std::string::npos ? "" : given.substr(begin, end + 1 - begin);
  require(text.starts_with('{') || text == "true" || text == "false",
          "[generate] --json-schema: there is no file {}, and the text of a schema begins with {{", given);
  return text;
}

// Every rule has a "::="; whatever else is given was meant as the name of a file.
std::string grammar_of(const std::string& given) {
  return given.find("::=") != std::string::npos && !file_exists(given) ? given : read_file(given);
}

// Needs the request's stop tokens.
void constrain(GenerateOptions& o, const Tokenizer& tokenizer) {
  if (o.json_schema.empty() && o.regex.empty() && o.grammar.empty()) return;
  const auto compiled = [&] {
    if (!o.regex.empty()) return grammar::regex_grammar(o.regex);
    if (!o.grammar.empty()) return grammar::gbnf_grammar(grammar_of(o.grammar));
    return grammar::json_schema_grammar(std::string_view(schema_of(o.json_schema)));
  };
  auto vocabulary = std::make_shared<const grammar::GrammarVocabulary>(tokenizer, o.request.stop_tokens);
  o.request.mask = Constraint(compiled(), std::move(vocabulary)).masks();
}

void print_now(const std::string& text, std::FILE* file = stdout) {
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

bool is_answered_in_json(const GenerateOptions& o, const CommonOptions& common) { return common.json || o.logprobs; }

// One answer on standard output, as it comes: text, or lines of JSON (each token if asked for, then the whole).
Answer speak(Engine& engine, const Tokenizer& tokenizer, const std::vector<TokenId>& prompt, const GenerateOptions& o,
             const CommonOptions& common) {
  const bool is_json = is_answered_in_json(o, common);
  AnswerEvents events;
  if (o.logprobs)
    events.token = [&](const SampledToken& token) {
      Json line = token_facts(tokenizer, token.token);
      line["logprob"] = token.logprob, line["sampled_logprob"] = token.sampled_logprob;
      print_as_json(line);
    };
  if (!is_json) events.text = [](const std::string& text) { print_now(text); };
  Request request = o.request;
  request.prompt = prompt;
  Answer result = answer(engine, tokenizer, std::move(request), events, o.stops, &interrupted);
  if (is_json)
    print_as_json({{"text", result.text}, {"tokens", result.tokens.size()}, {"finish_reason", name_of(result.reason)}});
  else
    print_now("\n");
  return result;
}

// Whether the grammar leaves an answer nothing more to say: it was cut off where it would have ended.
bool is_over(const Answer& reply, const GenerateOptions& o, const Tokenizer& tokenizer) {
  const auto mask = o.request.mask(0);
  for (const TokenId token : reply.tokens) mask->accept(token);
  std::vector<float> logits_V(size_t(tokenizer.vocabulary_size()));
  mask->apply(logits_V);
  for (const TokenId end : o.request.stop_tokens) logits_V.at(size_t(end)) = -INFINITY;
  return std::ranges::none_of(logits_V, [](float logit) { return std::isfinite(logit); });
}

// Says that an answer was cut off; an Error where it is held to a grammar, of which it is then half a sentence: a
// script would take it for the whole. Only who sits at a terminal goes on. One of --max-tokens is as long as it was
// asked to be, but on a screen half an answer looks as if it were all.
void report_cut(const Answer& reply, const GenerateOptions& o, const Tokenizer& tokenizer, bool is_terminal) {
  const bool is_constrained = bool(o.request.mask);
  std::string cut;
  if (reply.reason == FinishReason::context) cut = "stopped at the end of the context";
  if (reply.reason == FinishReason::length && (is_constrained || is_terminal))
    cut = fmt::format("stopped after {} tokens; --max-tokens takes more", o.request.max_tokens);
  if (cut.empty() || (is_constrained && is_over(reply, o, tokenizer))) return;
  if (is_constrained) cut = "the answer is not complete: " + cut;
  require(!is_constrained || is_terminal, "{}", cut);
  std::fprintf(stderr, "fude: %s\n", cut.c_str());
}

void run_generate(GenerateOptions o, const CommonOptions& common) {
  Device device(common.threads);
  Speaker speaker(device, o);
  const Tokenizer& tokenizer = speaker.tokenizer();
  o.request.sampling.seed = common.seed;
  add_ends(tokenizer, o.request.stop_tokens);
  constrain(o, tokenizer);
  if (o.prompt.empty()) o.prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
  std::vector<TokenId> prompt = sequence_of(tokenizer, o.prompt);
  if (prompt.empty()) {
    const auto start = tokenizer.find_special(kEndOfText);
    require(start.has_value(), "[generate] expected a prompt");
    prompt = {*start};
  }
  watch_interrupts();
  const Answer result = speak(speaker.engine(), tokenizer, prompt, o, common);
  report_cut(result, o, tokenizer, /*is_terminal=*/false);
}

// The turns of a chat: what the user said and the model answered, oldest first.
class Turns {
 public:
  virtual ~Turns() = default;
  virtual void ask(const std::string& text) = 0;
  virtual void take_back() = 0;
  virtual void answered(const Answer& answer) = 0;
  virtual size_t count() const = 0;
  virtual void drop_oldest() = 0;
  // All of them, up to where the model speaks.
  virtual std::vector<TokenId> tokens() const = 0;

  // Drops the oldest turns, never the newest, until the rest has at most so many tokens.
  void shrink_to(int64_t room) {
    while (count() > 1 && int64_t(tokens().size()) > room) drop_oldest();
  }
};

// In the format of Fude's own models, as the tokens that were sampled.
class OwnTurns : public Turns {
 public:
  OwnTurns(const Tokenizer& tokenizer, const std::string& system) : format_(tokenizer) {
    if (!system.empty())
      system_ = tokenizer.encode(std::vector<TextPiece>{{kSystem, true}, {system, false}, {kEnd, true}});
  }
  void ask(const std::string& text) override { turns_.push_back(format_.user_turn(text)); }
  void take_back() override { turns_.pop_back(); }
  void answered(const Answer& answer) override {
    turns_.back().insert(turns_.back().end(), answer.tokens.begin(), answer.tokens.end());
    turns_.back().push_back(format_.end());
  }
  size_t count() const override { return turns_.size(); }
  void drop_oldest() override { turns_.erase(turns_.begin()); }
  std::vector<TokenId> tokens() const override {
    std::vector<TokenId> all = system_;
    for (const auto& turn : turns_) all.insert(all.end(), turn.begin(), turn.end());
    return all;
  }

 private:
  ChatFormat format_;
  std::vector<TokenId> system_;
  std::vector<std::vector<TokenId>> turns_;
};

// As the model's chat template has it.
class TemplateTurns : public Turns {
 public:
  TemplateTurns(const Chat& chat, const std::string& system) : chat_(chat) {
    if (!system.empty()) messages_.push_back({{"role", "system"}, {"content", system}});
    first_ = messages_.size();
  }
  void ask(const std::string& text) override { messages_.push_back({{"role", "user"}, {"content", text}}); }
  void take_back() override { messages_.erase(messages_.size() - 1); }
  void answered(const Answer& answer) override {
    messages_.push_back({{"role", "assistant"}, {"content", answer.text}});
  }
  size_t count() const override { return (messages_.size() - first_ + 1) / 2; }
  void drop_oldest() override { messages_.erase(first_), messages_.erase(first_); }
  std::vector<TokenId> tokens() const override { return chat_.tokens(messages_); }

 private:
  const Chat& chat_;
  Json messages_ = Json::array();
  size_t first_ = 0;  // behind the system prompt
};

// The system prompt, if there is one, stands before all turns.
std::unique_ptr<Turns> turns_of(const Chat& chat, const std::string& system) {
  if (!chat.can_chat() || chat.source() == chat_template()) return std::make_unique<OwnTurns>(chat.tokenizer(), system);
  return std::make_unique<TemplateTurns>(chat, system);
}

// The first word of a line such as "/bye", which is for the chat and not for the model; empty: there is none. A path
// has more slashes.
std::string command_in(const std::string& line) {
  const std::string word = line.starts_with('/') ? line.substr(0, line.find(' ')) : "";
  return word.rfind('/') == 0 ? word : "";
}

void run_chat(GenerateOptions o, const CommonOptions& common) {
  Device device(common.threads);
  Speaker speaker(device, o);
  const Tokenizer& tokenizer = speaker.tokenizer();
  Engine& engine = speaker.engine();
  const Chat chat(tokenizer);
  const std::unique_ptr<Turns> turns = turns_of(chat, o.system);
  o.request.sampling.seed = common.seed;
  o.request.stop_tokens = chat.stops();
  constrain(o, tokenizer);
  // Where answers are JSON, nothing else is on standard output.
  std::FILE* const screen = is_answered_in_json(o, common) ? stderr : stdout;
  LineInput input("> ", screen);
  const bool is_terminal = input.is_terminal();
  if (is_terminal) print_now("Ask anything; Ctrl-C stops an answer, Ctrl-D ends the chat.\n", screen);
  while (const std::optional<std::string> line = input.next()) {
    if (line->empty()) continue;
    if (const std::string command = is_terminal ? command_in(*line) : ""; !command.empty()) {
      if (command == "/bye" || command == "/exit" || command == "/quit") return;
      print_now(
          "Ctrl-C stops an answer, Ctrl-D ends the chat, and so does /bye; a message may begin with / behind a "
          "blank.\n",
          screen);
      continue;
    }
    turns->ask(*line);
    // Half of the context at most is kept for the answer.
    if (o.drop_oldest) turns->shrink_to(engine.context() - std::min(o.request.max_tokens, engine.context() / 2));
    const std::vector<TokenId> prompt = turns->tokens();
    if (int64_t(prompt.size()) >= engine.context()) {
      const std::string what =
          turns->count() == 1
              ? fmt::format("[chat] this message alone has {} tokens{}, and the context {}", prompt.size(),
                            o.system.empty() ? "" : " with the system prompt", engine.context())
              : fmt::format(
                    "[chat] the conversation has filled the context of {} tokens; begin again, or use --drop-oldest",
                    engine.context());
      require(is_terminal, "{}", what);
      std::fprintf(stderr, "fude: %s\n", what.c_str());
      turns->take_back();
      continue;
    }
    watch_interrupts();
    const Answer reply = speak(engine, tokenizer, prompt, o, common);
    report_cut(reply, o, tokenizer, is_terminal);
    turns->answered(reply);
    end_at_interrupts();  // between answers they end the chat
    if (interrupted && (!is_terminal || interrupted_by == SIGTERM)) return;
    interrupted = false;  // this answer alone
  }
  if (is_terminal) print_now("\n", screen);
}

}  // namespace

void chat_with(const std::string& folder, const CommonOptions& common) {
  GenerateOptions options;
  options.model = folder;
  run_chat(options, common);
}

void add_generate(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = app.add_subcommand("generate", "continue a text");
  command->add_option("model", options->model, kModelHelp)->required();
  add_shared(command, *options);
  command->add_option("--prompt", options->prompt, "the text to continue; without it, standard input")
      ->check(some_text());
  command->callback([=, &common] { run_generate(*options, common); });
}

void add_chat(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = app.add_subcommand("chat", "talk with a model; from a pipe it answers each line");
  options->model = kDefaultModel;
  command->add_option("model", options->model, kModelHelp)->capture_default_str();
  add_shared(command, *options);
  command->add_option("--system", options->system, "what the model is told before the first turn")->check(some_text());
  command->add_flag("--drop-oldest", options->drop_oldest,
                    "at the end of the context drop the oldest turns; what --system says stays");
  command->callback([=, &common] { run_chat(*options, common); });
}

}  // namespace fude
