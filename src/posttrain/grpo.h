// Group-relative policy optimisation over tasks with exact verifiers, as a source of batches for the trainer.
//
// A rollout draws practice questions, has the engine answer each several times with the very weights that are being
// trained, and lets the task's verifier pay. Groups whose answers are all right or all wrong teach nothing and are
// replaced by further questions (DAPO's dynamic sampling). Sampler and trainer share one set of weights in one process,
// so what the sampler said of each token is what the trainer sees; this is checked in every rollout and any difference
// ends the run. The position is a count of drawn questions, and the answers in between two updates of one rollout.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "eval/task_eval.h"
#include "posttrain/doctor.h"
#include "posttrain/policy_objective.h"
#include "train/batch_source.h"

namespace fude {

struct GrpoOptions {
  int64_t questions = 16, answers = 8;  // of a rollout; answers to each question
  int64_t max_tokens = 256;
  double temperature = 1;
  int64_t minibatches = 1;         // updates that share a rollout's answers
  int64_t epochs = 1;              // times that they are gone through
  bool skips_equal_groups = true;  // ask further questions in place of those whose answers are worth the same
  int64_t most_rounds = 3;         // of asking
  bool learns_truncated = true;    // else cut-off answers are not learned from
  int64_t overlong_from = 0;       // answers beyond so many tokens lose up to 1 at max_tokens; 0: none
  std::optional<bool> enable_thinking{};
  PolicyOptions policy;
  int64_t block_tokens = 4096;  // of a leaf of the gradient sum, about
  int64_t slots = 1;            // leaves are a multiple of these
  int64_t show_every = 20;      // steps between samples that are shown
  uint64_t seed = 0;
};

// An answer to learn from.
struct Rollout {
  std::vector<int32_t> prompt, answer;
  // Of each token of the answer: as the engine drew it; later of the distribution that is learned.
  std::vector<float> logprobs;
  std::vector<float> reference;  // likewise, of the reference model; empty without one
  double reward = 0;
  bool is_right = false, is_truncated = false;
  bool operator==(const Rollout&) const = default;
};

class GrpoBatches final : public BatchSource {
 public:
  struct Parts {
    const Transformer& model;
    const Kernels& kernels;
    Engine& engine;  // of that model, with nothing else to do
    const Chat& chat;
    const Task& task;
    std::string adapter_name{};        // at the engine, when an adapter is trained
    const Adapter* adapter = nullptr;  // the same
    // The weights that a kl is measured against, run without adapter; needed with one. Of an adapter it is the model.
    const Transformer* reference = nullptr;
  };

  // All of the parts must outlive it. `cancel`: next() gives up its rollout and returns no blocks; nothing has changed.
  GrpoBatches(Parts parts, GrpoOptions options, const std::atomic<bool>* cancel = nullptr);

  Batch next() override;
  void learned(StepMetrics& line) override;
  Json state() const override;
  void restore(const Json& state, std::string_view where) override;

 private:
  struct Rollouts {
    std::vector<Rollout> answers;  // in groups
    int64_t groups_asked = 0, groups_equal = 0;
    double reward = 0, right = 0, tokens = 0, truncated = 0;  // means over all that was asked
    double seconds = 0;
    std::string question, shown;  // one of them, for people
  };

  bool roll_out();
  void look_again();
  double reward_of(const GradedAnswer& answer) const;

  Parts parts_;
  GrpoOptions options_;
  const std::atomic<bool>* cancel_;
  int64_t drawn_ = 0;  // questions, since the run began
  Rollouts rollouts_;
  int64_t next_update_ = 0;  // of the rollout; 0: a new one is due
  std::unique_ptr<PolicyObjective> objective_;
  Doctor doctor_;
};

}  // namespace fude
