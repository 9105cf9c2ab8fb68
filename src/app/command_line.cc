#include "app/command_line.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "app/commands.h"
#include "app/config_file.h"
#include "base/nearest.h"

namespace fude {
namespace {

constexpr const char* kExitCodes =
    "Exit codes:\n"
    "  0    done\n"
    "  1    failed; the message says why\n"
    "  2    wrong command line or configuration file\n"
    "  3    not enough memory\n"
    "  130  stopped by Ctrl-C (143: SIGTERM); what was done is saved";

std::vector<std::string> names_of_commands(const CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

void add_options(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
}

// What the command has to be given, as on its line: " MODEL QUESTION".
std::string arguments_of(const CLI::App& command) {
  std::string names;
  for (const CLI::Option* option : command.get_options())
    if (option->get_positional()) names += " " + option->get_name(true);
  for (char& c : names) c = char(std::toupper(static_cast<unsigned char>(c)));
  return names;
}

// Where what stands behind the model may have been meant to go.
std::string place_for_argument(const std::vector<std::string>& options) {
  std::string places;
  for (const auto& [option, what] : {std::pair("--prompt", "a text"), {"--text", "a text"}, {"--in", "a file"}})
    if (std::ranges::find(options, option) != options.end())
      places += fmt::format("{} {} goes to {}", places.empty() ? ";" : ",", what, option);
  return places;
}

// What is wrong with a whole number that the parser (strtoll, of any base) would take; empty: nothing.
std::string mistaken_number(const std::string& text, bool is_signed) {
  const size_t first = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  if (text.size() > first + 1 && text[first] == '0' && text[first + 1] >= '0' && text[first + 1] <= '9')
    return "expected a whole number without zeros in front, got " + text;
  if (!is_signed && text.find('-') != std::string::npos) return "expected a whole number from 0 on, got " + text;
  errno = 0;
  char* end = nullptr;
  if (is_signed)
    std::strtoll(text.c_str(), &end, 0);
  else
    std::strtoull(text.c_str(), &end, 0);
  if (text.empty() || *end != '\0') return "expected a whole number, got " + text;
  return errno == ERANGE ? "expected a whole number of 64 bits, got " + text : "";
}

// What is wrong with a value for this option, where the parser has only "could not convert"; empty: nothing.
std::string mistaken_value(const CLI::Option& option, const std::string& text) {
  double number = 0;
  bool flag = false;
  const std::string_view kind = kind_of(option);
  if (kind == "N") return mistaken_number(text, option.get_type_name().starts_with("INT"));
  if (kind == "X" && !CLI::detail::lexical_cast(text, number)) return "expected a number, got " + text;
  if (kind == "BOOL" && !CLI::detail::lexical_cast(text, flag)) return "expected true or false, got " + text;
  return "";
}

// A finite number from `least` on, up to `most` if there is one.
template <typename Number>
CLI::Validator in_range(const char* kind, Number least, std::optional<Number> most) {
  const auto check = [=](const std::string& text) {
    Number value{};
    const bool is_number = CLI::detail::lexical_cast(text, value) && std::isfinite(double(value));
    if (is_number && value >= least && (!most || value <= *most)) return std::string();
    return fmt::format("expected {} from {} {}, got {}", kind, least, most ? fmt::format("to {}", *most) : "on", text);
  };
  return CLI::Validator(check, "");
}

}  // namespace

std::string_view kind_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (option.get_items_expected_max() == 0) return "";
  if (type.starts_with("INT") || type.starts_with("UINT")) return "N";
  if (type.starts_with("BOOLEAN")) return "BOOL";
  if (type == kRangeType) return kRangeType;
  return type.starts_with("FLOAT") ? "X" : "TEXT";
}

void add_compute(CLI::App& command, DType& compute, const char* help) {
  command
      .add_option_function<std::string>(
          "--compute", [&compute](const std::string& name) { compute = compute_type_of(name); }, help)
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->default_str("f32");
}

Precision precision_of(const std::string& name) {
  if (name == "file") return {DType::f32, /*keeps_master=*/false, /*keeps_formats=*/true};
  return {compute_type_of(name), /*keeps_master=*/false};
}

void add_precision(CLI::App& command, Precision& precision) {
  precision = precision_of("file");
  command
      .add_option_function<std::string>(
          "--compute", [&precision](const std::string& name) { precision = precision_of(name); },
          "what matrices multiply in: as the file has them (integers in blocks stay integers; F16 and BF16 stay so in "
          "memory and give the bits of f32), f32, or bf16")
      ->check(CLI::IsMember({"file", "f32", "bf16"}))
      ->default_str("file");
}

void add_kv(CLI::App& command, DType& kv) {
  command
      .add_option_function<std::string>(
          "--kv", [&kv](const std::string& name) { kv = name == "int8" ? DType::i8 : compute_type_of(name); },
          "what keys and values are kept in: f32, bf16, or int8 (a quarter of the memory)")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}))
      ->default_str("f32");
}

