// What an engine is given to work with.
#pragma once

#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "tensor/dtype.h"

namespace fude {

class Transformer;

struct EngineOptions {
  int64_t context = 0;              // positions of a sequence; 0: the model's
  int64_t cache_tokens = 0;         // positions in pages, of all sequences; 0: as many as one sequence may have
  DType kv = DType::f32;            // in which keys and values are kept: f32 (as training has them, whatever the model
                                    // computes in), bf16, i8; the fewer bits, the less exact
  int64_t batch = 64;               // sequences that run at a time
  int64_t chunk = 512;              // prompt tokens in a step at most
  double step_seconds = 0.05;       // prompt tokens wait where a step would take longer than this, or than twice what
                                    // its answers alone take; 0: never
  int64_t queued_requests = 1024;   // that wait for their first step
  int64_t queued_tokens = 1 << 20;  // of their prompts, for each choice
  double ageing_seconds = 10;       // waited for, that count as much as one priority more
  int64_t drafts = 0;               // tokens guessed ahead in a step: by the draft model, or from what came before
  const Transformer* draft_model = nullptr;  // a smaller one with the same tokens, on the same device
  bool shares_prefixes = true;               // keep pages of what was computed, for prompts that begin alike
  std::function<double()> clock = now_seconds;
};

}  // namespace fude
