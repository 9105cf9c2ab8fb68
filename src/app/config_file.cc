#include "app/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "app/command_line.h"
#include "base/error.h"
#include "base/nearest.h"

namespace fude {
namespace {

constexpr size_t kLimit = size_t(1) << 20;

// What a file may set of a command: its options by long name, its positional arguments by theirs.
std::map<std::string, const CLI::Option*> options_of(const CLI::App& command) {
  std::map<std::string, const CLI::Option*> options;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_configurable()) continue;
    for (const std::string& name : option->get_lnames()) options[name] = option;
    if (option->get_positional()) options[option->get_name(true)] = option;
  }
  return options;
}

std::map<std::string, const CLI::App*> commands_of(const CLI::App& command) {
  std::map<std::string, const CLI::App*> commands;
  for (const CLI::App* inner : command.get_subcommands({})) commands[inner->get_name()] = inner;
  return commands;
}

template <class Map>
std::vector<std::string> names_of(const Map& map) {
  std::vector<std::string> names;
  for (const auto& entry : map) names.push_back(entry.first);
  return names;
}

// Reads one file; knows its name for the errors.
class Reader {
 public:
  Reader(const CLI::App& program, std::string path) : program_(program), path_(std::move(path)) {}

  void read(const std::string& text) { read_table(program_, {}, parse(text)); }
  std::vector<CLI::ConfigItem> items;
  std::vector<ConfigFile::Given> given;

 private:
  [[noreturn]] void fail(const toml::node& node, const std::string& what) const {
    throw UsageError(fmt::format("{}: {}", place_of(node), what));
  }

  std::string place_of(const toml::node& node) const {
    return fmt::format("[config] {}:{}", path_, node.source().begin.line);
  }

  toml::table parse(const std::string& text) const {
    try {
      return toml::parse(text, path_);
    } catch (const toml::parse_error& error) {
      const auto& at = error.source().begin;
      throw UsageError(fmt::format("[config] {}:{}:{}: {}", path_, at.line, at.column, error.description()));
    }
  }

  void read_table(const CLI::App& command, const std::vector<std::string>& path, const toml::table& table) {
    const auto commands = commands_of(command);
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (const toml::table* section = node.as_table()) {
        std::vector<std::string> inner = path;
        inner.push_back(name);
        const auto found = commands.find(name);
        if (found == commands.end())
          fail(node, "unknown table " + text_of(inner) + did_you_mean(name, names_of(commands)));
        read_table(*found->second, inner, *section);
      } else {
        add(command, path, name, node);
      }
    }
  }

  void add(const CLI::App& command, const std::vector<std::string>& path, std::string name, const toml::node& node) {
    std::replace(name.begin(), name.end(), '_', '-');
    const auto known = options_of(command);
    const auto found = known.find(name);
    if (found == known.end())
      fail(node, "unknown key '" + name + "'" + (path.empty() ? "" : " in " + text_of(path)) +
                     hint(command, name, names_of(known)));
    CLI::ConfigItem item;
    item.parents = path, item.name = name;
    if (const toml::array* array = node.as_array()) {
      if (found->second->get_expected_max() <= 1) fail(node, "'" + name + "': expected one value, got an array");
      for (const toml::node& value : *array) item.inputs.push_back(text_of(name, *found->second, value));
    } else {
      item.inputs.push_back(text_of(name, *found->second, node));
    }
    if (item.inputs.empty() || is_excluded(*found->second)) return;
    given.push_back({found->second, item.inputs,
                     place_of(node) + ": '" + name + "'" + (path.empty() ? "" : " in " + text_of(path))});
    items.push_back(std::move(item));
  }

  // By a flag on the command line, which is read before the file.
  static bool is_excluded(const CLI::Option& option) {
    const auto others = option.get_excludes();
    return std::any_of(others.begin(), others.end(), [](const CLI::Option* other) { return other->count() > 0; });
  }

  // A key before the first table may belong into one, and one of a table before the first.
  std::string hint(const CLI::App& command, const std::string& name, const std::vector<std::string>& known) const {
    if (&command != &program_ && options_of(program_).contains(name))
      return "; it belongs to the top of the file, before the first table";
    std::string tables;
    for (const auto& [inner, app] : commands_of(command))
      if (options_of(*app).contains(name)) tables += (tables.empty() ? "[" : " or [") + inner + "]";
    if (!tables.empty()) return "; it belongs into a table, such as " + tables;
    return did_you_mean(name, known);
  }

  // "[bench.gemm]"
  static std::string text_of(const std::vector<std::string>& path) {
    std::string text;
    for (const std::string& name : path) text += (text.empty() ? "[" : ".") + name;
    return text + "]";
  }

  // The value as it would stand on the command line.
  std::string text_of(const std::string& name, const CLI::Option& option, const toml::node& value) const {
    const std::string_view kind = kind_of(option);
    if (kind.empty() && value.is_boolean()) return *value.value<bool>() ? "true" : "false";
    if ((kind == "N" || kind == "N-M" || kind == "X") && value.is_integer())
      return std::to_string(*value.value<int64_t>());
    if (kind == "X" && value.is_floating_point()) return fmt::format("{}", *value.value<double>());
    if (kind == "BOOL" && value.is_boolean()) return *value.value<bool>() ? "true" : "false";
    if (kind == "TEXT" && value.is_string()) return *value.value<std::string>();
    if (kind == "N-M" && value.is_string()) return *value.value<std::string>();
    const char* expected = kind.empty() || kind == "BOOL" ? "true or false"
                           : kind == "N"                  ? "a whole number"
                           : kind == "X"                  ? "a number"
                                                          : "a string";
    std::ostringstream got;
    got << value.type();
    fail(value, "'" + name + "': expected " + expected + ", got " + got.str());
  }

  const CLI::App& program_;
  std::string path_;
};

}  // namespace

std::vector<CLI::ConfigItem> ConfigFile::from_config(std::istream& input) const {
  const std::string path = program_.get_config_ptr()->as<std::string>();
  std::string text(kLimit + 1, '\0');
  input.read(text.data(), std::streamsize(text.size()));
  text.resize(size_t(input.gcount()));
  if (text.size() > kLimit) throw UsageError(fmt::format("[config] {}: the limit is {} bytes", path, kLimit));
  Reader reader(program_, path);
  reader.read(text);
  given_ = std::move(reader.given);
  return std::move(reader.items);
}

std::string ConfigFile::place_of(const CLI::ParseError& error) const {
  const std::string what = error.what(), kind = error.get_name();
  for (const auto& [option, inputs, place] : given_) {
    if (option->results() != inputs) continue;  // a flag won, or it was not this one's turn yet
    const std::string name = option->get_name();
    const bool is_refused = kind == "ValidationError" && !option->get_callback_run() && what.starts_with(name + ": ");
    const bool is_unreadable =
        kind == "ConversionError" && what == CLI::ConversionError(name, option->results()).what();
    if (is_refused || is_unreadable) return place;
  }
  return {};
}

}  // namespace fude
