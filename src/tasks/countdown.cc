#include "tasks/countdown.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/error.h"
#include "tasks/expression.h"

namespace fude {
namespace {

constexpr DifficultyRange kNumberCounts{3, 6};
constexpr int64_t kLeastTarget = 10, kMostTarget = 200, kLargestOnTheWay = 999;
constexpr uint64_t kMostMisses = 4;

// A value on the way, how it came about, and whether parentheses are due in a product or behind a minus.
struct Part {
  int64_t value = 0;
  std::string text;
  char sign = 0;  // of its last operation; 0: a given number
};

std::string joined(const Part& left, char sign, const Part& right) {
  const auto in_parentheses = [](const Part& part) { return "(" + part.text + ")"; };
  const bool is_product = sign == '*' || sign == '/';
  const bool left_sum = left.sign == '+' || left.sign == '-', right_sum = right.sign == '+' || right.sign == '-';
  const bool right_product = right.sign == '*' || right.sign == '/';
  const bool wraps_right = (right_sum && sign != '+') || (right_product && sign == '/');
  return fmt::format("{} {} {}", is_product && left_sum ? in_parentheses(left) : left.text, sign,
                     wraps_right ? in_parentheses(right) : right.text);
}

// One combination of numbers, with its steps.
struct Line {
  Part result;
  std::string steps;  // "8 - 5 = 3, 3 * 6 = 18"
};

std::optional<int64_t> combined(int64_t left, char sign, int64_t right) {
  if (sign == '-' && left <= right) return std::nullopt;
  if (sign == '*' && (left == 1 || right == 1)) return std::nullopt;
  if (sign == '/' && (right < 2 || left % right != 0)) return std::nullopt;
  const int64_t value = sign == '+'   ? left + right
                        : sign == '-' ? left - right
                        : sign == '*' ? left * right
                                      : left / right;
  return value <= kLargestOnTheWay ? std::optional(value) : std::nullopt;
}

// Puts all of the numbers together at random, or all but one.
Line draw_line(Random& random, const std::vector<int>& numbers, Language language) {
  std::vector<Part> parts;
  for (int number : numbers) parts.push_back({number, std::to_string(number)});
  if (random.below(2) == 0) parts.erase(parts.begin() + int64_t(random.below(parts.size())));
  Line line;
  while (parts.size() > 1) {
    const size_t i = random.below(parts.size()), j = random.below(parts.size());
    const char sign = "+-*/"[random.below(4)];
    if (i == j) continue;
    const auto value = combined(parts[i].value, sign, parts[j].value);
    if (!value) continue;
    if (!line.steps.empty()) line.steps += language == Language::english ? ", " : "、";
    line.steps += fmt::format("{} {} {} = {}", parts[i].value, sign, parts[j].value, *value);
    parts[i] = {*value, joined(parts[i], sign, parts[j]), sign};
    parts.erase(parts.begin() + int64_t(j));
  }
  line.result = parts[0];
  return line;
}

std::string listed(const std::vector<int>& numbers, Language language) {
  std::string text;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) text += language == Language::japanese ? "、" : i + 1 == numbers.size() ? " and " : ", ";
    text += std::to_string(numbers[i]);
  }
  return text;
}

constexpr std::string_view kRequests[] = {"Use {0} at most once each to make {1}.",
                                          "Make {1} from {0}, each used at most once.",
                                          "Reach {1} with {0}. Use each number at most once."};
constexpr std::string_view kJapaneseRequests[] = {"{0}をそれぞれ一回まで使って、{1}を作ってください。",
                                                  "{0}を一回ずつまで使って、{1}になる式を書いてください。",
                                                  "{0}から{1}を作る式は何ですか。数は一回ずつまで使えます。"};

struct Given {
  int64_t target = 0;
  std::vector<int64_t> numbers;  // sorted
};

