#include "tasks/mini_aime_problem.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "tasks/expression.h"

namespace fude {
namespace {

constexpr int kLargestValue = 999;
// Without letters that look like digits or like each other.
constexpr std::string_view kDefinitionNames = "abcdefghkmnpq";

// −1 if it is no value that may occur.
int applied(int left, char sign, int right) {
  const int value = sign == '+'   ? left + right
                    : sign == '-' ? left - right
                    : sign == '*' ? left * right
                    : right > 0   ? left % right
                                  : -1;
  return value <= kLargestValue ? value : -1;
}

// A number that makes a step of interest.
int draw_number(Random& random, char sign) {
  if (sign == '*') return 2 + int(random.below(8));
  if (sign == '%') return 3 + int(random.below(10));
  return 2 + int(random.below(random.below(3) == 0 ? 98 : 18));
}

int value_of(const AimeProblem& problem, const Operand& operand) {
  return operand.definition < 0 ? operand.number : problem[size_t(operand.definition)].value;
}

// A step from the last value. False if it leads out of the range or to nothing: * 1, + 0, a remainder of less.
bool draw_step(Random& random, const AimeProblem& problem, bool is_story, Definition& definition) {
  const char sign = "+-*%"[random.below(4)];
  Operand last{int(problem.size()) - 1}, other;
  if (!is_story && sign != '%' && problem.size() > 1 && random.below(5) < 2)
    other.definition = int(random.below(problem.size() - 1));
  else
    other.number = draw_number(random, sign);
  const bool is_turned = !is_story && sign != '%' && random.below(4) == 0;
  if (is_turned) std::swap(last, other);
  const int left = value_of(problem, last), right = value_of(problem, other);
  if (right == 0 || (sign == '*' && (left < 2 || right < 2)) || (sign == '%' && left < right)) return false;
  definition = {{last, other}, std::string(1, sign), applied(left, sign, right)};
  return definition.value >= 0;
}

void add_second_step(Random& random, Definition& definition) {
  const char sign = "+-"[random.below(2)];
  const Operand number{-1, 1 + int(random.below(20))};
  const int value = applied(definition.value, sign, number.number);
  for (const Operand& operand : definition.operands)  // "c = 9 + b - 9"
    if (operand.definition < 0 && operand.number == number.number) return;
  if (value < 0) return;
  definition.operands.push_back(number);
  definition.signs += sign;
  definition.value = value;
}

std::string_view written(char sign) { return sign == '%' ? "mod" : sign == '+' ? "+" : sign == '-' ? "-" : "*"; }

}  // namespace

AimeProblem draw_aime_problem(Random& random, int operations, bool is_story) {
  AimeProblem problem;
  const int first = 2 + int(random.below(29));
  problem.push_back({{Operand{-1, first}}, "", first});
  while (operations > 0) {
    Definition next;
    if (!draw_step(random, problem, is_story, next)) continue;
    if (!is_story && operations > 1 && random.below(5) < 2) add_second_step(random, next);
    operations -= int(next.signs.size());
    problem.push_back(std::move(next));
  }
  return problem;
}

char definition_name(size_t index) { return kDefinitionNames.at(index); }

std::string definition_text(const AimeProblem& problem, size_t index, bool with_values) {
  const Definition& definition = problem[index];
  std::string text;
  for (size_t i = 0; i < definition.operands.size(); ++i) {
    const Operand& operand = definition.operands[i];
    if (i > 0) text += fmt::format(" {} ", written(definition.signs[i - 1]));
    if (operand.definition >= 0 && !with_values)
      text += definition_name(size_t(operand.definition));
    else
      text += std::to_string(value_of(problem, operand));
  }
  return text;
}

std::string definition_work(const AimeProblem& problem, size_t index, int value) {
  const Definition& definition = problem[index];
  std::string text = definition_text(problem, index, true);
  if (definition.signs.size() == 2) {
    const int half = applied(value_of(problem, definition.operands[0]), definition.signs[0],
                             value_of(problem, definition.operands[1]));
    text += fmt::format(" = {} {} {}", half, written(definition.signs[1]), definition.operands[2].number);
  }
  return text + " = " + std::to_string(value);
}

std::string problem_text(const AimeProblem& problem) {
  std::string text;
  for (size_t i = 0; i < problem.size(); ++i)
    text += fmt::format("{}{} = {}", i == 0 ? "" : "; ", definition_name(i), definition_text(problem, i, false));
  return text;
}

std::vector<int64_t> problem_values(std::string_view text) {
  std::vector<int64_t> values;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find("; "));
    rest.remove_prefix(std::min(rest.size(), part.size() + 2));
    const auto value = parse_expression(part.substr(std::min<size_t>(part.size(), 4)), [&](char name) {
      const size_t index = kDefinitionNames.find(name);
      return index < values.size() ? std::optional(values[index]) : std::nullopt;
    });
    require(values.size() < kDefinitionNames.size() && value && value->value.is_whole() &&
                part.starts_with(fmt::format("{} = ", definition_name(values.size()))),
            "[mini_aime] expected definitions such as 'a = 7; b = a * 3', got '{}'", text);
    values.push_back(value->value.numerator());
  }
  return values;
}

}  // namespace fude
