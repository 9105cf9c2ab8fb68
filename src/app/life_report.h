// What became of a life, on one page: every generation's answers to the same questions, side by side, with the scores.
#pragma once

#include <string>
#include <vector>

#include "eval/task_eval.h"

namespace fude {

struct LifeGeneration {
  std::string name;
  std::vector<GradedQuestion> world, problems;  // one answer to each
};

struct LifeReport {
  std::string folder;
  std::vector<LifeGeneration> generations;
  std::vector<GradedQuestion> tries;  // of the last: many answers to each problem, weighed by the judge
};

// Right at one try, by a vote of all, by a vote that the judge weighs, by the judge alone; and what lies between the
// first two and the last two.
struct WayToChoose {
  std::string name;
  Estimate estimate;
  bool is_difference = false;
};
std::vector<WayToChoose> ways_to_choose(const std::vector<GradedQuestion>& tries);

// Writes folder/report.html.
void write_life_report(const LifeReport& report);

}  // namespace fude
