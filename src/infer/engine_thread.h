// An engine and the thread that owns it: what a server holds.
#pragma once

#include <atomic>
#include <thread>
#include <utility>

#include "infer/engine.h"

namespace fude {

class EngineThread {
 public:
  EngineThread(const Transformer& model, const Kernels& kernels, EngineOptions options = {})
      : engine_(model, kernels, std::move(options)), thread_([this] { work(); }) {}
  // Ends what is left, reason cancelled.
  ~EngineThread() {
    stop_ = true;
    engine_.close();
    thread_.join();
  }

  // As Engine has them, from any thread. Events come on the engine's thread.
  Submission submit(Request request, RequestEvents events) {
    return engine_.submit(std::move(request), std::move(events));
  }
  void cancel(RequestId id) { engine_.cancel(id); }
  AdapterStore& adapters() { return engine_.adapters(); }
  int64_t context() const { return engine_.context(); }

 private:
  void work() {
    while (engine_.wait())
      while (!stop_ && engine_.step()) {}
  }

  Engine engine_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace fude
