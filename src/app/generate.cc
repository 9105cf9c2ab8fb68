// fude generate, fude chat: a model in the terminal, streaming.
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "app/commands.h"
#include "app/conversation.h"
#include "app/signals.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "model/folder.h"

namespace fude {
namespace {

struct GenerateOptions {
  std::string model, prompt;
  GenerationOptions generation;
  std::vector<std::string> stops;
  int64_t context = 0;
  DType compute = DType::f32;
  bool drop_oldest = false, logprobs = false;
};

void add_shared(CLI::App* command, GenerateOptions& o) {
  command->add_option("model", o.model, "model folder (Hugging Face layout)")->required();
  SamplingOptions& s = o.generation.sampling;
  command->add_option("--max-tokens", o.generation.max_tokens, "longest answer")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--temperature", s.temperature, "0: always the most likely token")->capture_default_str();
  command->add_option("--top-k", s.top_k, "draw from the k most likely; 0: all")->capture_default_str();
  command->add_option("--top-p", s.top_p, "draw from the fewest that reach this probability")->capture_default_str();
  command->add_option("--min-p", s.min_p, "least share of the most likely token's probability")->capture_default_str();
  command->add_option("--repetition-penalty", s.repetition_penalty, "weakens every token seen; 1: off")->capture_default_str();
  command->add_option("--presence-penalty", s.presence_penalty, "weakens tokens already in the answer")->capture_default_str();
  command->add_option("--frequency-penalty", s.frequency_penalty, "the same, for each time")->capture_default_str();
  command->add_option("--stop", o.stops, "text that ends the answer (may be given again)");
  add_compute(*command, o.compute, "what matrices multiply in: f32, or bf16 (half the memory)");
  command->add_option("--context", o.context, "positions kept; 0: the model's")->capture_default_str();
}

// Stops like the end of text, when the tokenizer has it.
void add_end_of_text(const Tokenizer& tokenizer, std::vector<TokenId>& stops) {
  if (const auto id = tokenizer.find_special(kEndOfText)) stops.push_back(*id);
}

void print_now(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void run_generate(GenerateOptions o, const CommonOptions& common) {
  Device device(common.threads);
  const Tokenizer tokenizer = Tokenizer::load(o.model);
  const auto model = load_model(device, o.model, {o.compute, /*keeps_master=*/false});
  o.generation.sampling.seed = common.seed;
  add_end_of_text(tokenizer, o.generation.stop_tokens);
  if (o.prompt.empty()) o.prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
  std::vector<TokenId> prompt = tokenizer.encode(o.prompt);
  if (prompt.empty()) {
    const auto start = tokenizer.find_special(kEndOfText);
    require(start.has_value(), "[generate] expected a prompt");
    prompt = {*start};
  }
  Generator generator(*model, default_kernels(), o.context);
  watch_interrupts();
  if (o.logprobs || common.json) {
    std::vector<TokenId> tokens;
    const FinishReason reason = generator.generate(prompt, o.generation, [&](const SampledToken& token) {
      tokens.push_back(token.token);
      if (o.logprobs)
        print_now(Json({{"token", token.token},
                        {"text", tokenizer.decode({&token.token, 1})},
                        {"logprob", token.logprob},
                        {"sampled_logprob", token.sampled_logprob}})
                      .dump(-1, ' ', false, Json::error_handler_t::replace) +
                  "\n");
      return true;
    }, &interrupted);
    print_now(Json({{"text", tokenizer.decode(tokens)}, {"tokens", tokens.size()}, {"finish_reason", name_of(reason)}})
                  .dump(-1, ' ', false, Json::error_handler_t::replace) +
              "\n");
    return;
  }
  const Answer result = answer(generator, tokenizer, prompt, o.generation, o.stops, print_now);
  print_now("\n");
  if (result.reason == FinishReason::context) std::fprintf(stderr, "fude: stopped at the end of the context\n");
}

void run_chat(GenerateOptions o, const CommonOptions& common) {
  Device device(common.threads);
  const Tokenizer tokenizer = Tokenizer::load(o.model);
  const auto model = load_model(device, o.model, {o.compute, /*keeps_master=*/false});
  const ChatFormat format(tokenizer);
  o.generation.sampling.seed = common.seed;
  o.generation.stop_tokens = format.stops();
  Generator generator(*model, default_kernels(), o.context);
  const bool is_terminal = ::isatty(STDIN_FILENO) != 0;
  if (is_terminal) std::printf("Ask anything; Ctrl-C stops an answer, Ctrl-D ends the chat.\n");
  std::vector<std::vector<TokenId>> turns;
  std::string line;
  for (;;) {
    if (is_terminal) print_now("> ");
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    turns.push_back(format.user_turn(line));
    const auto total = [&] {
      size_t size = 0;
      for (const auto& turn : turns) size += turn.size();
      return int64_t(size);
    };
    // Half of what is left is kept for the answer.
    const int64_t room = generator.context() - std::min(o.generation.max_tokens, generator.context() / 2);
    if (o.drop_oldest)
      while (turns.size() > 1 && total() > room) turns.erase(turns.begin());
    if (total() >= generator.context()) {
      std::fprintf(stderr, "fude: the conversation has filled the context of %lld tokens; begin again, or use --drop-oldest\n",
                   static_cast<long long>(generator.context()));
      turns.pop_back();
      if (!is_terminal) return;
      continue;
    }
    std::vector<TokenId> prompt;
    for (const auto& turn : turns) prompt.insert(prompt.end(), turn.begin(), turn.end());
    watch_interrupts();
    const Answer reply = answer(generator, tokenizer, prompt, o.generation, o.stops, print_now);
    print_now("\n");
    if (reply.reason == FinishReason::context) std::fprintf(stderr, "fude: stopped at the end of the context\n");
    turns.back().insert(turns.back().end(), reply.tokens.begin(), reply.tokens.end());
    turns.back().push_back(format.end());
  }
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
  add_shared(command, *options);
  command->add_option("--prompt", options->prompt, "the text to continue; without it, standard input");
  command->add_flag("--logprobs", options->logprobs, "print each token with its log-probabilities, as JSON");
  command->callback([=, &common] { run_generate(*options, common); });
}

void add_chat(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = app.add_subcommand("chat", "talk with a model; from a pipe it answers each line");
  add_shared(command, *options);
  command->add_flag("--drop-oldest", options->drop_oldest, "at the end of the context drop the oldest turns");
  command->callback([=, &common] { run_chat(*options, common); });
}

}  // namespace fude
