// What a run trains and leaves behind: all weights of a model, or an adapter beside it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "model/lora_training.h"
#include "text/tokenizer.h"
#include "train/trainer.h"

namespace fude {

// Error if a run in the folder `out` would write its result over the model, or the adapter, that it begins from.
void require_elsewhere(const std::string& model, const std::optional<LoraOptions>& lora, const std::string& out);

class TrainedWeights {
 public:
  // With `lora` an adapter, whose files call the model `base`. Model and tokenizer must outlive it.
  TrainedWeights(Transformer& model, const Tokenizer& tokenizer, std::string base, std::optional<LoraOptions> lora);
  TrainedWeights(const TrainedWeights&) = delete;
  TrainedWeights& operator=(const TrainedWeights&) = delete;

  // Null where the model itself is trained.
  const std::shared_ptr<Adapter>& adapter() const { return adapter_; }
  // What the trainer's steps change, and how it is saved; this must outlive the options.
  void put_into(TrainerOptions& options) const;
  // The result of the run in `out`; says where it is.
  void finish(const std::string& out) const;

 private:
  void save(const std::string& folder) const;

  Transformer& model_;
  const Tokenizer& tokenizer_;
  std::string base_;
  std::optional<LoraOptions> lora_;
  std::shared_ptr<Adapter> adapter_;
};

}  // namespace fude
