// A learned judge of answers: a model's own trunk with two classes in place of its vocabulary, wrong and right, asked
// at every token of an answer (Cobbe et al., "Training verifiers to solve math word problems", 2021).
//
// An answer's score is p(right), out of two things: what the scorer says at its last token, and how likely the answer
// was to the model that gave it, which the sampler knows anyway. How much each counts is fitted on answers that the
// scorer has not learned from: it becomes sure of itself on those that it has.
//
// A folder of it is a model folder whose scorer.safetensors has "score.weight", [2, C]: the name that transformers'
// models for sequence classification use; and "score.mix", the three numbers of ScoreMix.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "model/transformer.h"
#include "ops/pass.h"

namespace fude {

// log (p / (1 − p)) = verdict · (that of the scorer alone) + likelihood · log p(answer) + bias
struct ScoreMix {
  float verdict = 1, likelihood = 0, bias = 0;
};

struct ScorerModel {
  std::unique_ptr<Transformer> trunk;
  Parameter head_2C;
  ScoreMix mix;
};

struct AnswerToScore {
  std::vector<int32_t> tokens;  // of prompt and answer
  double logprob = 0;           // log p(answer | prompt), as it was sampled, before temperature and the like
};
AnswerToScore answer_to_score(const std::vector<int32_t>& prompt, std::span<const int32_t> answer, double logprob);

inline constexpr const char* kScorerFile = "scorer.safetensors";
inline constexpr int32_t kWrong = 0, kRight = 1;  // classes

// With a new head, all zero: every score is log ½.
ScorerModel make_scorer(std::unique_ptr<Transformer> trunk);
// Error if the folder is no scorer's.
ScorerModel load_scorer(Device& device, const std::string& folder);
// Error unless the scorer has the model's tokens and reads a prompt and an answer of so many: before answers are made
// that it cannot judge. `option` is what a user would lower.
void require_can_judge(const ScorerModel& scorer, const Transformer& model, int64_t prompt_tokens, int64_t max_tokens,
                       std::string_view option);
// As save_model (model/folder.h).
void save_scorer(const ScorerModel& scorer, const std::string& folder, const FolderFiles& beside);

// What the scorer says at each answer's last token, as log (p / (1 − p)), each as if it were the only one. Answers that
// begin alike are not computed once: scoring is a pass over whole answers, without a cache.
std::vector<double> verdicts(const ScorerModel& scorer, const Kernels& kernels,
                             const std::vector<AnswerToScore>& answers, int64_t block_tokens = 4096);
// log p(right) of each.
std::vector<double> score_sequences(const ScorerModel& scorer, const Kernels& kernels,
                                    const std::vector<AnswerToScore>& answers);

}  // namespace fude
