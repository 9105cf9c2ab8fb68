// An adapter that is trained: made beside a model's weights, its matrices handed to an optimiser, and in the end saved
// (peft_export.h) or merged into the weights.
//
// It begins as PEFT's does: A uniform within ±1/√K for K inputs (kaiming_uniform with a = √5, which is what torch does
// for a linear layer), B zero, so that the model says what it said before. An adapter of a file (load_adapter) may be
// trained on the same way.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/lora.h"

namespace fude {

struct LoraOptions {
  int64_t rank = 16;
  double alpha = 32;
  // Ends of module names, as q_proj or mlp.down_proj; empty: every product of the blocks, PEFT's "all-linear".
  std::vector<std::string> targets = {};
  bool is_rank_stabilised = false;
  uint64_t seed = 0;
  std::string from{};  // a folder of PEFT that is trained further; without one, matrices are new

  double scale() const;  // alpha / rank, or alpha / √rank
};

// Those of the model's places that are targets. Error if a target is none of its modules.
std::vector<AdapterPlace> targeted_places(const Transformer& model, const LoraOptions& options);

// What an adapter in a folder of PEFT was made with, to train it further. Error if its modules have ranks or scales of
// their own.
LoraOptions options_of_adapter(const std::string& folder);

// Error unless the adapter has what new_adapter makes of the options: their targets, rank and scale.
void require_options(const Transformer& model, const Adapter& adapter, const LoraOptions& options,
                     const std::string& where);

// The model must outlive it.
std::shared_ptr<Adapter> new_adapter(const Transformer& model, const LoraOptions& options);

// All matrices, in the order of their names, which are distinct.
std::vector<Parameter*> parameters(Adapter& adapter);

// Adds scale · B A to the weights, so that the model says without the adapter what it said with it, up to rounding.
// Error, and nothing has changed, if a weight has no values in f32, or is both embedding and head and so no sum for
// either.
void merge_adapter(Transformer& model, const Adapter& adapter);

}  // namespace fude