Given read_given(std::string_view text) {
  std::vector<int64_t> all;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    int64_t number = 0;
    const auto read = std::from_chars(at, end, number);
    require(read.ec == std::errc() && number > 0 && number < 1000 && all.size() < 7,
            "[countdown] expected a target and up to six numbers such as '24: 3 5 6', got '{}'", text);
    all.push_back(number);
    at = read.ptr;
    while (at < end && (*at == ':' || *at == ' ')) ++at;
  }
  require(all.size() > 1, "[countdown] expected a target and numbers such as '24: 3 5 6', got '{}'", text);
  Given given{all[0], {all.begin() + 1, all.end()}};
  std::sort(given.numbers.begin(), given.numbers.end());
  return given;
}

std::string with_signs_of_ascii(std::string text) {
  for (const auto& [from, to] : {std::pair<std::string_view, char>{"×", '*'}, {"÷", '/'}})
    for (size_t at; (at = text.find(from)) != text.npos;) text.replace(at, from.size(), 1, to);
  return text;
}

bool makes(std::string_view text, const Given& given) {
  text = bare_answer(text);
  if (const size_t equal = text.find('='); equal != text.npos) {
    if (bare_answer(text.substr(equal + 1)) != std::to_string(given.target)) return false;
    text = bare_answer(text.substr(0, equal));
  }
  if (text.find("mod") != text.npos) return false;
  auto expression = parse_expression(text);
  if (!expression || !(expression->value == Rational(given.target))) return false;
  std::sort(expression->numbers.begin(), expression->numbers.end());
  return std::includes(given.numbers.begin(), given.numbers.end(), expression->numbers.begin(),
                       expression->numbers.end());
}

}  // namespace

Countdown::Countdown(uint64_t seed, const TaskOptions& options)
    : GeneratedTask("countdown", seed, kNumberCounts, options) {}

Draft Countdown::draft(Random& random, Language language, int difficulty) const {
  std::vector<int> numbers;
  Line found;
  do {
    numbers.clear();
    for (int i = 0; i < difficulty; ++i) numbers.push_back(2 + int(random.below(random.below(4) == 0 ? 49 : 11)));
    found = draw_line(random, numbers, language);
  } while (found.result.value < kLeastTarget || found.result.value > kMostTarget ||
           std::count(numbers.begin(), numbers.end(), found.result.value) > 0);
  const int64_t target = found.result.value;

  const bool is_english = language == Language::english;
  std::string solution;
  for (uint64_t misses = random.below(kMostMisses + 1); misses > 0; --misses) {
    const Line line = draw_line(random, numbers, language);
    if (line.result.value != target) solution += line.steps + (is_english ? ", no.\n" : "、違う。\n");
  }
  solution += found.steps + (is_english ? ", yes.\n" : "、できた。\n");
  solution += fmt::format(fmt::runtime(is_english ? "The answer is {}." : "答えは{}です。"), found.result.text);

  auto sorted = numbers;
  std::sort(sorted.begin(), sorted.end());
  Draft drawn{.problem = fmt::format("{}:", target)};
  for (int number : sorted) drawn.problem += fmt::format(" {}", number);
  const std::string_view request = (is_english ? kRequests : kJapaneseRequests)[random.below(std::size(kRequests))];
  drawn.example = {.question = {.prompt = fmt::format(fmt::runtime(request), listed(numbers, language), target),
                                .answer = found.result.text,
                                .given = drawn.problem},
                   .solution = std::move(solution)};
  return drawn;
}

bool Countdown::verify(const Question& question, std::string_view model_answer) const {
  const Given given = read_given(question.given);
  if (model_answer.size() > kLongestAnswer) return false;
  const std::string text = with_signs_of_ascii(normalize_answer(model_answer));
  auto parts = marked_parts(text);
  if (parts.empty()) parts.push_back(text);
  return std::all_of(parts.begin(), parts.end(), [&](std::string_view part) { return makes(part, given); });
}

}  // namespace fude
