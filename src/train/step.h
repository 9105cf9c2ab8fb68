// A step's loss and gradients: forward, loss and backward of its blocks, which are the leaves of a sum of fixed order
// (docs/numerics.md). A step has R slots; the blocks of a slot are added serially, slots in a pairwise tree:
//
//   (s0 + s1) + (s2 + s3)     s0 = block 0 + block 1 + …
//
// A worker may sum any whole subtree by itself; when their sums meet in the same tree, any number of workers
// up to R gives the same bits. Memory: one gradient, and one more for each level of the worker's tree. In a step of one
// block a layer's gradients find room where its activations were, as far as these are larger.
#pragma once

#include <deque>
#include <span>

#include "autograd/gradient_store.h"
#include "data/packing.h"
#include "model/transformer.h"
#include "train/batch_source.h"

namespace fude {

struct BatchLoss {
  double nats = 0;  // sum over targets
  int64_t targets = 0, bytes = 0, tokens = 0, padding = 0;

  double mean() const { return targets == 0 ? 0 : nats / double(targets); }
  // 0 where the bytes are not known.
  double bits_per_byte() const;
};

struct StepOptions {
  int64_t slots = 1;                      // R, a power of two; another R, other bits
  bool checkpoint_blocks = false;         // less memory, more time, the same bits
  const Adapter* adapter = nullptr;       // that all rows run with; not one with a part beside the classifier
  const Parameter* classifier = nullptr;  // in place of the model's: targets are its rows
  std::vector<Parameter*> trained = {};   // that get gradients; empty: all of the model
};

// The loss of some blocks, with the options' adapter and classifier, without gradients.
BatchLoss evaluate(const Transformer& model, const Kernels& kernels, std::span<const TokenBlock> blocks,
                   const StepOptions& options = {});
// The log-probability of each target of a block; 0 where there is none.
std::vector<float> target_logprobs(const Transformer& model, const Kernels& kernels, const TokenBlock& block,
                                   const Adapter* adapter = nullptr, float inverse_temperature = 1.0f);

class GradientSum {
 public:
  // The model must outlive it.
  GradientSum(const Transformer& model, const Kernels& kernels, StepOptions options);

  // Forgets the last sum and makes that of these blocks: the gradients of the objective of their targets. The slots
  // must divide the number of blocks.
  BatchLoss run(std::span<const TokenBlock> blocks, const Objective& objective = {});
  // The same for a worker's subtree of a step with this many targets in all; `slots` are those of the subtree.
  BatchLoss run_subtree(std::span<const TokenBlock> blocks, int64_t targets_of_step, const Objective& objective = {});
  // Where two subtrees meet.
  void add(const GradientStore& other);

  const GradientStore& gradients() const { return levels_.front(); }
  // Gives their memory back, once they have been used.
  void clear() { levels_.front().clear(); }

 private:
  double sum_slots(std::span<const TokenBlock> blocks, size_t first, int64_t slots, size_t level,
                   const Objective& objective);
  void add(size_t level, const GradientStore& other);

  const Transformer& model_;
  const Kernels& kernels_;
  StepOptions options_;
  std::vector<const Parameter*> trained_;
  std::deque<GradientStore> levels_;  // the sum, and the right-hand terms of the additions that are open
};

}  // namespace fude
