#include "tasks/ages.h"

#include "base/error.h"
#include "tasks/age_nest.h"
#include "tasks/world.h"

namespace fude {
namespace {

constexpr DifficultyRange kAgeLevels{1, 6};
constexpr int kFirstNest = 4;
constexpr int64_t kOldest = 90;
constexpr int kMostPuzzles = 1000;

struct Puzzle {
  std::string problem;  // without names
  std::string text, work;
  int64_t ages[2] = {0, 0};
};

void draw_names(Random& random, Language language, Names& names) {
  const bool is_english = language == Language::english;
  if (random.below(5) == 0) {
    names[0] = is_english ? "the princess" : "姫";
    names[1] = is_english ? "the prince" : "王子";
    return;
  }
  const auto everyone = people();
  const size_t first = random.below(everyone.size()), by = 1 + random.below(everyone.size() - 1);
  for (size_t i = 0; i < 2; ++i) {
    const Person& person = everyone[(first + i * by) % everyone.size()];
    names[i] = is_english ? std::string(person.english) : std::string(person.japanese) + "さん";
  }
}

std::string_view times_text(int64_t times) { return times == 2 ? "twice" : times == 3 ? "three times" : "four times"; }

// Difficulty 1: "Mio is 5 years older than Ken."
Puzzle difference_puzzle(Random& random, Language language, const Names& names) {
  const int64_t b = 2 + int64_t(random.below(50)), by = 1 + int64_t(random.below(30)), sum = 2 * b + by;
  const bool is_english = language == Language::english;
  Puzzle puzzle{.problem = fmt::format("difference {} sum {}", by, sum), .ages = {b + by, b}};
  puzzle.text = is_english ? fmt::format("{} is {} year{} older than {}.", names[0], by, by == 1 ? "" : "s", names[1])
                           : fmt::format("{}は{}より{}歳年上です。", names[0], names[1], by);
  puzzle.work = fmt::format(fmt::runtime(is_english ? "a = b + {0}, so 2b = {1} - {0} = {2}, b = {3}, a = {4}.\n"
                                                    : "a = b + {0}なので、2b = {1} - {0} = {2}、b = {3}、a = {4}。\n"),
                            by, sum, sum - by, b, b + by);
  return puzzle;
}

// Difficulties 2 and 3: "Mio is twice as old as Ken", now or `years` from now.
Puzzle ratio_puzzle(Random& random, Language language, const Names& names, bool is_now) {
  const int64_t times = 2 + int64_t(random.below(3));
  const int64_t younger = 1 + int64_t(random.below(22));
  const int64_t years = is_now ? 0 : (1 + int64_t(random.below(10))) * (random.below(2) == 0 ? 1 : -1);
  const int64_t a = times * younger - years, b = younger - years, sum = a + b;
  Puzzle puzzle{.problem = fmt::format("times {} in {} sum {}", times, years, sum), .ages = {a, b}};
  const bool is_english = language == Language::english;
  const int64_t distance = years < 0 ? -years : years;
  if (is_english) {
    const std::string_view s = distance == 1 ? "" : "s";
    puzzle.text =
        years == 0 ? fmt::format("{} is {} as old as {}.", names[0], times_text(times), names[1])
        : years > 0
            ? fmt::format("In {} year{}, {} will be {} as old as {}.", years, s, names[0], times_text(times), names[1])
            : fmt::format("{} year{} ago, {} was {} as old as {}.", distance, s, names[0], times_text(times), names[1]);
  } else {
    puzzle.text = years == 0 ? fmt::format("{}の年齢は{}の{}倍です。", names[0], names[1], times)
                  : years > 0 ? fmt::format("{}年後、{}の年齢は{}の{}倍になります。", years, names[0], names[1], times)
                              : fmt::format("{}年前、{}の年齢は{}の{}倍でした。", distance, names[0], names[1], times);
  }
  const std::string shift = years == 0 ? "" : fmt::format(" {} {}", years > 0 ? '+' : '-', distance);
  const std::string_view comma = is_english ? ", " : "、";
  if (years == 0)
    puzzle.work = fmt::format("a = {}b{}{}b = {}{}b = {}{}a = {}", times, comma, times + 1, sum, comma, b, comma, a);
  else
    puzzle.work = fmt::format(
        fmt::runtime(is_english
                         ? "a{0} = {1} * (b{0}). Then they are {2}{3} = {4} together, so b{0} = {4} / {5} = {6}, "
                           "b = {7}, a = {8}"
                         : "a{0} = {1} * (b{0})。そのときの和は{2}{3} = {4}なので、b{0} = {4} / {5} = {6}、b = {7}、"
                           "a = {8}"),
        shift, times, sum, fmt::format(" {} {}", years > 0 ? '+' : '-', 2 * distance), sum + 2 * years, times + 1,
        younger, b, a);
  puzzle.work += is_english ? ".\n" : "。\n";
  return puzzle;
}

std::optional<Puzzle> nested_puzzle(Random& random, Language language, const Names& names, int moments) {
  const AgeNest nest = draw_nest(random, moments);
  const auto solved = solve(nest);
  if (!solved || solved->a + solved->b > kOldest) return std::nullopt;
  const int64_t unit = 1 + int64_t(random.below(uint64_t(2 * kOldest / (solved->a + solved->b))));
  const int64_t a = unit * solved->a, b = unit * solved->b;
  if (a > kOldest || b > kOldest || a + b < 10) return std::nullopt;
  Puzzle puzzle{.problem = fmt::format("nest sum {}", a + b), .ages = {a, b}};
  for (const Moment& moment : nest)
    puzzle.problem += fmt::format(", {} {}/{}", moment.who, moment.times.numerator(), moment.times.denominator());
  puzzle.text = nest_text(nest, *solved, language, names);
  puzzle.work = nest_work(nest, *solved, language, names) +
                fmt::format(fmt::runtime(language == Language::english ? "{0} / {1} = {2}, a = {3}, b = {4}.\n"
                                                                       : "{0} / {1} = {2}、a = {3}、b = {4}。\n"),
                            a + b, solved->a + solved->b, unit, a, b);
  return puzzle;
}

Puzzle draw_puzzle(Random& random, Language language, const Names& names, int difficulty) {
  for (int i = 0; i < kMostPuzzles; ++i) {
    std::optional<Puzzle> puzzle;
    if (difficulty == 1)
      puzzle = difference_puzzle(random, language, names);
    else if (difficulty < kFirstNest)
      puzzle = ratio_puzzle(random, language, names, difficulty == 2);
    else
      puzzle = nested_puzzle(random, language, names, difficulty - kFirstNest + 1);
    if (!puzzle || puzzle->ages[0] < 1 || puzzle->ages[1] < 1 || puzzle->ages[0] > kOldest) continue;
    return *puzzle;
  }
  fail("[ages] expected a puzzle of difficulty {} among {} draws", difficulty, kMostPuzzles);
}

std::string with_capitals(std::string text) {
  bool begins = true;
  for (size_t i = 0; i < text.size(); ++i) {
    if (begins && text[i] >= 'a' && text[i] <= 'z') text[i] = char(text[i] - 'a' + 'A');
    begins = text[i] == ' ' && i > 0 && text[i - 1] == '.';
  }
  return text;
}

}  // namespace

Ages::Ages(uint64_t seed, const TaskOptions& options) : GeneratedTask("ages", seed, kAgeLevels, options) {}

Draft Ages::draft(Random& random, Language language, int difficulty) const {
  Names names;
  draw_names(random, language, names);
  const Puzzle puzzle = draw_puzzle(random, language, names, difficulty);
  const size_t asked = random.below(2);
  const int64_t sum = puzzle.ages[0] + puzzle.ages[1], answer = puzzle.ages[asked];

  Draft drawn{.problem = puzzle.problem + fmt::format(", asked {}", asked)};
  Question& question = drawn.example.question;
  std::string& solution = drawn.example.solution;
  question.answer = std::to_string(answer);
  if (language == Language::english) {
    question.prompt =
        with_capitals(fmt::format("{} Together they are {}. How old is {}?", puzzle.text, sum, names[asked]));
    solution = fmt::format("Let {} be a and {} b years old, a + b = {}.\n{}The answer is {}.", names[0], names[1], sum,
                           puzzle.work, answer);
  } else {
    question.prompt = fmt::format("{}二人の年齢の和は{}歳です。{}は何歳ですか。", puzzle.text, sum, names[asked]);
    solution = fmt::format("{}をa歳、{}をb歳とする。a + b = {}。\n{}答えは{}です。", names[0], names[1], sum,
                           puzzle.work, answer);
  }
  question.kind = difficulty == 1 ? "difference" : difficulty < kFirstNest ? "ratio" : "nested";
  return drawn;
}

}  // namespace fude
