// The nested age puzzles of ages.h: what is said, what follows from it, and both in words.
//
// People are 0 and 1, of ages a and b now. The innermost moment is when someone's age was a share of the sum of the
// present ages; each further one is when someone is so many times as old as someone was or will be at the moment
// inside. Now someone is as old as the other one is at the outermost moment.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "tasks/rational.h"
#include "tasks/task.h"

namespace fude {

struct Moment {
  int who = 0;     // whose age tells the moment
  Rational times;  // of the sum of the present ages, or of the age of `whom` at the moment inside
  int whom = 0;    // not used by the innermost moment
};

using AgeNest = std::vector<Moment>;  // innermost first

// An age as a multiple of a plus a multiple of b.
struct LinearAge {
  Rational of_a, of_b;
};

struct SolvedNest {
  struct Step {
    LinearAge who, other;  // at the moment
    bool is_past = false;
  };
  std::vector<Step> steps;
  int64_t a = 0, b = 0;  // the ratio of the ages in lowest terms
};

// Nothing if it has no solution, or one with ages that are not positive, or with a moment that is now.
std::optional<SolvedNest> solve(const AgeNest& nest);

// How a person is spoken of.
using Names = std::string[2];

std::string nest_text(const AgeNest& nest, const SolvedNest& solved, Language language, const Names& names);
// The lines of the solution up to the equation for a and b.
std::string nest_work(const AgeNest& nest, const SolvedNest& solved, Language language, const Names& names);

AgeNest draw_nest(Random& random, int moments);

}  // namespace fude
