#include "tasks/mini_aime.h"

#include <algorithm>

#include "base/error.h"
#include "tasks/expression.h"
#include "tasks/mini_aime_problem.h"
#include "tasks/things.h"
#include "tasks/world.h"

namespace fude {
namespace {

constexpr DifficultyRange kOperations{2, 12};
constexpr int kLongestStory = 6;  // longer ones are for books
constexpr std::string_view kWait = "Wait, ", kWaitJapanese = "待って、";

// The parts of a story: how it begins, what each operation is there, and what is asked. Filled in by position: person,
// thing, number, pronoun, and in Japanese the counter.
struct Story {
  std::string_view begin, plus, minus, times, mod, question;
};
constexpr Story kStories[] = {
    {"{0} has {2} {1}.", " {3} gets {2} more.", " {3} gives away {2}.", " Then {3} has {2} times as many.",
     " {3} fills bags of {2}, sells those and keeps the rest.", " How many {1} does {3} have now?"},
    {"There are {2} {1} in a box.", " {2} more are put in.", " {2} are taken out.", " Their number grows {2}-fold.",
     " {2} friends share them evenly, and the rest stay.", " How many {1} are in the box?"}};
constexpr Story kJapaneseStories[] = {
    {"{0}さんは{1}を{2}{4}持っています。", "{2}{4}もらいました。", "{2}{4}あげました。", "数が{2}倍になりました。",
     "{2}{4}ずつ袋に入れて売り、余りを残しました。", "今、{1}は何{4}ありますか。"},
    {"箱に{1}が{2}{4}あります。", "{2}{4}入れました。", "{2}{4}取り出しました。", "数が{2}倍になりました。",
     "{2}人で同じ数ずつ分け、余りは箱に残しました。", "箱の中の{1}は何{4}ですか。"}};

std::string story_prompt(const AimeProblem& problem, Language language, Random& random) {
  const Person& who = people()[random.below(people().size())];
  const Thing& thing = kThings[random.below(std::size(kThings))];
  const bool is_english = language == Language::english;
  const Story& story = (is_english ? kStories : kJapaneseStories)[random.below(std::size(kStories))];
  const std::string_view person = is_english ? who.english : who.japanese;
  const std::string_view things = is_english ? thing.english : thing.japanese;
  std::string text;
  const auto add = [&](std::string_view pattern, int number) {
    // Behind "Then" and "does" the pronoun is small.
    const bool is_first = pattern.starts_with(" {3}");
    const std::string_view pronoun = who.female ? (is_first ? "She" : "she") : (is_first ? "He" : "he");
    text += fmt::format(fmt::runtime(pattern), person, things, number, pronoun, thing.counter);
  };
  add(story.begin, problem[0].value);
  for (size_t i = 1; i < problem.size(); ++i) {
    const char sign = problem[i].signs[0];
    add(sign == '+'   ? story.plus
        : sign == '-' ? story.minus
        : sign == '*' ? story.times
                      : story.mod,
        problem[i].operands[1].number);
  }
  add(story.question, 0);
  return text;
}

// What stands before, in, between and behind the definitions; {0} is the name, {1} what it is.
struct Wording {
  std::string_view definition, between, end;
};
constexpr Wording kWordings[] = {{"Let {0} = {1}.", " ", " What is {0}?"},
                                 {"{0} = {1}", ", ", ". Find {0}."},
                                 {"{0} is {1}", ", ", ". What is {0}?"}};
constexpr Wording kJapaneseWordings[] = {{"{0} = {1}", "、", "とします。{0}はいくつですか。"},
                                         {"{0} = {1}", "、", "のとき、{0}を求めてください。"},
                                         {"{0}は{1}", "、", "です。{0}はいくつですか。"}};

std::string definitions_prompt(const AimeProblem& problem, Language language, Random& random) {
  const Wording& wording =
      (language == Language::english ? kWordings : kJapaneseWordings)[random.below(std::size(kWordings))];
  std::string text;
  for (size_t i = 0; i < problem.size(); ++i) {
    if (i > 0) text += wording.between;
    text += fmt::format(fmt::runtime(wording.definition), definition_name(i), definition_text(problem, i, false));
  }
  return text + fmt::format(fmt::runtime(wording.end), definition_name(problem.size() - 1));
}

// A slip: one too many or too few, in the ones or in the tens.
int slipped(int value, Random& random) {
  const int by = random.below(2) == 0 ? 1 : 10;
  return value >= by && random.below(2) == 0 ? value - by : value + by;
}

std::string steps_solution(const AimeProblem& problem, bool is_story, Language language, int wrong_step,
                           Random& random) {
  std::string text;
  for (size_t i = 1; i < problem.size(); ++i) {
    const std::string name = is_story ? "" : fmt::format("{} = ", definition_name(i));
    if (int(i) == wrong_step) {
      text += name + definition_work(problem, i, slipped(problem[i].value, random)) + "\n";
      text += language == Language::english ? kWait : kWaitJapanese;
    }
    text += name + definition_work(problem, i, problem[i].value) + "\n";
  }
  return text + fmt::format(fmt::runtime(language == Language::english ? "The answer is {}." : "答えは{}です。"),
                            problem.back().value);
}

}  // namespace

MiniAime::MiniAime(uint64_t seed, const TaskOptions& options)
    : GeneratedTask("mini_aime", seed, kOperations, options), repairs_(options.repairs) {
  require(repairs_ >= 0 && repairs_ <= 1, "[mini_aime] expected a share of repairs from 0 to 1, got {}", repairs_);
}

Draft MiniAime::draft(Random& random, Language language, int difficulty) const {
  const bool is_story = difficulty <= kLongestStory && random.below(3) == 0;
  const AimeProblem problem = draw_aime_problem(random, difficulty, is_story);
  const int wrong_step = random.uniform() < repairs_ ? 1 + int(random.below(problem.size() - 1)) : 0;
  Draft drawn{.problem = problem_text(problem)};
  Question& question = drawn.example.question;
  question.prompt = is_story ? story_prompt(problem, language, random) : definitions_prompt(problem, language, random);
  question.answer = std::to_string(problem.back().value);
  question.kind = is_story ? "story" : "definitions";
  question.given = drawn.problem;
  drawn.example.solution = steps_solution(problem, is_story, language, wrong_step, random);
  return drawn;
}

std::vector<CheckedLine> MiniAime::check_steps(const Question& question, std::string_view work) const {
  const auto values = problem_values(question.given);
  size_t next = 1;  // behind all that right lines have given: what a line without a name has to give
  const auto is_right = [&](std::string_view line) {
    if (!marked_parts(line).empty()) return verify(question, line);
    for (std::string_view word : {"wait, ", "wait: ", "待って、"})
      if (line.starts_with(word)) line.remove_prefix(word.size());
    while (line.ends_with('.')) line.remove_suffix(1);
    size_t given = next;
    bool is_named = false;
    if (line.size() > 4 && line.substr(1, 3) == " = ")
      for (size_t i = 0; i < values.size(); ++i)
        if (definition_name(i) == line[0]) given = i, is_named = true;
    if (is_named)
      line.remove_prefix(4);
    else if (given >= values.size() || line.find('=') == line.npos)
      return false;
    for (bool is_last = false; !is_last;) {
      const size_t equal = line.find('=');
      const auto side = parse_expression(line.substr(0, equal));
      if (!side || !(side->value == Rational(values[given]))) return false;
      is_last = equal == line.npos;
      if (!is_last) line.remove_prefix(equal + 1);
    }
    next = std::max(next, given + 1);
    return true;
  };

  // Whole lines: the beginning of one may be wrong where it is not.
  const std::string_view read =
      work.size() <= kLongestAnswer ? work : work.substr(0, work.rfind('\n', kLongestAnswer) + 1);
  std::vector<CheckedLine> lines;
  for (std::string_view rest = read; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::string text = normalize_answer(line);
    if (!text.empty()) lines.push_back({line, is_right(text)});
  }
  return lines;
}

}  // namespace fude
