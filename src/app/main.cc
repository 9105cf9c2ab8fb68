// The one program: parses the command line, runs a subcommand, and turns every error into one message and an
// exit code.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/config_file.h"
#include "app/signals.h"

namespace {

using fude::kNoMemory;

int complain(const std::string& message, int code) {
  std::fflush(stdout);
  std::fprintf(stderr, "fude: %s\n", message.c_str());
  return code;
}

// Memory that is given back where there is no more of it, for what happens on the way to the message: destructors that
// allocate (JSON's does, to take a tree apart without recursion) may not fail.
std::atomic<void*> memory_reserve = nullptr;

void give_reserve_back() {
  std::set_new_handler(nullptr);
  std::free(memory_reserve.exchange(nullptr));
  throw std::bad_alloc();
}

bool keep_reserve() {
  memory_reserve = std::malloc(size_t(4) << 20);  // of addresses; pages are never touched
  std::set_new_handler(give_reserve_back);
  return memory_reserve != nullptr;
}

int complain_of_memory() { return complain("not enough memory; use a smaller model, batch or context", kNoMemory); }

int run(int argc, char** argv) {
  using namespace fude;
  // A file that may not grow is an error of the write, not the end of the program.
  std::signal(SIGXFSZ, SIG_IGN);
  CLI::App program{"Fude: the whole life of a GPT-class model, in one program"};
  program.name("fude");
  program.require_subcommand(1);
  program.fallthrough();
  program.formatter(std::make_shared<HelpPage>());
  program.set_version_flag("--version", "fude " FUDE_VERSION);
  program.set_config("--config", "", "TOML file with options, a table per command; flags override it")
      ->check(CLI::ExistingFile)
      ->group(kShared);
  program.config_formatter(std::make_shared<ConfigFile>(program));
  program.allow_config_extras(CLI::config_extras_mode::error);
  CommonOptions common;
  program.option_defaults()->group(kShared);
  program.add_option("--threads", common.threads, "worker threads; 0: as many as the process may use")
      ->check(between(0, 1024))
      ->capture_default_str();
  program.add_option("--seed", common.seed, "seed of everything random")->capture_default_str();
  program.add_flag("--json", common.json, "results as JSON on standard output, one object a line");
  program.option_defaults()->group("Options");
  for (auto add : {add_life, add_tokenizer, add_shards,   add_train, add_init,  add_sft,   add_rl,         add_scorer,
                   add_eval, add_ask,       add_generate, add_chat,  add_serve, add_score, add_perplexity, add_embed,
                   add_pull, add_convert,   add_quantize, add_tasks, add_info,  add_bench})
    add(program, common);
  check_values(program);
  try {
    // "fude help chat" is "fude chat --help".
    std::vector<std::string> words(argv + 1, argv + argc);
    if (!words.empty() && words.front() == "help") words.erase(words.begin()), words.push_back("--help");
    std::ranges::reverse(words);  // as the parser wants them
    program.parse(std::move(words));
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      return complain("cannot write to standard output", kFailed);
    return interrupted ? kStopped + interrupted_by : kDone;
  } catch (const CLI::ParseError& error) {
    // --help or --version, not of a command that there is not.
    if (error.get_exit_code() == 0 && (!program.get_subcommands().empty() || program.remaining().empty()))
      return program.exit(error), std::cout.flush() ? kDone : complain("cannot write to standard output", kFailed);
    return complain(explain(program, error), kUsage);
  } catch (const UsageError& error) { return complain(error.what(), kUsage); } catch (const OutOfMemory& error) {
    return complain(error.what(), kNoMemory);
  } catch (const std::bad_alloc&) { throw; } catch (const std::exception& error) {
    return complain(error.what(), kFailed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (!keep_reserve()) return complain_of_memory();
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) { return complain_of_memory(); }
}
