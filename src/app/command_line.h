// What is the same for every subcommand: the help page, exit codes, and what to say of a command line that is wrong.
#pragma once

#include <CLI/CLI.hpp>

#include "base/error.h"

namespace fude {

// A wrong command line or configuration file.
class UsageError : public Error {
 public:
  using Error::Error;
};

enum ExitCode { kDone = 0, kFailed = 1, kUsage = 2, kNoMemory = 3, kStopped = 128 };  // kStopped + the signal's number

inline constexpr const char* kShared = "Shared options";  // the group of those on the program itself

// What an option takes, as help pages show it: "N" a whole number, "N-M" one or two, "X" a number, "BOOL", "TEXT", or
// "" (a flag).
inline constexpr const char* kRangeType = "N-M";
std::string_view kind_of(const CLI::Option& option);

// A whole number from `least` on.
CLI::Validator at_least(int64_t least);
// One of a range, both ends included.
CLI::Validator between(int64_t least, int64_t most);
// A finite number from `least` on.
CLI::Validator number_at_least(double least);
CLI::Validator number_between(double least, double most);
// For an option whose empty value would be as if it were not given: a script's unset variable is said, not passed over.
CLI::Validator some_text();

// Every option of the program refuses a value of another kind than it takes, and what the parser would take for another
// whole number: 010 for 8, and for the largest number what is larger or, without a sign, below 0.
void check_values(CLI::App& program);

// A subcommand's help ends with the options that all share; every page ends with the exit codes.
class HelpPage : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_subcommand(const CLI::App* command) const override;  // the first line of its help
  std::string make_footer(const CLI::App* app) const override;
};

// One line for a person who mistyped: what is wrong, what may have been meant, where the help is.
std::string explain(const CLI::App& program, const CLI::ParseError& error);

}  // namespace fude
