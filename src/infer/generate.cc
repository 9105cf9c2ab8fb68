#include "infer/generate.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/error.h"

namespace fude {

Finish generate(Engine& engine, Request request, std::function<bool(const AnswerToken&)> on_token,
                const std::atomic<bool>* cancel) {
  request.choices = 1;
  struct Result {
    Finish finish{};
    bool is_done = false;
  };
  // The engine keeps it too: it says what ends even if this function has thrown.
  const auto result = std::make_shared<Result>();
  RequestEvents events;
  events.token = std::move(on_token);
  events.finish = [result](const Finish& finish) { *result = {finish, true}; };
  const Submission submission = engine.submit(std::move(request), std::move(events));
  require(submission.is_accepted(), "[generate] the engine's queue is full");
  while (!result->is_done) {
    if (cancel != nullptr && cancel->load()) engine.cancel(submission.id);
    engine.step();
  }
  if (result->finish.cause) std::rethrow_exception(result->finish.cause);
  return result->finish;
}

Device::Usage plan_generation_memory(const WeightSource& weights, int64_t context, Precision precision, DType kv_type) {
  Device device(1, /*only_counts=*/true);
  const auto made = make_model(device, weights, precision);
  const Transformer& model = *made;
  const ModelConfig& config = model.config();
  EngineOptions options;
  if (context == 0) context = config.context;
  require(context > 0 && context <= config.context, "[generate] the model's context is {} tokens, {} were asked for",
          config.context, context);
  PagePool pool(device, config, pages_for(context), kv_type);
  std::vector<Page> pages;
  while (pool.free_pages() > 0) pages.push_back(pool.take());
  const Pass pass{device, counting_kernels()};
  PagedKv kv(pool, pass.kernels, {&pages});
  TokenBatch batch;
  for (int64_t p = 0; p < std::min(context, options.chunk); ++p) batch.positions_N.push_back(int32_t(p));
  batch.tokens_N.resize(batch.positions_N.size());
  batch.sequence_starts = {0, int32_t(batch.size())};
  const Tensor hidden_NC = model.forward(pass, batch, kv);
  model.logits(pass, Tensor(device, {1, config.width}, DType::f32));
  return device.usage();
}

}  // namespace fude
