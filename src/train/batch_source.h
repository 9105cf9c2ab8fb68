// Where a run's batches come from, with a position that is exact: text for pre-training, chats for SFT, a model's own
// answers for reinforcement learning. The trainer sees token blocks and how their targets' log-probabilities count; it
// does not know which algorithm is being run.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "data/loader.h"
#include "train/metrics.h"

namespace fude {

// What the targets of a step's blocks count for. With no slope: the mean of -log p over all targets.
struct Objective {
  // d objective / d(-log p) of a block's row. Asked once for every row with a target, by several threads.
  std::function<float(size_t block, int64_t row, float logprob)> slope = {};
  // p is the softmax of logits times this.
  float inverse_temperature = 1.0f;
};

struct Batch {
  std::vector<TokenBlock> blocks;  // the leaves of the gradient sum
  Objective objective = {};        // may refer to the source, until its next batch
};

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // Without blocks: the run was interrupted; the position is as before.
  virtual Batch next() = 0;
  // After the step that learned from the last batch: adds what is to be recorded of it.
  virtual void learned(StepMetrics&) {}
  // The position: with the same weights, equal states give equal batches.
  virtual Json state() const = 0;
  // Error, naming `where`, if the state is not one of this source.
  virtual void restore(const Json& state, std::string_view where) = 0;
};

// Of a loader: so many blocks of so many rows a step. Blocks that hold no target all together (rows may be full of the
// end marks of documents that filled rows by themselves) are passed over.
class LoadedBatches final : public BatchSource {
 public:
  LoadedBatches(Loader& loader, int64_t blocks, int64_t rows) : loader_(loader), blocks_(blocks), rows_(rows) {}

  Batch next() override;
  Json state() const override;
  void restore(const Json& state, std::string_view where) override;

 private:
  Loader& loader_;
  int64_t blocks_, rows_;
};

}  // namespace fude
