// A task: questions with exact answers, and the judge of an answer.
//
// A task is the same thing to everyone who uses it: practice questions with a worked solution for the corpus, SFT and
// RL; held-out questions for evals. The two sets never meet, and `verify` decides without a model. A verifier is
// attacked by whoever is paid by it, so it takes what the answer *commits* to and refuses lists, hedges and denials.
// It is given the answer alone: thoughts before it are cut off by whoever knows their markers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace fude {

enum class Language { english, japanese };

// "en" or "ja".
std::string_view language_code(Language language);

// How hard questions are, in whole numbers; each task says what its numbers mean.
struct DifficultyRange {
  int least = 1, most = 1;

  bool contains(int difficulty) const { return least <= difficulty && difficulty <= most; }
};

struct Question {
  std::string prompt;    // what the user says
  std::string answer;    // a number in decimal digits, or a word
  std::string kind;      // "addition", "town", …: reports are broken down by it
  std::string language;  // "en" or "ja"
  // For a word: what may not be named beside it (the other values of its kind, other people). Empty for a number. A
  // word without such a list has to stand alone.
  std::vector<std::string> wrong;
  std::vector<std::string> also;  // other right answers
  std::string given;              // the problem in the form that the task's own verifier reads, if it needs one
  int difficulty = 1;
};

// A question and how a good assistant answers it; `verify(question, solution)` holds.
struct Example {
  Question question;
  std::string solution;
};

// A line of an answer, its thoughts' lines included, and whether it holds.
struct CheckedLine {
  std::string_view text;
  bool is_right = false;
};

// How a task is to be made; what it has no use for, it ignores.
struct TaskOptions {
  std::optional<DifficultyRange> difficulties;  // within the task's own, which is the default
  int64_t held_out = 1000;                      // held-out questions, if there are so many
  double repairs = 0.15;                        // share of worked solutions with a wrong step that is repaired
  double reply_seconds = 10;                    // that a task's program may take
};

// Functions of a task may be called from several threads at a time.
class Task {
 public:
  virtual ~Task() = default;
  virtual std::string_view name() const = 0;
  virtual DifficultyRange difficulties() const { return {}; }
  virtual std::vector<Language> languages() const { return {Language::english, Language::japanese}; }
  // One practice example, drawn: a pure function of the state of `random`.
  virtual Example practice(Random& random, Language language) const = 0;
  // Held-out examples are numbered and differ from each other; languages alternate.
  virtual int64_t held_out_count() const = 0;
  virtual Example held_out(int64_t index) const = 0;
  // Whether the answer to one of its questions is right.
  virtual bool verify(const Question& question, std::string_view model_answer) const;
  // The lines of a text that works towards the answer, but for blank ones: views of it. None: the task cannot tell.
  virtual std::vector<CheckedLine> check_steps(const Question&, std::string_view /*work*/) const { return {}; }
};

// Practice example `number` of a stream, languages in turn. Nothing is remembered, so a run resumes anywhere.
Example practice_at(const Task& task, uint64_t seed, uint64_t stream, uint64_t number);

// The judge of most tasks: whether the model's answer states the right answer, and only that.
bool verify(const Question& question, std::string_view model_answer);

// Full-width ASCII and the ideographic space become ASCII, typographic minus and quotes too; letters become
// small; runs of white space become one space, none at the ends.
std::string normalize_answer(std::string_view text);
// What an answer commits to, so that answers can be compared and counted: the number, else the words, behind its last
// "answer" or 答え, else the number behind the last "=", else the last number, else all of it. Empty: nothing.
std::string committed_answer(std::string_view model_answer);
// For verifiers of other kinds of answers, in normalised text: what stands behind each "answer" and 答え, up to the
// next one; and a statement without what surrounds it: ": is **42**." is "42".
std::vector<std::string_view> marked_parts(std::string_view text);
std::string_view bare_answer(std::string_view text);
// Nobody needs more bytes to state an answer; a dump of everything does.
inline constexpr size_t kLongestAnswer = 2000;

}  // namespace fude
