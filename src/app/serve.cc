// fude serve: a model behind OpenAI's API, and a page to talk with it.
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/model_files.h"
#include "app/signals.h"
#include "base/error.h"
#include "base/json.h"
#include "fetch/pull.h"
#include "infer/model_files.h"
#include "ops/kv_view.h"
#include "reason/scorer.h"
#include "serve/api.h"
#include "serve/http_server.h"

namespace fude {
namespace {

struct ServeOptions {
  std::string model = kDefaultModel, name, adapter, draft_model, scorer, key;
  bool is_insecure = false;
  int64_t body_kib = 1024;
  HttpOptions http{.port = 8080};
  EngineOptions engine{.cache_tokens = 0};
  Precision precision;
};

void run_serve(ServeOptions o, const CommonOptions& common) {
  if (o.key.empty())
    if (const char* key = std::getenv("FUDE_API_KEY")) o.key = key;
  const bool is_local = is_loopback(o.http.host);
  if (!is_local) require_address(o.http.host);
  if (!is_local && o.key.empty() && !o.is_insecure)
    throw UsageError(fmt::format("serve: {} can be reached by others: give an --api-key, or --insecure", o.http.host));
  Device device(common.threads);
  const LoadedModel loaded = load_for_use(device, find_model(o.model), o.precision);
  const auto draft_model = o.draft_model.empty() ? nullptr : load_model(device, find_model(o.draft_model), o.precision);
  require(o.draft_model.empty() || o.engine.drafts > 0,
          "[serve] a draft model needs --drafts, how many tokens to guess");
  o.engine.draft_model = draft_model.get();
  EngineThread engine(*loaded.model, default_kernels(), o.engine);
  ApiOptions api_options{.model = o.name.empty() ? name_of_model(o.model) : o.name, .key = o.key};
  api_options.is_local = is_local && o.key.empty();
  api_options.limits.body_bytes = o.http.body_bytes = uint64_t(o.body_kib) << 10;
  if (!o.adapter.empty()) engine.adapters().load(api_options.adapter = "given", o.adapter);
  // Its threads are its own: judging is short, and the engine's are seldom all at work.
  std::optional<Device> judge_device;
  std::optional<ScorerModel> scorer;
  std::optional<AnswerJudge> judge;
  if (!o.scorer.empty()) {
    scorer = load_scorer(judge_device.emplace(common.threads), o.scorer);
    require_can_judge(*scorer, *loaded.model, 0, engine.context(), "--context");
    api_options.judge = &judge.emplace(*scorer, default_kernels());
  }
  Api api(engine, loaded.tokenizer, api_options);
  if (!api.prompts().can_chat())
    std::fprintf(stderr, "fude: this model has no chat template, so it will refuse to chat\n");

  watch_interrupts();
  HttpServer server(api, o.http);
  const std::string url = "http://" + server.address();
  if (common.json)
    std::printf("%s\n", Json{{"url", url}, {"model", api_options.model}, {"context", engine.context()}}.dump().c_str());
  else
    std::printf("%s at %s/v1, with a page to talk at %s/ (Ctrl-C ends)\n", api_options.model.c_str(), url.c_str(),
                url.c_str());
  std::fflush(stdout);
  while (!interrupted) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  server.stop();
  interrupted = false;  // this is how a server ends: no failure
}

}  // namespace

void add_serve(CLI::App& app, const CommonOptions& common) {
  auto o = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "a model behind OpenAI's API, and a page to talk with it");
  command->footer("Ctrl-C and SIGTERM end the server in order, with 0.");
  command->add_option("model", o->model, kModelHelp)->capture_default_str();
  command->add_option("--name", o->name, "what clients call the model; without it, the name of its file or folder")
      ->check(some_text());
  command->option_defaults()->group("Network");
  command->add_option("--host", o->http.host, "address to listen at; 127.0.0.1: for this machine only")
      ->capture_default_str();
  command->add_option("--port", o->http.port, "0: any that is free, which is printed")
      ->check(between(0, 65535))
      ->capture_default_str();
  command
      ->add_option("--api-key", o->key,
                   "what clients have to send; better in FUDE_API_KEY, where no other user sees it")
      ->check(some_text());
  command->add_flag("--insecure", o->is_insecure, "let others in without a key");
  command->add_option("--connections", o->http.connections, "open at a time")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--body", o->body_kib, "longest request in KiB")->check(at_least(1))->capture_default_str();
  command->option_defaults()->group("Engine");
  add_adapter_option(*command, o->adapter);
  command->add_option("--scorer", o->scorer, "folder of `fude scorer`, for requests that choose by it")
      ->check(some_text());
  add_precision(*command, o->precision);
  add_kv(*command, o->engine.kv);
  command->add_option("--context", o->engine.context, "positions of a conversation; 0: the model's")
      ->check(at_least(0))
      ->capture_default_str();
  command
      ->add_option("--cache", o->engine.cache_tokens,
                   "positions kept, of all conversations; 0: as many as one may have")
      ->check(between(0, (int64_t(1) << 31) - kKeyPage))  // as pages of PagedKv
      ->capture_default_str();
  command->add_option("--batch", o->engine.batch, "answers that are made at a time")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--chunk", o->engine.chunk, "tokens of prompts in a step at most")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--queue", o->engine.queued_requests, "requests that may wait; more are told to come back")
      ->check(at_least(1))
      ->capture_default_str();
  command->add_option("--drafts", o->engine.drafts, "tokens to guess ahead; answers stay the same")
      ->check(at_least(0))
      ->capture_default_str();
  command
      ->add_option("--draft-model", o->draft_model,
                   "a smaller model with the same tokens that guesses; without it, what came before does")
      ->check(some_text());
  command->callback([=, &common] { run_serve(*o, common); });
}

}  // namespace fude
