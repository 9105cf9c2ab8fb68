// --config FILE: options from a TOML file. Keys are the long names of options, subcommands are tables:
//
//     threads = 2
//     [train]
//     data = ["tokens/web", "tokens/books"]
//     learning_rate = 1e-3                     # learning-rate is the same
//
// One file may serve all subcommands of a project. All of it is checked, whichever of them runs: names, with
// the nearest right one in the error, and types. A flag on the command line wins over the file.
#pragma once

#include <CLI/CLI.hpp>

namespace fude {

class ConfigFile : public CLI::ConfigTOML {
 public:
  explicit ConfigFile(const CLI::App& program) : program_(program) {}
  // UsageError "[config] fude.toml:3: …" for anything unexpected.
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;

 private:
  const CLI::App& program_;
};

}  // namespace fude
