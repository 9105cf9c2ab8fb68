#include "app/run_view.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "app/signals.h"
#include "base/error.h"

namespace fude {

// "AMD EPYC, Linux x86_64, 2 threads, tier avx2"
std::string machine_line(Device& device, const Kernels& kernels) {
  std::string processor = "unknown processor";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);)
    if (line.starts_with("model name") && line.find(": ") != std::string::npos) {
      processor = line.substr(line.find(": ") + 2);
      break;
    }
  utsname name{};
  ::uname(&name);
  return fmt::format("{}, {} {}, {} threads, tier {}", processor, name.sysname, name.machine, device.threads().count(),
                     kernels.name);
}

std::optional<MachineLimit> limit_of_machine(const CommonOptions& common, const Kernels& kernels, DType compute) {
  try {
    return probe_machine(common.threads, kernels, compute);
  } catch (const OutOfMemory&) { return std::nullopt; } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

int64_t trained_count(const Transformer& model, const StepOptions& step) {
  if (step.trained.empty()) return model.parameter_count();
  int64_t count = 0;
  for (const Parameter* p : step.trained) count += p->count();
  return count;
}

std::vector<std::pair<std::string, std::string>> settings_of(const Transformer& model) {
  const ModelConfig& shape = model.config();
  return {{"parameters", quantity_text(double(model.parameter_count()))},
          {"family", shape.family},
          {"shape", fmt::format("{} layers, width {}, heads {}/{} of {}, MLP {}", shape.layers, shape.width,
                                shape.heads, shape.kv_heads, shape.head_size, shape.feed_forward)},
          {"vocabulary", std::to_string(shape.vocabulary)}};
}

int64_t whole_steps(double steps) {
  constexpr double kMost = 1e9;
  require(steps <= kMost, "[train] expected at most {:.0f} steps, got {:.3g}: fewer epochs?", kMost, steps);
  return int64_t(std::ceil(steps));
}

RunView::RunView(Report report, std::string out, std::string label, const CommonOptions& common)
    : report_(std::move(report)), out_(std::move(out)), common_(common) {
  state_.label = std::move(label), state_.unit = "steps", state_.total = report_.total_steps;
}

void RunView::begin(int64_t steps_done) {
  state_.skipped = steps_done;
  if (steps_done > 0) std::fprintf(stderr, "going on after step %lld\n", (long long)steps_done);
}

std::string RunView::note_of(const StepMetrics& m, const std::vector<StepMetrics>& all) const {
  constexpr size_t kRecent = 20;
  const auto reward = std::ranges::find(m.values, "reward", &std::pair<std::string, double>::first);
  if (reward != m.values.end()) {
    double sum = 0;
    const size_t first = all.size() - std::min(all.size(), kRecent);
    for (size_t i = first; i < all.size(); ++i)
      for (const auto& [name, value] : all[i].values) sum += name == "reward" ? value : 0;
    return fmt::format("reward {:.3f}", sum / double(std::max<size_t>(1, all.size() - first)));
  }
  const Speed speed = speed_of(all, kRecent, report_.limit, report_.parameters);
  std::string note = fmt::format("loss {:.3f}  {} tok/s", m.loss, quantity_text(speed.tokens_per_second));
  if (speed.share) note += fmt::format("  {:.0f}% of limit", 100 * *speed.share);
  return note;
}

void RunView::step(const StepMetrics& m, const std::vector<StepMetrics>& all) {
  state_.done = m.step, state_.seconds = now_seconds() - began_;
  state_.note = note_of(m, all);
  if (!m.event.empty())
    std::fprintf(stderr, "\nstep %lld: %s (loss %.3f)\n", (long long)m.step, m.event.c_str(), m.loss);
  progress_.update(state_, now_seconds());
  if (common_.json) std::printf("%s\n", metrics_line(m).c_str()), std::fflush(stdout);
  if (!m.validation.empty() || !m.samples.empty() || !m.event.empty()) write(all);
}

void RunView::end(int64_t steps_done, const std::vector<StepMetrics>& all) {
  state_.done = steps_done, state_.seconds = now_seconds() - began_;
  progress_.finish(state_);
  write(all);
}

void RunView::write(const std::vector<StepMetrics>& all) {
  report_.steps = all;
  write_report(out_ + "/report.html", report_);
}

bool run_to_end(Transformer& model, const Kernels& kernels, BatchSource& source, std::vector<ValidationRows> validation,
                TrainerOptions options, RunView& view) {
  Trainer* running = nullptr;
  options.on_step = [&](const StepMetrics& m) { view.step(m, running->metrics()); };
  Trainer trainer(model, kernels, source, std::move(validation), options);
  running = &trainer;
  view.begin(trainer.resume());
  if (!interrupted) watch_interrupts();
  const bool finished = trainer.run(&interrupted);
  end_at_interrupts();
  view.end(trainer.steps_done(), trainer.metrics());
  if (!finished)
    std::fprintf(stderr, "stopped at step %lld; the same command goes on from there\n",
                 (long long)trainer.steps_done());
  return finished;
}

}  // namespace fude
