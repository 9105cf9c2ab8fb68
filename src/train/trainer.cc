#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "data/identity.h"
#include "model/folder.h"
#include "train/flop.h"

namespace fude {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kCheckpointPrefix = "checkpoint-";

void require_same_run(const Json& saved, const Json& now, const std::string& folder) {
  const std::string all = differences(saved, now);
  require(all.empty(), "[train] {} belongs to another run: {}; use another --out folder, or the old settings", folder,
          all);
}

std::optional<double> bits_per_byte(const BatchLoss& loss) {
  return loss.bytes > 0 ? std::optional(loss.bits_per_byte()) : std::nullopt;
}

}  // namespace

std::vector<int64_t> checkpoints_in(const std::string& folder) {
  std::vector<int64_t> steps;
  if (!fs::is_directory(folder)) return steps;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const std::string digits = name.starts_with(kCheckpointPrefix) ? name.substr(kCheckpointPrefix.size()) : "";
    if (digits.empty() || digits.size() > 12 || digits.find_first_not_of("0123456789") != std::string::npos) continue;
    steps.push_back(std::stoll(digits));
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::string numerics_of(const Kernels& kernels, DType compute) {
  return compute == DType::f32 ? "f32" : fmt::format("{}, weights in halves", kernels.bf16);
}

Trainer::Trainer(Transformer& model, const Kernels& kernels, BatchSource& source,
                 std::vector<ValidationRows> validation, TrainerOptions options)
    : model_(model),
      kernels_(kernels),
      source_(source),
      validation_(std::move(validation)),
      options_(std::move(options)),
      optimizer_(model.device(), kernels, options_.step.trained.empty() ? model.parameters() : options_.step.trained,
                 options_.optimizer),
      gradients_(model, kernels, options_.step) {
  options_.schedule.check();
  // As a checkpoint gives it back: null for what is not finite, and valid UTF-8.
  options_.identity = parse_json(options_.identity.dump(-1, ' ', false, Json::error_handler_t::replace), "identity");
  require(options_.rows_per_block >= 1, "[train] expected at least one row at a time");
  make_directories(options_.folder);
  if (!options_.lock) options_.lock = std::make_shared<FolderLock>(options_.folder);
  require(options_.lock->is_held(), "[train] another process is training into {}", options_.folder);
}

std::string Trainer::checkpoint_folder(int64_t step) const {
  return fmt::format("{}/{}{:08}", options_.folder, kCheckpointPrefix, step);
}

NamedTensors Trainer::tensors() {
  NamedTensors all;
  for (const Parameter* p : optimizer_.parameters())
    for (auto& [ending, tensor] : p->master()) all.emplace_back(p->name() + ending, tensor);
  for (auto& moment : optimizer_.state()) all.push_back(moment);
  return all;
}

Checkpoint Trainer::open_newest(const std::vector<int64_t>& steps) const {
  const std::string newest = checkpoint_folder(steps.back());
  try {
    return Checkpoint(newest);
  } catch (const OutOfMemory&) { throw; } catch (const Error& error) {
    if (steps.size() == 1) throw;
    fail("{}; remove {}, and the run goes on from {}", error.what(), newest,
         checkpoint_folder(steps[steps.size() - 2]));
  }
}

int64_t Trainer::resume() {
  remove_partial_checkpoints();
  const auto steps = checkpoints_in(options_.folder);
  if (steps.empty()) {
    metrics_.emplace(options_.folder + "/metrics.jsonl", -1);
    return 0;
  }
  const std::string folder = checkpoint_folder(steps.back());
  const Checkpoint checkpoint = open_newest(steps);
  const Json& user = checkpoint.user();
  require(user.is_object() && user.contains("identity") && user.contains("source") && user.contains("spikes") &&
              user.contains("line"),
          "[train] {}: the state of the run is not complete", folder);
  require_same_run(user["identity"], options_.identity, folder);
  checkpoint.restore(tensors());
  source_.restore(user["source"], folder);
  spikes_.restore(user["spikes"]);
  steps_done_ = saved_step_ = json_integer(user, "step", folder);
  tokens_done_ = json_integer(user, "tokens", folder);
  optimizer_.set_steps_done(json_integer(user, "optimizer_steps", folder));
  metrics_.emplace(options_.folder + "/metrics.jsonl", steps_done_);
  if (metrics_->steps().empty() || metrics_->steps().back().step < steps_done_)
    is_recorded_ = record(parse_metrics_line(json_string(user, "line", folder), folder));
  remove_old_checkpoints();  // a killed run may have got no further than half of one
  return steps_done_;
}

void Trainer::save(const StepMetrics& line) {
  const std::string folder = checkpoint_folder(steps_done_), partial = folder + ".partial";
  std::error_code error;
  try {
    fs::remove_all(partial);
    write_checkpoint(partial, line);
  } catch (...) {  // the room may be needed
    fs::remove_all(partial, error);
    throw;
  }
  fs::remove_all(folder);
  fs::rename(partial, folder, error);
  require(!error, "[train] cannot rename {}: {}", partial, error.message());
  saved_step_ = steps_done_;
  remove_old_checkpoints();
}

void Trainer::write_checkpoint(const std::string& folder, const StepMetrics& line) {
  if (options_.save)
    options_.save(folder);
  else
    save_model(model_, folder);
  save_checkpoint(folder, tensors(),
                  {{"step", steps_done_},
                   {"tokens", tokens_done_},
                   {"optimizer_steps", optimizer_.steps_done()},
                   {"identity", options_.identity},
                   {"line", metrics_line(line)},
                   {"source", source_.state()},
                   {"spikes", spikes_.state()}});
}

// Of a run whose settings do not work: only one with others, in another folder, can go on.
std::string Trainer::way_on() const {
  const std::string how = "in another --out folder, with a lower learning rate or stronger clipping";
  if (saved_step_ == 0 || options_.step.classifier != nullptr) return "begin again " + how;
  return fmt::format("begin a new run {}, from the {} {}", how, options_.step.adapter != nullptr ? "adapter" : "model",
                     checkpoint_folder(saved_step_));
}

// What was left by a run that was killed while it saved: the step may not be saved again.
void Trainer::remove_partial_checkpoints() const {
  std::vector<fs::path> partial;
  for (const auto& entry : fs::directory_iterator(options_.folder))
    if (entry.path().extension() == ".partial" && entry.path().filename().string().starts_with(kCheckpointPrefix))
      partial.push_back(entry.path());
  for (const fs::path& path : partial) fs::remove_all(path);
}

void Trainer::remove_old_checkpoints() const {
  const auto steps = checkpoints_in(options_.folder);
  if (options_.keep_checkpoints > 0)
    for (size_t i = 0; i + size_t(options_.keep_checkpoints) < steps.size(); ++i)
      fs::remove_all(checkpoint_folder(steps[i]));
}

std::vector<ValidationMetrics> Trainer::validate() const {
  std::vector<ValidationMetrics> result;
  for (const ValidationRows& set : validation_) {
    BatchLoss total;
    for (int64_t row = 0; row < set.rows(); row += options_.rows_per_block) {
      const TokenBlock block = set.block(row, std::min(options_.rows_per_block, set.rows() - row));
      const BatchLoss part = evaluate(model_, kernels_, {&block, 1}, options_.step);
      total.nats += part.nats, total.targets += part.targets, total.bytes += part.bytes;
    }
    result.push_back({set.name(), total.mean(), bits_per_byte(total)});
  }
  return result;
}

// What follows a step and its checkpoint; resume() makes up for it if a run was killed in between.
bool Trainer::record(StepMetrics line) {
  const bool is_last = line.step == options_.schedule.steps;
  if (is_last || (options_.validate_every > 0 && line.step % options_.validate_every == 0)) {
    line.validation = validate();
    if (options_.sample) line.samples = options_.sample();
    if (options_.evaluate && !options_.evaluate(line)) return false;
  }
  tell(line);
  return true;
}

void Trainer::tell(const StepMetrics& line) {
  metrics_->append(line);
  if (options_.on_step) options_.on_step(line);
}

bool Trainer::run(const std::atomic<bool>* stop) {
  if (!metrics_) resume();
  if (!is_recorded_) return false;
  while (steps_done_ < options_.schedule.steps) {
    const double began = now_seconds();
    const Batch batch = source_.next();
    if (batch.blocks.empty()) {
      if (saved_step_ < steps_done_) save(metrics_->steps().back());
      return false;
    }
    const BatchLoss loss = gradients_.run(batch.blocks, batch.objective);
    StepMetrics line;
    line.step = steps_done_ + 1, line.tokens = tokens_done_ + loss.tokens;
    line.loss = loss.mean(), line.bits_per_byte = bits_per_byte(loss);
    line.learning_rate = options_.schedule.at(steps_done_);
    line.flop = step_flop(model_.config(), batch.blocks, options_.step.adapter == nullptr);
    auto verdict = spikes_.observe(line.loss);
    if (!options_.watches_spikes && verdict == SpikeDetector::Verdict::spike) verdict = SpikeDetector::Verdict::usual;
    if (verdict == SpikeDetector::Verdict::spike) line.event = "loss spike";
    if (verdict != SpikeDetector::Verdict::not_finite)
      line.gradient_norm = optimizer_.step(gradients_.gradients(), float(line.learning_rate));
    gradients_.clear();
    source_.learned(line);
    line.seconds = now_seconds() - began;
    if (!std::isfinite(line.loss) || !std::isfinite(line.gradient_norm)) {
      // In place of what the source has to say: it is why the run ends.
      line.event = std::isfinite(line.loss) ? "gradient is not a number" : "loss is not a number";
      tell(line);  // for the report; it is dropped when the run goes on from a checkpoint
      fail("[train] step {}: the {}; {}", line.step, line.event, way_on());
    }
    steps_done_ = line.step, tokens_done_ = line.tokens;
    const bool is_last = steps_done_ == options_.schedule.steps;
    const bool must_stop = stop != nullptr && stop->load();
    if (is_last || must_stop || (options_.save_every > 0 && steps_done_ % options_.save_every == 0)) save(line);
    is_recorded_ = record(line);
    if (!is_recorded_ && saved_step_ < steps_done_) save(line);
    if (!is_recorded_ || (must_stop && !is_last)) return false;
  }
  return true;
}

}  // namespace fude
