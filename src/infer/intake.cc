#include "infer/intake.h"

#include <algorithm>
#include <utility>

namespace fude {

Submission Intake::add(Request request, RequestEvents events, StoredAdapter adapter) {
  const std::lock_guard lock(mutex_);
  const int64_t tokens = queued_tokens(request);
  if (requests_ > 0 && (requests_ >= most_requests_ || tokens_ + tokens > most_tokens_))
    return {0, std::max(1.0, double(prompt_tokens_) * seconds_per_token_)};
  ++requests_, tokens_ += tokens, prompt_tokens_ += int64_t(request.prompt.size());
  news_.arrivals.push_back({++last_id_, std::move(request), std::move(events), std::move(adapter)});
  changed_.notify_one();
  return {last_id_};
}

void Intake::cancel(RequestId id) {
  const std::lock_guard lock(mutex_);
  news_.cancelled.push_back(id);
  changed_.notify_one();
}

void Intake::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  changed_.notify_all();
}

bool Intake::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return is_closed_ || !news_.arrivals.empty() || !news_.cancelled.empty(); });
  return !is_closed_;
}

Intake::News Intake::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, {});
}

void Intake::leave(const Request& request) {
  const std::lock_guard lock(mutex_);
  --requests_, tokens_ -= queued_tokens(request), prompt_tokens_ -= int64_t(request.prompt.size());
}

void Intake::set_seconds_per_token(double seconds) {
  const std::lock_guard lock(mutex_);
  seconds_per_token_ = seconds;
}

int64_t Intake::waiting_requests() {
  const std::lock_guard lock(mutex_);
  return requests_;
}

}  // namespace fude
