// A training run as a person sees it, whatever is trained: a line of progress, report.html, and an end that says what
// to do next.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "app/commands.h"
#include "app/pipeline.h"
#include "base/clock.h"
#include "train/report.h"
#include "train/trainer.h"

namespace fude {

// "AMD EPYC, Linux x86_64, 2 threads, tier avx2"
std::string machine_line(Device& device, const Kernels& kernels);
// Nothing where there is no room for the probe; the run may well have it.
std::optional<MachineLimit> limit_of_machine(const CommonOptions& common, const Kernels& kernels, DType compute);
// What every report says of a model.
std::vector<std::pair<std::string, std::string>> settings_of(const Transformer& model);
// How many numbers a step changes: an adapter's, or all of the model's.
int64_t trained_count(const Transformer& model, const StepOptions& step);

// As many whole steps as cover so much. Error above a billion.
int64_t whole_steps(double steps);

class RunView {
 public:
  // The report without its steps; it goes to `out`/report.html. `label` names the stage.
  RunView(Report report, std::string out, std::string label, const CommonOptions& common);

  void begin(int64_t steps_done);
  void step(const StepMetrics& m, const std::vector<StepMetrics>& all);
  void end(int64_t steps_done, const std::vector<StepMetrics>& all);

 private:
  std::string note_of(const StepMetrics& m, const std::vector<StepMetrics>& all) const;
  void write(const std::vector<StepMetrics>& all);

  Report report_;
  std::string out_;
  const CommonOptions& common_;
  Progress progress_ = progress_on_stderr();
  ProgressState state_;
  double began_ = now_seconds();
};

// Goes on where the run in options.folder stands, to its end or until Ctrl-C; then says how to go on. Returns whether
// it reached the end.
bool run_to_end(Transformer& model, const Kernels& kernels, BatchSource& source, std::vector<ValidationRows> validation,
                TrainerOptions options, RunView& view);

}  // namespace fude
