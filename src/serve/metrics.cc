#include "serve/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace fude {

void ServerMetrics::count_request(const std::string& route, int status) {
  const std::lock_guard lock(mutex_);
  ++requests_[{route, status}];
}

void ServerMetrics::count_tokens(const Usage& usage) {
  const std::lock_guard lock(mutex_);
  tokens_.prompt += usage.prompt, tokens_.cached += usage.cached, tokens_.completion += usage.completion;
}

void ServerMetrics::observe_first_token(double seconds) {
  const std::lock_guard lock(mutex_);
  ++first_token_[size_t(std::ranges::lower_bound(kBounds, seconds) - kBounds.begin())];
  first_token_sum_ += seconds;
}

std::string ServerMetrics::text(const Engine::Status& engine) const {
  const std::lock_guard lock(mutex_);
  std::string out;
  const auto family = [&](const char* name, const char* type, const char* help) {
    fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
  };
  const auto one = [&](const char* name, const char* type, const char* help, auto value) {
    family(name, type, help);
    fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
  };
  family("fude_http_requests_total", "counter", "Replies by route and status.");
  for (const auto& [key, count] : requests_)
    fmt::format_to(std::back_inserter(out), "fude_http_requests_total{{route=\"{}\",status=\"{}\"}} {}\n", key.first,
                   key.second, count);
  one("fude_prompt_tokens_total", "counter", "Tokens of prompts.", tokens_.prompt);
  one("fude_cached_prompt_tokens_total", "counter", "Of these, tokens found in pages.", tokens_.cached);
  one("fude_completion_tokens_total", "counter", "Tokens of answers.", tokens_.completion);
  one("fude_requests_queued", "gauge", "Requests that wait for their first step.", engine.queued);
  one("fude_answers_running", "gauge", "Answers with pages.", engine.running);
  one("fude_answers_waiting", "gauge", "Answers without pages.", engine.waiting);
  one("fude_pages", "gauge", "Pages of keys and values.", engine.pages);
  one("fude_pages_free", "gauge", "Pages that hold nothing.", engine.free_pages);
  one("fude_pages_known", "gauge", "Pages kept for prompts that begin alike.", engine.known_pages);
  one("fude_engine_steps_total", "counter", "Forward passes.", engine.steps);
  one("fude_preemptions_total", "counter", "Answers that had to give up their pages.", engine.preemptions);
  family("fude_time_to_first_token_seconds", "histogram", "From the request's first byte to its first token.");
  uint64_t total = 0;
  for (size_t i = 0; i <= kBounds.size(); ++i) {
    total += first_token_[i];
    fmt::format_to(std::back_inserter(out), "fude_time_to_first_token_seconds_bucket{{le=\"{}\"}} {}\n",
                   i < kBounds.size() ? fmt::format("{}", kBounds[i]) : "+Inf", total);
  }
  fmt::format_to(std::back_inserter(out),
                 "fude_time_to_first_token_seconds_sum {}\nfude_time_to_first_token_seconds_count {}\n",
                 first_token_sum_, total);
  return out;
}

}  // namespace fude
