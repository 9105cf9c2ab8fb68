// What the server has done, for Prometheus: counters since it started, and a histogram of how long the first token
// took.
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <string>

#include "infer/engine.h"
#include "serve/chat_writer.h"

namespace fude {

class ServerMetrics {
 public:
  // `route`: one of those that there are, never what a client sent.
  void count_request(const std::string& route, int status);
  void count_tokens(const Usage& usage);
  void observe_first_token(double seconds);
  // In Prometheus' text format.
  std::string text(const Engine::Status& engine) const;

 private:
  static constexpr std::array<double, 10> kBounds = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60};
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, uint64_t> requests_;
  Usage tokens_;
  std::array<uint64_t, kBounds.size() + 1> first_token_{};  // by the bound they are below; the last: above all
  double first_token_sum_ = 0;
};

}  // namespace fude
