// The task of adding and subtracting two-digit numbers, with the steps written out digit by digit as on paper.
//
// A small model cannot add in its head but can follow steps: each line of work is one table look-up. One
// operand pair in ten, chosen by hash, is held out; "a + b" and "b + a" share their fate.
#pragma once

#include <string>
#include <vector>

#include "tasks/task.h"

namespace fude {

struct Sum {
  int left = 0;
  char sign = '+';  // or '-'
  int right = 0;

  int result() const { return sign == '+' ? left + right : left - right; }
};

class Arithmetic : public Task {
 public:
  explicit Arithmetic(uint64_t seed);

  std::string_view name() const override { return "arithmetic"; }
  Example practice(Random& random, Language language) const override;
  int64_t held_out_count() const override { return int64_t(held_out_.size()); }
  Example held_out(int64_t index) const override;

  // Whether this operand pair never appears in practice.
  bool held_out(const Sum& sum) const;
  // A practice sum: operands from 10 to 99, differences not negative.
  Sum practice_sum(Random& random) const;

 private:
  uint64_t seed_;
  std::vector<Sum> held_out_;  // in random order
};

// "27 + 15"
std::string sum_text(const Sum& sum);
// "27 + 15: 7 + 5 = 12, write 2, carry 1. 2 + 1 + 1 = 4. The answer is 42."
std::string worked_solution(const Sum& sum, Language language);
// The question in its `variant`-th phrasing (modulo their number), among them little stories.
Example arithmetic_example(const Sum& sum, Language language, uint64_t variant);

}  // namespace fude
