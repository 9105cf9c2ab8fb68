// fude ask: one question, answered many times; the answer is chosen by a vote or by a scorer.
#include <cstdio>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/model_files.h"
#include "app/pipeline.h"
#include "app/signals.h"
#include "app/task_options.h"
#include "base/error.h"
#include "base/json.h"
#include "fetch/pull.h"
#include "infer/model_files.h"
#include "reason/choose.h"

namespace fude {
namespace {

struct AskSettings {
  std::string model, adapter, question, scorer, by = "vote";
  ChooseOptions choose;
  std::optional<bool> enable_thinking;
  Precision precision;
  int64_t batch = 64;
};

void run_ask(AskSettings s, const CommonOptions& common) {
  Device device(common.threads);
  const LoadedModel loaded = load_for_use(device, find_model(s.model), s.precision);
  const Chat chat(loaded.tokenizer);
  const std::vector<TokenId> prompt = chat.question(s.question, s.enable_thinking);
  Engine engine(*loaded.model, default_kernels(),
                sampling_engine(loaded.model->config(), s.batch, s.choose.max_tokens, int64_t(prompt.size()) + 64));
  if (!s.adapter.empty()) engine.adapters().load(s.choose.adapter = "given", s.adapter);
  std::optional<ScorerModel> scorer;
  if (!s.scorer.empty()) {
    s.choose.scorer = &scorer.emplace(load_scorer(device, s.scorer));
    require_can_judge(*scorer, *loaded.model, int64_t(prompt.size()), s.choose.max_tokens, "--max-tokens");
  }
  s.choose.by = choose_by_of(s.by);
  s.choose.sampling.seed = common.seed, s.choose.cancel = &interrupted;
  watch_interrupts();
  const ChosenAnswer chosen = choose_answer(engine, default_kernels(), chat, prompt, s.choose);
  const size_t ended = chosen.texts.size();
  const bool is_stopped = interrupted && chosen.cancelled > 0;
  if (is_stopped && ended > 0)
    std::fprintf(stderr, "fude: stopped; chosen among the %zu of %lld answers that came to their end\n", ended,
                 (long long)s.choose.answers);
  else if (is_stopped)
    std::fprintf(stderr, "fude: stopped before any answer came to its end\n");
  if (common.json) {
    Json ranking = Json::array();
    for (const Vote::Answer& answer : chosen.ranking)
      ranking.push_back({{"answer", answer.key}, {"count", answer.count}, {"weight", answer.weight}});
    print_as_json({{"text", chosen.text},
                   {"ranking", ranking},
                   {"ended", chosen.texts.size()},
                   {"truncated", chosen.truncated},
                   {"cancelled", chosen.cancelled},
                   {"tokens", chosen.tokens}});
  }
  require(ended > 0 || is_stopped, "[ask] no answer came to its end within {} tokens; try --max-tokens",
          s.choose.max_tokens);
  if (common.json) return;
  if (ended > 0) std::printf("%s\n", chosen.text.c_str());
  for (size_t i = 0; i < std::min<size_t>(5, chosen.ranking.size()); ++i)
    std::fprintf(stderr, "%5lld of %zu answer %s (weight %.2f)\n", (long long)chosen.ranking[i].count, ended,
                 chosen.ranking[i].key.c_str(), chosen.ranking[i].weight);
  if (chosen.cancelled > 0 && !is_stopped)
    std::fprintf(stderr, "%lld more were not needed: the vote was decided\n", (long long)chosen.cancelled);
}

}  // namespace

void add_ask(CLI::App& app, const CommonOptions& common) {
  auto s = std::make_shared<AskSettings>();
  CLI::App* command =
      app.add_subcommand("ask", "one question, answered many times: the answer of a vote, or the best by a scorer");
  command->add_option("model", s->model, kModelHelp)->required();
  command->add_option("question", s->question, "the question")->required()->check(some_text());
  command->add_option("--answers", s->choose.answers, "answers to choose from")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--by", s->by, "vote, best (by the scorer) or weighted (a vote that it weighs)")
      ->check(CLI::IsMember({"vote", "best", "weighted"}))
      ->capture_default_str();
  command->add_option("--scorer", s->scorer, "folder of `fude scorer`")->check(some_text());
  add_adapter_option(*command, s->adapter);
  command->add_option("--max-tokens", s->choose.max_tokens, "longest answer, thoughts included")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--temperature", s->choose.sampling.temperature, "of sampling")
      ->check(number_between(0, 100))
      ->capture_default_str();
  command->add_option("--thinking", s->enable_thinking, "say to the chat template whether to think (true, false)");
  add_thinking_budget(*command, s->choose.budget);
  command->add_flag_callback(
      "--all", [s] { s->choose.stops_early = false; }, "do not stop when the vote is decided");
  command->add_option("--batch", s->batch, "answers that run at a time")->check(at_least(1))->capture_default_str();
  add_precision(*command, s->precision);
  command->callback([=, &common] { run_ask(*s, common); });
}

}  // namespace fude
