// One answer out of many to the same prompt: by a vote, by a scorer's judgement, or by a vote that the scorer weighs.
#pragma once

#include <string>
#include <vector>

#include "reason/budget.h"
#include "reason/sample.h"
#include "reason/scorer.h"
#include "reason/vote.h"

namespace fude {

enum class ChooseBy { vote, best, weighted };
// Error for another name than vote, best or weighted.
ChooseBy choose_by_of(std::string_view name);

// An answer to choose: what it commits to (empty: nothing), and p(right) if a scorer knows it.
struct Candidate {
  std::string key;
  double weight = 1;
};
struct Selection {
  size_t chosen = 0;
  std::vector<Vote::Answer> ranking;  // by weight; `example` is a candidate's number
};
// Of at least one. Of equal answers the one that is thought best of, else the first.
Selection select_answer(ChooseBy by, const std::vector<Candidate>& candidates);

struct ChooseOptions {
  ChooseBy by = ChooseBy::vote;
  int64_t answers = 16, max_tokens = 512;
  SamplingOptions sampling{.temperature = 1.0};
  ThinkingBudget budget{};
  std::string adapter{};
  const ScorerModel* scorer = nullptr;  // needed to judge
  bool stops_early = true;              // of a vote: once the answers that are missing cannot change it
  const std::atomic<bool>* cancel = nullptr;
};

struct ChosenAnswer {
  std::string text;                   // as the model wrote it, thoughts and all; empty if no answer has ended
  std::vector<Vote::Answer> ranking;  // what was answered, by weight; `example` is an index of `texts`
  std::vector<std::string> texts;     // of the answers that ended, in the order in which they did
  std::vector<double> weights;        // of each, p(right), or 1 without a scorer
  int64_t truncated = 0, cancelled = 0, tokens = 0;
};

// Answers are equal if they commit to the same (committed_answer). The engine must have nothing else to do. Error if a
// scorer is needed and missing.
ChosenAnswer choose_answer(Engine& engine, const Kernels& kernels, const Chat& chat, const std::vector<int32_t>& prompt,
                           const ChooseOptions& options);

}  // namespace fude
