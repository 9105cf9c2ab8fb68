// One conversation on one model: a key/value cache, and tokens out of it.
//
// The cache keeps the tokens it has seen; a prompt that begins with them (the next turn of a chat) runs only the rest.
// Because prefill equals decode bit for bit, that never changes an answer.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "infer/sampler.h"
#include "model/load.h"

namespace fude {

struct GenerationOptions {
  SamplingOptions sampling;
  int64_t max_tokens = 256;
  std::vector<int32_t> stop_tokens;  // end the answer; not part of it
};

enum class FinishReason { stop, length, context, cancelled };
const char* name_of(FinishReason reason);

class Generator {
 public:
  // `context`: positions of the cache, at most the model's; 0: the model's. The model must outlive the generator.
  Generator(const Transformer& model, const Kernels& kernels, int64_t context = 0);

  // Gives out tokens one by one; `on_token` returns false to end the answer (reason stop). Error for an empty prompt or
  // one that leaves no room in the context. `cancel`, if given, is read before each token.
  FinishReason generate(const std::vector<int32_t>& prompt, const GenerationOptions& options,
                        const std::function<bool(const SampledToken&)>& on_token,
                        const std::atomic<bool>* cancel = nullptr);

  int64_t context() const { return context_; }
  // Forgets the cached tokens (after the weights changed).
  void reset() { cached_.clear(); }

 private:
  // Runs tokens from the first that is not cached; log-probabilities after the last.
  std::vector<float> run(const std::vector<int32_t>& tokens);

  const Transformer& model_;
  const Kernels& kernels_;
  int64_t context_;
  KvCache cache_;
  std::vector<int32_t> cached_;
};

// Bytes by purpose at the high-water mark of generating with a context of so many tokens (0: the model's), prompt
// included.
Device::Usage plan_generation_memory(const WeightSource& weights, int64_t context, Precision precision);

// The log-probability of each token after the first, given those before it (nats).
std::vector<float> score_tokens(const Transformer& model, const Kernels& kernels, const std::vector<int32_t>& tokens);

}  // namespace fude
