// The subcommands of `fude`. Each adds itself to the program: its options with their help, and what runs.
#pragma once

#include <CLI/CLI.hpp>

#include "tensor/parameter.h"

namespace fude {

// What every command may be given.
struct CommonOptions {
  int threads = 0;
  uint64_t seed = 0;
  bool json = false;
};

void add_life(CLI::App& app, const CommonOptions& common);
void add_tokenizer(CLI::App& app, const CommonOptions& common);
void add_shards(CLI::App& app, const CommonOptions& common);
void add_init(CLI::App& app, const CommonOptions& common);
void add_train(CLI::App& app, const CommonOptions& common);
void add_sft(CLI::App& app, const CommonOptions& common);
void add_rl(CLI::App& app, const CommonOptions& common);
void add_scorer(CLI::App& app, const CommonOptions& common);
void add_ask(CLI::App& app, const CommonOptions& common);
void add_eval(CLI::App& app, const CommonOptions& common);
void add_generate(CLI::App& app, const CommonOptions& common);
void add_chat(CLI::App& app, const CommonOptions& common);
void add_serve(CLI::App& app, const CommonOptions& common);
void add_score(CLI::App& app, const CommonOptions& common);
void add_perplexity(CLI::App& app, const CommonOptions& common);
void add_embed(CLI::App& app, const CommonOptions& common);
void add_pull(CLI::App& app, const CommonOptions& common);
void add_convert(CLI::App& app, const CommonOptions& common);
void add_quantize(CLI::App& app, const CommonOptions& common);
void add_tasks(CLI::App& app, const CommonOptions& common);
void add_info(CLI::App& app, const CommonOptions& common);
void add_bench(CLI::App& app, const CommonOptions& common);

// --compute, with its help: what matrices multiply in.
void add_compute(CLI::App& command, DType& compute, const char* help);
// --compute for commands that run a model: as the file has it (the default), f32 or bf16.
void add_precision(CLI::App& command, Precision& precision);
// --kv: what keys and values are kept in.
void add_kv(CLI::App& command, DType& kv);
// "file", "f32" or "bf16", without a master.
Precision precision_of(const std::string& name);

// A chat in the terminal with the model of a folder, default settings.
void chat_with(const std::string& folder, const CommonOptions& common);

}  // namespace fude
