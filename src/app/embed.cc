// fude embed: texts as vectors, a line each.
//
// Lines are read some at a time and run together; what stands beside a text changes no bit of its vector.
#include <cstdio>
#include <fstream>
#include <iostream>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/model_files.h"
#include "app/signals.h"
#include "base/error.h"
#include "base/json.h"
#include "fetch/pull.h"
#include "infer/embed.h"
#include "infer/model_files.h"
#include "text/tokenizer_file.h"
#include "text/unicode.h"

namespace fude {
namespace {

// Lines that are run together, if they are there: nobody who waits for an answer has to send more.
constexpr size_t kLinesAtOnce = 64;

struct EmbedOptions {
  std::string model, adapter, in;
  EmbeddingOptions embedding;
  Precision precision;
  bool is_raw = false;
};

void run_embed(const EmbedOptions& o, const CommonOptions& common) {
  Device device(common.threads);
  const auto [tokenizer, model] = load_for_use(device, find_model(o.model), o.precision);
  Engine engine(*model, default_kernels());
  const std::string adapter = o.adapter.empty() ? "" : "given";
  if (!adapter.empty()) engine.adapters().load(adapter, o.adapter);
  std::ios::sync_with_stdio(false);  // else standard input does not say what is there
  const bool is_piped = o.in.empty() || o.in == "-";
  std::ifstream file(o.in);
  require(is_piped || file.is_open(), "[embed] {} cannot be read", o.in);
  std::istream& lines = is_piped ? std::cin : file;
  EmbeddingOptions options = o.embedding;
  options.is_normalised = !o.is_raw;
  int64_t number = 0;  // of the last line read
  std::vector<std::vector<int32_t>> texts;
  std::vector<int64_t> numbers;  // of their lines
  std::string wrong;             // with the line behind them
  for (; lines && !interrupted; texts.clear(), numbers.clear()) {
    const auto is_ready = [&] { return wrong.empty() && (texts.empty() || lines.rdbuf()->in_avail() > 0); };
    for (std::string line; texts.size() < kLinesAtOnce && is_ready() && std::getline(lines, line);) {
      ++number;
      if (line.ends_with('\r')) line.pop_back();
      if (line.find_first_not_of(" \t") == std::string::npos) continue;
      // Tokenizers may lack bytes that are no part of UTF-8: those would vanish.
      if (const size_t valid = valid_prefix(line); valid != line.size()) {
        wrong = fmt::format("[embed] line {}: invalid UTF-8: at byte {} of the line", number, valid);
        continue;
      }
      std::vector<int32_t> text = sequence_of(tokenizer, line);
      if (tokenizer.data().appends_end) text.push_back(tokenizer.data().end_tokens.at(0));
      if (text.empty() || int64_t(text.size()) > engine.context()) {
        wrong = fmt::format("[embed] line {}: expected 1 to {} tokens, got {}", number, engine.context(), text.size());
        continue;
      }
      numbers.push_back(number);
      texts.push_back(std::move(text));
    }
    require(!lines.bad(), "[embed] {} cannot be read", is_piped ? "standard input" : o.in);
    watch_interrupts();
    const auto embeddings = embed(engine, texts, options, adapter);
    for (size_t i = 0; i < texts.size(); ++i)
      std::printf("%s\n",
                  Json{{"line", numbers[i]}, {"tokens", texts[i].size()}, {"embedding", embeddings[i]}}.dump().c_str());
    std::fflush(stdout);
    end_at_interrupts();  // while it waits for lines
    require(wrong.empty(), "{}", wrong);
  }
}

}  // namespace

void add_embed(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<EmbedOptions>();
  CLI::App* command = app.add_subcommand(
      "embed", "texts as vectors: a line of text in, a line of JSON out; blank lines are passed over");
  command->add_option("model", options->model, kModelHelp)->required();
  command->add_option("--in", options->in, "file with a text on each line; without it, or with -, standard input")
      ->check(some_text());
  add_adapter_option(*command, options->adapter);
  add_precision(*command, options->precision);
  command
      ->add_option_function<std::string>(
          "--pooling",
          [options](const std::string& name) {
            options->embedding.pooling = name == "mean" ? Pooling::mean : name == "last" ? Pooling::last : Pooling::cls;
          },
          "which hidden rows: the mean of all, the last one, or the first (cls)")
      ->check(CLI::IsMember({"mean", "last", "cls"}))
      ->default_str("mean");
  command->add_flag("--raw", options->is_raw, "vectors as they are, not scaled to length 1");
  command->callback([=, &common] { run_embed(*options, common); });
}

}  // namespace fude
