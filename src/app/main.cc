// The one program: parses the command line, runs a subcommand, and turns every error into one message and exit code 1.
#include <cstdio>
#include <new>

#include "app/commands.h"
#include "base/error.h"

void fude::add_compute(CLI::App& command, DType& compute, const char* help) {
  command.add_option_function<std::string>("--compute", [&compute](const std::string& name) { compute = compute_type_of(name); },
                                           help)
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->default_str("f32");
}

int main(int argc, char** argv) {
  using namespace fude;
  CLI::App app{"Fude: the whole life of a GPT-class model, in one program"};
  app.require_subcommand(1);
  app.fallthrough();
  app.set_config("--config", "", "read options from a TOML file; flags override it")->check(CLI::ExistingFile);
  app.allow_config_extras(CLI::config_extras_mode::error);
  CommonOptions common;
  app.add_option("--threads", common.threads, "worker threads; 0: as many as the process may use")->check(CLI::Range(0, 1024));
  app.add_option("--seed", common.seed, "seed of everything random");
  app.add_flag("--json", common.json, "print results as JSON, one object a line");
  for (auto add : {add_life, add_tokenizer, add_shards, add_train, add_generate, add_chat, add_info, add_bench}) add(app, common);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "fude: not enough memory; use a smaller model, batch or context\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fude: %s\n", error.what());
  }
  return 1;
}
