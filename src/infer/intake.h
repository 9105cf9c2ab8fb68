// Where requests wait for the engine: the only part of it that threads share.
//
// The queue is bounded by requests and by prompt tokens, those of each choice. What does not fit is refused at once, so
// that a server can say when to come back instead of letting everybody wait. A request leaves the queue when its prompt
// begins to run.
#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "infer/adapter_store.h"
#include "infer/request.h"

namespace fude {

// What a request waits with: each choice gets a copy of the prompt.
inline int64_t queued_tokens(const Request& request) { return int64_t(request.prompt.size()) * request.choices; }

class Intake {
 public:
  Intake(int64_t most_requests, int64_t most_tokens) : most_requests_(most_requests), most_tokens_(most_tokens) {}

  struct Arrival {
    RequestId id;
    Request request;
    RequestEvents events;
    StoredAdapter adapter;
  };

  // Any thread. An empty queue takes a request of any length.
  Submission add(Request request, RequestEvents events, StoredAdapter adapter = {});
  void cancel(RequestId id);
  // Ends wait() now and from now on.
  void close();
  // Returns as soon as there is news; false if it was closed.
  bool wait();

  // The engine's thread: what came since the last call.
  struct News {
    std::vector<Arrival> arrivals;
    std::vector<RequestId> cancelled;
  };
  News take();
  // It has left the queue.
  void leave(const Request& request);
  // What a waiting token takes now, in seconds.
  void set_seconds_per_token(double seconds);
  int64_t waiting_requests();

 private:
  const int64_t most_requests_, most_tokens_;
  std::mutex mutex_;
  std::condition_variable changed_;
  News news_;
  RequestId last_id_ = 0;
  int64_t requests_ = 0, tokens_ = 0;
  int64_t prompt_tokens_ = 0;  // that have to run: the choices of a request compute their prompt once
  double seconds_per_token_ = 0;
  bool is_closed_ = false;
};

}  // namespace fude
