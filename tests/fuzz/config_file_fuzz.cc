// layer: tensor, with src/app/config_file.cc src/app/command_line.cc
// --config FILE from a stranger, for a program with every kind of option: refused with a message for a
// person, or the same options come out of it as their words on the command line would give.
#include "app/config_file.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "app/command_line.h"
#include "folder.h"

using namespace fude;

namespace {

struct Options {
  int64_t threads = 0;
  double rate = 0;
  bool json = false;
  std::vector<std::string> data;
  std::vector<double> weights;
  std::string name, input;
  bool operator==(const Options&) const = default;
};

// fude --threads N --json train --rate X --data TEXT ... --weights X ... | bench gemm --name TEXT input
void parse(std::vector<std::string> words, Options& o, std::vector<CLI::ConfigItem>* items = nullptr) {
  CLI::App program;
  program.fallthrough();
  program.set_config("--config");
  program.config_formatter(std::make_shared<ConfigFile>(program));
  program.allow_config_extras(CLI::config_extras_mode::error);
  program.add_option("--threads", o.threads);
  program.add_flag("--json", o.json);
  CLI::App* train = program.add_subcommand("train");
  train->add_option("--rate", o.rate);
  train->add_option("--data", o.data);
  train->add_option("--weights", o.weights);
  CLI::App* gemm = program.add_subcommand("bench")->add_subcommand("gemm");
  gemm->add_option("--name", o.name);
  gemm->add_option("input", o.input);
  std::reverse(words.begin(), words.end());
  program.parse(words);
  if (std::isnan(o.rate)) o.rate = 0;  // would not equal itself
  for (double& weight : o.weights)
    if (std::isnan(weight)) weight = 0;
  // The file may also set what belongs to the command that does not run.
  if (train->parsed())
    o.name.clear(), o.input.clear();
  else
    o.rate = 0, o.data.clear(), o.weights.clear();
  if (items == nullptr) return;
  std::ifstream file(program.get_config_ptr()->as<std::string>());
  *items = ConfigFile(program).from_config(file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FuzzFolder folder;
  const std::string path = folder / "fude.toml";
  write_file(path, {reinterpret_cast<const char*>(data), size});
  for (const std::vector<std::string>& command : {std::vector<std::string>{"train"}, {"bench", "gemm"}}) {
    Options from_file, from_words;
    std::vector<CLI::ConfigItem> items;
    try {
      std::vector<std::string> words = {"--config", path};
      words.insert(words.end(), command.begin(), command.end());
      parse(words, from_file, &items);
    } catch (const CLI::ParseError&) { continue; } catch (const UsageError&) {
      continue;
    }
    std::vector<std::string> words = command;
    for (const CLI::ConfigItem& item : items) {
      if (!item.parents.empty() && item.parents != command) continue;
      for (const std::string& input : item.inputs)
        words.push_back(item.name == "input" ? input : "--" + item.name + "=" + input);
    }
    try {
      parse(words, from_words);
    } catch (const CLI::ParseError&) { __builtin_trap(); }
    if (from_file != from_words) __builtin_trap();
  }
  return 0;
}
