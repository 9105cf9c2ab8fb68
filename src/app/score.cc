// fude score, fude perplexity: what a model thinks of a given text.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/model_files.h"
#include "app/pipeline.h"
#include "app/signals.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/nearest.h"
#include "base/progress.h"
#include "fetch/pull.h"
#include "infer/model_files.h"
#include "infer/score.h"
#include "text/tokenizer_file.h"
#include "text/unicode.h"

namespace fude {
namespace {

constexpr int64_t kUsualContext = 512;  // as in llama.cpp

struct ScoreOptions {
  std::string model, adapter, text, in;
  int64_t context = 0;  // 0: the usual one, or the model's if that is less
  Precision precision;
  DType kv = DType::f32;
  bool logprobs = false, lines = false;
  int64_t top = 0;
};

std::string given_text(const ScoreOptions& o) {
  if (!o.text.empty()) return o.text;
  if (!o.in.empty() && o.in != "-") return read_file(o.in, uint64_t(1) << 32);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

// Tokenizers may lack bytes that are no part of UTF-8: those would vanish, and yet count.
std::string text_to_score(const ScoreOptions& o) {
  std::string text = given_text(o);
  const size_t valid = valid_prefix(text);
  const std::string where = !o.text.empty() ? "--text" : !o.in.empty() ? o.in : "standard input";
  require(valid == text.size(), "[score] {}:{}: invalid UTF-8: at byte {} of the text", where,
          1 + std::count(text.begin(), text.begin() + std::ptrdiff_t(valid), '\n'), valid);
  return text;
}

void require_known(const Json& object, const std::vector<std::string>& known) {
  for (const auto& [key, value] : object.items())
    require(std::find(known.begin(), known.end(), key) != known.end(), "unknown key '{}'{}", key,
            did_you_mean(key, known));
}

// A line of --lines: {"text"}, {"prompt", "text"}, of which the tokens behind those of the prompt alone are scored, or
// {"tokens", "from"}.
ScoredPassage passage_of(const Tokenizer& tokenizer, const ModelConfig& config, const std::string& line) {
  const Json json = parse_json(line, "line");
  require(json.is_object(), "expected a JSON object");
  if (const auto tokens = json.find("tokens"); tokens != json.end()) {
    require_known(json, {"tokens", "from"});
    require(tokens->is_array(), "expected a list of tokens");
    ScoredPassage passage{{}, json_integer(json, "from", "line", 1)};
    for (const Json& token : *tokens) {
      const int64_t id = token.is_number_integer() ? token.get<int64_t>() : -1;
      require(id >= 0 && id < config.vocabulary, "expected tokens from 0 to {}, got {}", config.vocabulary - 1,
              token.dump());
      passage.tokens.push_back(int32_t(id));
    }
    return passage;
  }
  require_known(json, {"prompt", "text"});
  const std::string prompt = json_string(json, "prompt", "line", ""), text = json_string(json, "text", "line");
  return {sequence_of(tokenizer, prompt + text), std::max<int64_t>(1, int64_t(sequence_of(tokenizer, prompt).size()))};
}

Json facts_of(const std::vector<PromptToken>& scored, const ScoreOptions& o) {
  double total = 0;
  Json logprobs = Json::array(), top = Json::array();
  for (const PromptToken& token : scored) {
    total += double(token.logprob);
    logprobs.push_back(token.logprob);
    Json& likely = top.emplace_back(Json::array());
    for (const TokenLogprob& other : token.top) likely.push_back({other.token, other.logprob});
  }
  Json facts = {{"logprob", total}, {"tokens", scored.size()}};
  if (o.logprobs) facts["logprobs"] = logprobs;
  if (o.top > 0) facts["top"] = top;
  return facts;
}

void run_score_lines(const ScoreOptions& o, const CommonOptions& common) {
  Device device(common.threads);
  const auto [tokenizer, model] = load_for_use(device, find_model(o.model), o.precision);
  std::vector<ScoredPassage> passages;
  std::istringstream lines(text_to_score(o));
  int64_t number = 1;
  for (std::string line; std::getline(lines, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      passages.push_back(passage_of(tokenizer, model->config(), line));
      passages.back().top = o.top;
    } catch (const std::exception& error) {
      fail("[score] line {}: expected {{\"text\"}}, {{\"prompt\", \"text\"}} or {{\"tokens\", \"from\"}}: {}", number,
           error.what());
    }
    check(passages.back(), model->config().context, fmt::format("[score] line {}:", number));
  }
  std::vector<std::optional<Json>> found(passages.size());
  Progress progress = progress_on_stderr();
  ProgressState state{.label = "score", .total = int64_t(passages.size()), .unit = "lines"};
  const double began = now_seconds();
  watch_interrupts();
  size_t printed = 0;
  score(
      *model, default_kernels(), passages,
      [&](size_t index, const std::vector<PromptToken>& scored) {
        found[index] = facts_of(scored, o);
        for (; printed < found.size() && found[printed]; ++printed)
          print_as_json(*std::exchange(found[printed], Json()));
        state.done += 1, state.seconds = now_seconds() - began;
        progress.update(state, now_seconds());
        return !interrupted;
      },
      load_adapter_if_given(*model, o.adapter), o.kv);
  progress.finish(state);
}

void run_score(const ScoreOptions& o, const CommonOptions& common) {
  if (o.lines) return run_score_lines(o, common);
  Device device(common.threads);
  const auto [tokenizer, model] = load_for_use(device, find_model(o.model), o.precision);
  const std::string text = text_to_score(o);
  const std::vector<TokenId> tokens = sequence_of(tokenizer, text);
  const std::vector<float> scores =
      score(*model, default_kernels(), tokens, load_adapter_if_given(*model, o.adapter), o.kv);
  double total = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    total += double(scores[i]);
    if (!o.logprobs) continue;
    Json line = token_facts(tokenizer, tokens[i + 1]);
    line["logprob"] = scores[i];
    print_as_json(line);
  }
  // Without the first token, which is not scored.
  const int64_t bytes =
      int64_t(text.size()) - (tokenizer.data().prepends_begin ? 0 : int64_t(tokenizer.bytes_of(tokens.front()).size()));
  const Json facts = {{"tokens", scores.size()},
                      {"logprob", total},
                      {"perplexity", std::exp(-total / double(scores.size()))},
                      {"bits_per_byte", -total / std::log(2.0) / double(std::max<int64_t>(1, bytes))}};
  if (common.json || o.logprobs)
    print_as_json(facts);
  else
    std::printf("%zu tokens after the first  log-probability %.4f  perplexity %.4f  %.4f bits per byte\n",
                scores.size(), total, facts["perplexity"].get<double>(), facts["bits_per_byte"].get<double>());
}

void run_perplexity(const ScoreOptions& o, const CommonOptions& common) {
  Device device(common.threads);
  const auto [tokenizer, model] = load_for_use(device, find_model(o.model), o.precision);
  const std::vector<TokenId> tokens = sequence_of(tokenizer, text_to_score(o));
  const int64_t context = o.context > 0 ? o.context : std::min(kUsualContext, model->config().context);
  Progress progress = progress_on_stderr();
  ProgressState state{.label = "perplexity", .total = int64_t(tokens.size()) / context, .unit = "windows"};
  const double began = now_seconds();
  watch_interrupts();
  const Perplexity result = perplexity(
      *model, default_kernels(), tokens, context, tokenizer.data().prepends_begin ? tokenizer.data().begin_token : -1,
      [&](const Perplexity& p) {
        state.done = p.windows, state.seconds = now_seconds() - began;
        state.note = fmt::format("perplexity {:.4f}", p.value());
        progress.update(state, now_seconds());
        return !interrupted;
      },
      load_adapter_if_given(*model, o.adapter), o.kv);
  progress.finish(state);
  if (common.json)
    print_as_json({{"perplexity", result.value()},
                   {"standard_error", result.standard_error()},
                   {"windows", result.windows},
                   {"context", context},
                   {"scored_tokens", result.scored},
                   {"seconds", now_seconds() - began}});
  else
    std::printf("perplexity %.4f ± %.4f  (%lld windows of %lld tokens, %lld scored)\n", result.value(),
                result.standard_error(), (long long)result.windows, (long long)context, (long long)result.scored);
}

void add_scoring(CLI::App* command, ScoreOptions& o) {
  command->add_option("--in", o.in, "file of text; without it, or with -, standard input")->check(some_text());
  add_adapter_option(*command, o.adapter);
  add_precision(*command, o.precision);
  add_kv(*command, o.kv);
}

}  // namespace

void add_score(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<ScoreOptions>();
  CLI::App* command = app.add_subcommand("score", "log-probabilities of a given text");
  command->add_option("model", options->model, kModelHelp)->required();
  add_scoring(command, *options);
  command->add_option("--text", options->text, "the text itself")->check(some_text())->excludes("--in");
  command->add_flag("--logprobs", options->logprobs,
                    "print each token with its bytes and log-probability, as JSON, then the whole");
  CLI::Option* lines = command->add_flag(
      "--lines", options->lines,
      "each line of the input is JSON and scored for itself, many at a time: {\"text\"}; {\"prompt\", \"text\"}, "
      "of which only the text counts; or {\"tokens\", \"from\"}. Prints {\"logprob\", \"tokens\"} for each, with "
      "--logprobs also those of its tokens");
  command->add_option("--top", options->top, "with --lines: the most likely tokens beside each, [[token, logprob], …]")
      ->needs(lines);
  command->callback([=, &common] { run_score(*options, common); });
}

void add_perplexity(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<ScoreOptions>();
  CLI::App* command = app.add_subcommand("perplexity", "perplexity of a text, counted as llama.cpp does");
  options->model = kDefaultModel;
  command->add_option("model", options->model, kModelHelp)->capture_default_str();
  add_scoring(command, *options);
  command
      ->add_option(
          "--context", options->context,
          fmt::format("tokens of a window, of which the second half is scored; without it {}, or the model's if that "
                      "is less",
                      kUsualContext))
      ->check(at_least(4));
  command->callback([=, &common] { run_perplexity(*options, common); });
}

}  // namespace fude
