// --config FILE: options from a TOML file. Keys are the long names of options, subcommands are tables:
//
//     threads = 2
//     [train]
//     data = ["tokens/web", "tokens/books"]
//     learning_rate = 1e-3                     # learning-rate is the same
//
// One file may serve all subcommands of a project. All of it is checked, whichever of them runs: names, with
// the nearest right one in the error, and types. A flag on the command line wins over the file, also over what it
// excludes; an empty list is as good as none.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace fude {

class ConfigFile : public CLI::ConfigTOML {
 public:
  explicit ConfigFile(const CLI::App& program) : program_(program) {}
  // UsageError "[config] fude.toml:3: …" for anything unexpected.
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;

  // "[config] fude.toml:3: 'port' in [serve]" if a value of the file is what this error is about; else empty.
  std::string place_of(const CLI::ParseError& error) const;

  // A value of the file and where it stands.
  struct Given {
    const CLI::Option* option;
    std::vector<std::string> inputs;
    std::string place;
  };

 private:
  const CLI::App& program_;
  mutable std::vector<Given> given_;
};

}  // namespace fude
