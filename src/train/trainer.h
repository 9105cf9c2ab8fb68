// The training loop of every stage: draw a batch, step, record, and keep checkpoints from which a killed run goes on
// bit for bit.
//
// A checkpoint is a folder (made beside its name, then renamed) with the model as a Hugging Face folder and state.fude:
// weights and moments in the kernels' order, the position of the source, the spike window, and the run's identity
// (hashes of text and tokenizer, every setting that decides the weights; "numerics": numerics_of). A run
// refuses to go on from a state of another identity, and says what differs. Checkpoints are written before any
// evaluation.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "base/file.h"
#include "train/batch_source.h"
#include "train/checkpoint_file.h"
#include "train/metrics.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/spike.h"
#include "train/step.h"

namespace fude {

// What decides the bits beside that: "f32", or the family of bf16 and how its weights are kept (docs/numerics.md).
std::string numerics_of(const Kernels& kernels, DType compute);

struct TrainerOptions {
  std::string folder;                           // checkpoints, metrics.jsonl
  std::shared_ptr<const FolderLock> lock = {};  // of the folder, if the caller has it; else the trainer takes it
  Schedule schedule;                            // schedule.steps is the length of the run
  OptimizerOptions optimizer;
  StepOptions step;
  int64_t rows_per_block = 8;    // of validation
  int64_t validate_every = 100;  // steps; 0: only at the end
  int64_t save_every = 100;
  int64_t keep_checkpoints = 2;    // the newest ones; 0: all
  bool watches_spikes = true;      // of the loss; of no use where the batches are the model's own answers
  Json identity = Json::object();  // what has to be equal to resume, by the names of options where it is one
  // Writes what is trained, with all that belongs to it (the tokenizer), into a folder; not given: save_model.
  std::function<void(const std::string& folder)> save = {};
  // Measures more of the model, in steps that validate. False: it was given up, the step is to be recorded another
  // time.
  std::function<bool(StepMetrics&)> evaluate = {};
  // What the model says now; asked for in steps that validate.
  std::function<std::vector<Sample>()> sample;
  // After every step, also after one that ends the run because its loss is not a number.
  std::function<void(const StepMetrics&)> on_step;
};

// Steps of the whole checkpoints in the folder of a run, ascending.
std::vector<int64_t> checkpoints_in(const std::string& folder);

class Trainer {
 public:
  // Model, kernels and source must outlive the trainer. Error if another one has the folder.
  Trainer(Transformer& model, const Kernels& kernels, BatchSource& source, std::vector<ValidationRows> validation,
          TrainerOptions options);

  // Goes on from the newest checkpoint of the folder, if there is one; the number of steps done. Error if it belongs to
  // another run.
  int64_t resume();
  // Trains to the end of the schedule, or until `stop` is set (then saves), the source has no batch, or `evaluate` gave
  // up: then false, and the same run goes on from there. Error if the loss or a gradient is not a number; the last
  // checkpoint stays.
  bool run(const std::atomic<bool>* stop = nullptr);

  int64_t steps_done() const { return steps_done_; }
  const std::vector<StepMetrics>& metrics() const { return metrics_->steps(); }
  // The losses over the validation sets.
  std::vector<ValidationMetrics> validate() const;
  std::string checkpoint_folder(int64_t step) const;

 private:
  void save(const StepMetrics& line);
  void write_checkpoint(const std::string& folder, const StepMetrics& line);
  Checkpoint open_newest(const std::vector<int64_t>& steps) const;
  std::string way_on() const;
  void remove_old_checkpoints() const;
  void remove_partial_checkpoints() const;
  bool record(StepMetrics line);
  void tell(const StepMetrics& line);
  NamedTensors tensors();

  Transformer& model_;
  const Kernels& kernels_;
  BatchSource& source_;
  std::vector<ValidationRows> validation_;
  TrainerOptions options_;
  Optimizer optimizer_;
  GradientSum gradients_;
  SpikeDetector spikes_;
  std::optional<MetricsFile> metrics_;
  int64_t steps_done_ = 0, tokens_done_ = 0;
  int64_t saved_step_ = 0;
  bool is_recorded_ = true;  // what was done last
};

}  // namespace fude