CLI::Validator at_least(int64_t least) { return in_range<int64_t>("a whole number", least, std::nullopt); }
CLI::Validator between(int64_t least, int64_t most) { return in_range<int64_t>("a whole number", least, most); }
CLI::Validator number_at_least(double least) { return in_range<double>("a number", least, std::nullopt); }
CLI::Validator number_between(double least, double most) { return in_range<double>("a number", least, most); }

CLI::Validator some_text() {
  const auto check = [](const std::string& text) {
    return text.empty() ? std::string("expected a text, got nothing") : std::string();
  };
  return CLI::Validator(check, "");
}

void check_values(CLI::App& program) {
  for (CLI::Option* option : program.get_options())
    if (!kind_of(*option).empty())
      option->check(CLI::Validator([=](const std::string& text) { return mistaken_value(*option, text); }, ""));
  for (CLI::App* command : program.get_subcommands(std::function<bool(CLI::App*)>())) check_values(*command);
}

std::string HelpPage::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  std::string page = Formatter::make_help(app, name, mode);
  for (size_t at; (at = page.find("\n\n\n")) != std::string::npos;) page.erase(at, 1);
  return page;
}

std::string HelpPage::make_option_opts(const CLI::Option* option) const {
  std::string out = kind_of(*option).empty() ? "" : " " + std::string(kind_of(*option));
  if (option->get_expected_max() > 1) out += " ...";
  if (!option->get_default_str().empty()) out += " [" + option->get_default_str() + "]";
  return out + (option->get_required() ? " (required)" : "");
}

std::string HelpPage::make_subcommand(const CLI::App* command) const {
  const std::string help = command->get_description();
  std::ostringstream out;
  CLI::detail::format_help(out, command->get_name(), help.substr(0, help.find('\n')), get_column_width());
  return out.str();
}

std::string HelpPage::make_footer(const CLI::App* app) const {
  std::string out;
  const CLI::App* program = app;
  while (program->get_parent() != nullptr) program = program->get_parent();
  if (program != app) {
    const auto shared = program->get_options([](const CLI::Option* o) { return o->get_group() == kShared; });
    out += make_group(kShared, false, {shared.begin(), shared.end()});
  }
  const std::string own = app->get_footer();
  return out + "\n" + (own.empty() ? "" : own + "\n\n") + kExitCodes + "\n";
}

std::string explain(const CLI::App& program, const CLI::ParseError& error) {
  // The command that was meant, "bench gemm", and every option it takes.
  const CLI::App* command = &program;
  std::string path = "fude ", name;
  std::vector<std::string> options;
  for (add_options(*command, options); !command->get_subcommands().empty(); add_options(*command, options)) {
    command = command->get_subcommands().front();
    path += command->get_name() + " ";
    name += (name.empty() ? "" : " ") + command->get_name();
  }
  const std::string help = " (see " + path + "--help)", prefix = name.empty() ? "" : name + ": ";
  const std::vector<std::string> left = program.remaining(true);
  const std::string_view what = error.what();

  if (const auto file = std::dynamic_pointer_cast<const ConfigFile>(program.get_config_formatter()))
    if (const std::string place = file->place_of(error); !place.empty()) return fmt::format("{}: {}", place, what);
  if (error.get_name() == "ArgumentMismatch" && what.find("At Most 1") != std::string_view::npos)
    return fmt::format("{}{} is given more than once{}", prefix, what.substr(0, what.find(':')), help);
  if (left.empty() && error.get_name() == "RequiredError" && what.find("subcommand") != std::string_view::npos)
    return prefix + "expected a command" + help;
  if (left.empty() && error.get_name() == "RequiredError" && !what.starts_with('-') && !arguments_of(*command).empty())
    return fmt::format("{}{}: {}{}{}", prefix, what, path.substr(0, path.size() - 1), arguments_of(*command), help);
  if (left.empty()) return fmt::format("{}{}{}", prefix, what, help);
  const std::string unknown = left.front().substr(0, left.front().find('='));
  if (unknown.starts_with('-'))
    return fmt::format("{}unknown option '{}'{}{}", prefix, unknown, did_you_mean(unknown, options), help);
  const std::vector<std::string> commands = names_of_commands(*command);
  if (commands.empty())
    return fmt::format("{}unexpected argument '{}'{}{}", prefix, left.front(), place_for_argument(options), help);
  return fmt::format("{}unknown command '{}'{}{}", prefix, unknown, did_you_mean(unknown, commands), help);
}

}  // namespace fude
