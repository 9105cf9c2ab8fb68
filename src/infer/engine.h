// Many requests on one model at a time: docs/engine.md is its contract.
//
// What says "any thread" may be called by any; everything else by the one that owns the engine: a test that calls
// step(), or an EngineThread. An answer is a function of its request and the model. What else runs, what is known from
// before, how prompts are cut and whether an answer was interrupted changes when it comes and no bit of it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "infer/adapter_store.h"
#include "infer/draft_model.h"
#include "infer/engine_options.h"
#include "infer/intake.h"
#include "infer/scheduler.h"
#include "model/transformer.h"

namespace fude {

class Engine {
 public:
  // The model, the draft model if there is one, and the kernels must outlive the engine. Takes pages for
  // EngineOptions::cache_tokens.
  Engine(const Transformer& model, const Kernels& kernels, EngineOptions options = {});
  // Ends what is left, reason cancelled, with its events on this thread.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Any thread: what requests may name as their adapter.
  AdapterStore& adapters() { return adapters_; }

  // Any thread. Error if the request can never be served, or names an adapter that is not there; refused if the queue
  // is full. A request with choices > 1 is so many answers, of which the first computes the prompt for all.
  Submission submit(Request request, RequestEvents events);
  // Any thread. Ends what is left of a request, reason cancelled, before the next step; nothing if it has ended.
  void cancel(RequestId id);

  // One forward pass and what follows from it; false if there is nothing to do.
  bool step();
  // Steps until nothing is left.
  void run();
  // Waits until there is news for the engine, for when step() had nothing to do; false after close().
  bool wait() { return intake_.wait(); }
  // Any thread: ends wait().
  void close() { intake_.close(); }

  // To be called between steps when the parameters of the model or of an adapter have changed: nothing computed before
  // is used again, and what is running goes on with the new ones from its first token.
  void weights_changed();
  // Drops what is known of requests that have ended.
  void forget();

  struct Status {
    int64_t queued = 0;                                  // requests that wait for their first step
    int64_t running = 0, waiting = 0;                    // answers with pages, and without
    int64_t pages = 0, free_pages = 0, known_pages = 0;  // known: in the prefix tree
    int64_t steps = 0, tokens = 0;                       // run so far
    int64_t preemptions = 0;
    int64_t drafted = 0, accepted = 0;  // tokens guessed, and right
  };
  Status status();
  // Any thread.
  int64_t context() const { return options_.context; }

 private:
  struct PartRows;
  struct Draw;
  void take_news();
  void draft_ahead();
  void run_parts(const std::vector<Scheduler::Part>& parts);
  void score_prompt(const PartRows& rows);
  void pool_prompt(const PartRows& rows);
  void finish_prompt(Sequence& sequence);
  Tensor rows_of(const std::vector<Draw>& draws, size_t first, size_t last) const;
  void draw(std::vector<Draw>& draws);
  void draw_tokens(Draw& draw, const Tensor& logits_NV, const std::vector<LogitSums>& sums_N, int64_t row) const;
  void deliver(const Draw& draw);
  void finish(Sequence& sequence, FinishReason reason, int64_t tokens, const std::exception_ptr& cause = nullptr,
              std::optional<SampledToken> stop_token = {});
  void refuse(LiveRequest& live, const std::exception_ptr& cause);
  void leave_queue(LiveRequest& live);

  const Transformer& model_;
  const Kernels& kernels_;
  EngineOptions options_;
  AdapterStore adapters_;
  PagePool pool_;
  PrefixTree tree_;
  Scheduler scheduler_;
  Intake intake_;
  std::optional<DraftModel> draft_model_;
  int64_t steps_ = 0, tokens_ = 0, drafted_ = 0, accepted_ = 0;
};

}  // namespace fude
