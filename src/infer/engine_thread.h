// An engine and the thread that owns it: what a server holds.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
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

  // As Engine has them, from any thread. Events come on the engine's thread, those of the end on the thread that
  // destroys it.
  Submission submit(Request request, RequestEvents events) {
    return engine_.submit(std::move(request), std::move(events));
  }
  void cancel(RequestId id) { engine_.cancel(id); }
  AdapterStore& adapters() { return engine_.adapters(); }
  int64_t context() const { return engine_.context(); }
  // Any thread. From now on called behind each step with its events, by the engine's thread; it returns soon and throws
  // nothing. As soon as this returns, nobody calls what was given before.
  void after_steps(std::function<void()> call) {
    const std::lock_guard lock(mutex_);
    after_step_ = std::move(call);
  }
  // As it was after the last step.
  Engine::Status status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  void work() {
    end_step();
    while (engine_.wait()) {
      while (!stop_ && engine_.step()) end_step();
      end_step();
    }
  }
  void end_step() {
    const Engine::Status status = engine_.status();
    const std::lock_guard lock(mutex_);
    status_ = status;
    if (after_step_) after_step_();
  }

  Engine engine_;
  mutable std::mutex mutex_;
  Engine::Status status_;
  std::function<void()> after_step_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace fude
