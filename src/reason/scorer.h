// A learned judge of answers: a model's own trunk with two classes in place of its vocabulary, wrong and right, asked
// at every token of an answer (Cobbe et al., "Training verifiers to solve math word problems", 2021). What it says at
// the last token is the answer's score.
//
// A folder of it is a model folder whose scorer.safetensors has "score.weight", [2, C]: the name that transformers'
// models for sequence classification use.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/transformer.h"
#include "ops/pass.h"

namespace fude {

struct ScorerModel {
  std::unique_ptr<Transformer> trunk;
  Parameter head_2C;
};

inline constexpr const char* kScorerFile = "scorer.safetensors";
inline constexpr int32_t kWrong = 0, kRight = 1;  // classes

// With a new head, all zero: every score is log ½.
ScorerModel make_scorer(std::unique_ptr<Transformer> trunk);
// Error if the folder is no scorer's.
ScorerModel load_scorer(Device& device, const std::string& folder);
void save_scorer(const ScorerModel& scorer, const std::string& folder);

// log p(right) at the last token of each sequence, each as if it were the only one. Sequences that begin alike are not
// computed once: scoring is a pass over whole answers, without a cache.
std::vector<double> score_sequences(const ScorerModel& scorer, const Kernels& kernels,
                                    const std::vector<std::vector<int32_t>>& sequences, int64_t block_tokens = 4096);

}  // namespace fude
