#include "app/task_options.h"

#include <cstdio>

namespace fude {
namespace {

bool read_difficulties(const std::string& text, DifficultyRange& range) {
  int read = 0;
  const int numbers = std::sscanf(text.c_str(), "%9d%n-%9d%n", &range.least, &read, &range.most, &read);
  if (numbers == 1) range.most = range.least;
  return numbers >= 1 && size_t(read) == text.size() && range.least <= range.most;
}

}  // namespace

void add_difficulty(CLI::App& command, std::optional<DifficultyRange>& range) {
  command
      .add_option_function<std::string>(
          "--difficulty",
          [&range](const std::string& text) {
            if (!read_difficulties(text, range.emplace()))
              throw CLI::ValidationError("--difficulty", "expected a number or two, such as 3 or 2-5, got " + text);
          },
          "only these, such as 3 or 2-5; without it, all that the task has")
      ->type_name("N");
}

}  // namespace fude
