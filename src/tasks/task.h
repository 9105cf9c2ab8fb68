// A task: questions with exact answers, and the judge of an answer.
//
// A task is the same thing to everyone who uses it: practice questions with a worked solution for the corpus, SFT and
// RL; held-out questions for evals. The two sets never meet, and `verify` decides without a model. A verifier is
// attacked by whoever is paid by it, so it takes what the answer *commits* to and refuses lists, hedges and denials.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace fude {

enum class Language { english, japanese };

// "en" or "ja".
std::string_view language_code(Language language);

struct Question {
  std::string prompt;    // what the user says
  std::string answer;    // a number in decimal digits, or a word
  std::string kind;      // "addition", "town", …: reports are broken down by it
  std::string language;  // "en" or "ja"
  // For a word: what may not be named beside it (the other values of its kind, other people). Empty for a number.
  std::vector<std::string> wrong;
};

// A question and how a good assistant answers it; `verify(question, solution)` holds.
struct Example {
  Question question;
  std::string solution;
};

class Task {
 public:
  virtual ~Task() = default;
  virtual std::string_view name() const = 0;
  // One practice example, drawn.
  virtual Example practice(Random& random, Language language) const = 0;
  // Held-out examples are numbered and differ from each other; languages alternate.
  virtual int64_t held_out_count() const = 0;
  virtual Example held_out(int64_t index) const = 0;
};

// Whether the model's answer states the right answer, and only that.
bool verify(const Question& question, std::string_view model_answer);

// Full-width ASCII and the ideographic space become ASCII, typographic minus and quotes too; letters become
// small; runs of white space become one space, none at the ends.
std::string normalize_answer(std::string_view text);

}  // namespace fude
