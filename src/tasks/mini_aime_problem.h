// The problems of mini_aime.h: definitions that use each other, how they are drawn, written, read and worked out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace fude {

// A number, or what an earlier definition says.
struct Operand {
  int definition = -1;
  int number = 0;
};

// operands[0] signs[0] operands[1] signs[1] …, from left to right; only a first sign is '*' or '%', so that this is the
// usual precedence too.
struct Definition {
  std::vector<Operand> operands;
  std::string signs;
  int value = 0;
};

// Each definition uses the one before it; the last one is asked for.
using AimeProblem = std::vector<Definition>;

// `operations` of them; in a story, each definition changes the value before it by one number.
AimeProblem draw_aime_problem(Random& random, int operations, bool is_story);

// Of a definition: 'a', 'b', …
char definition_name(size_t index);
// "a * 3 - 2", or with the values of what it uses: "7 * 3 - 2".
std::string definition_text(const AimeProblem& problem, size_t index, bool with_values);
// "7 * 3 - 2 = 21 - 2 = 19", or ending in another value.
std::string definition_work(const AimeProblem& problem, size_t index, int value);

// "a = 7; b = a * 3 - 2", and the values of its definitions, read again. Error if it is not a problem.
std::string problem_text(const AimeProblem& problem);
std::vector<int64_t> problem_values(std::string_view text);

}  // namespace fude
