// One request run to its end on the caller's own engine and thread.
#pragma once

#include <atomic>
#include <functional>

#include "infer/engine.h"
#include "model/load.h"

namespace fude {

// Gives out the tokens of the first choice one by one; `on_token`, if given, returns false to end the answer (reason
// stop). `cancel`, if given, is read before each step. Error if the request cannot be served or fails. The engine must
// have nothing else to do.
Finish generate(Engine& engine, Request request, std::function<bool(const AnswerToken&)> on_token = {},
                const std::atomic<bool>* cancel = nullptr);

// Bytes by purpose at the high-water mark of an engine's work on one sequence with a context of so many tokens (0: the
// model's), prompt included.
Device::Usage plan_generation_memory(const WeightSource& weights, int64_t context, Precision precision,
                                     DType kv = DType::f32);

}  // namespace fude
