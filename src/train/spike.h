// Watches the loss of each step: not a number, or far above what the last steps lead to expect.
//
// The expectation is the mean and the standard deviation of a window. A spike enters the window no higher than the
// threshold allows: one outlier hardly moves it, and a lasting new level is accepted after a while.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace fude {

struct SpikeOptions {
  int64_t window = 128;    // losses remembered
  int64_t least = 16;      // before that many losses nothing is a spike
  double threshold = 6.0;  // standard deviations above the mean
};

class SpikeDetector {
 public:
  enum class Verdict { usual, spike, not_finite };

  explicit SpikeDetector(SpikeOptions options = {}) : options_(options) {
    require(options.window >= 2 && options.least >= 2 && options.least <= options.window && options.threshold > 0,
            "[spike] expected 2 <= least <= window and a threshold above 0, got {}, {}, {}", options.least,
            options.window, options.threshold);
  }

  // How many standard deviations above the window's mean; 0 while too few losses are known. A tiny deviation counts as
  // a thousandth of the mean, so that a flat curve does not cry wolf.
  double z_score(double loss) const {
    if (int64_t(losses_.size()) < options_.least) return 0;
    const auto [mean, deviation] = moments();
    return (loss - mean) / deviation;
  }

  Verdict observe(double loss) {
    if (!std::isfinite(loss)) return Verdict::not_finite;
    const double z = z_score(loss);
    const bool is_spike = z > options_.threshold;
    if (is_spike) {
      const auto [mean, deviation] = moments();
      loss = mean + options_.threshold * deviation;
    }
    losses_.push_back(loss);
    if (int64_t(losses_.size()) > options_.window) losses_.erase(losses_.begin());
    return is_spike ? Verdict::spike : Verdict::usual;
  }

  // For a checkpoint; the options are the run's.
  Json state() const { return Json(losses_); }
  void restore(const Json& state) {
    require(state.is_array() && int64_t(state.size()) <= options_.window,
            "[spike] expected an array of at most {} losses", options_.window);
    std::vector<double> losses;
    for (const Json& loss : state) {
      require(loss.is_number(), "[spike] expected numbers, got {}", loss.type_name());
      losses.push_back(loss.get<double>());
    }
    losses_ = std::move(losses);
  }

 private:
  struct Moments {
    double mean, deviation;
  };
  Moments moments() const {
    double sum = 0, squares = 0;
    for (double x : losses_) sum += x;
    const double mean = sum / double(losses_.size());
    for (double x : losses_) squares += (x - mean) * (x - mean);
    const double deviation = std::sqrt(squares / double(losses_.size()));
    return {mean, std::max({deviation, 1e-3 * std::abs(mean), 1e-9})};
  }

  SpikeOptions options_;
  std::vector<double> losses_;  // oldest first
};

}  // namespace fude
