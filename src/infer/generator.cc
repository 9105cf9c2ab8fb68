#include "infer/generator.h"

#include <algorithm>

#include "base/error.h"
#include "ops/classifier_loss.h"

namespace fude {
namespace {

constexpr int64_t kPrefillChunk = 512;

int64_t context_for(const Transformer& model, int64_t wanted) {
  const int64_t most = model.config().context;
  require(wanted >= 0 && wanted <= most, "[generate] the model's context is {} tokens, {} were asked for", most,
          wanted);
  return wanted == 0 ? most : wanted;
}

}  // namespace

const char* name_of(FinishReason reason) {
  static constexpr const char* names[] = {"stop", "length", "context", "cancelled"};
  return names[int(reason)];
}

Generator::Generator(const Transformer& model, const Kernels& kernels, int64_t context)
    : model_(model),
      kernels_(kernels),
      context_(context_for(model, context)),
      cache_(model.device(), model.config().layers, model.config().kv_heads, model.config().head_size, context_) {}

std::vector<float> Generator::run(const std::vector<int32_t>& tokens) {
  // At least the last token runs again: its logits are what is asked for.
  size_t same = 0;
  while (same + 1 < tokens.size() && same < cached_.size() && cached_[same] == tokens[same]) ++same;
  cached_.resize(same);
  const Pass pass{model_.device(), kernels_};
  Tensor logprobs;
  while (cached_.size() < tokens.size()) {
    const size_t from = cached_.size(), to = std::min(tokens.size(), from + size_t(kPrefillChunk));
    TokenBatch batch;
    batch.tokens_N.assign(tokens.begin() + int64_t(from), tokens.begin() + int64_t(to));
    for (size_t p = from; p < to; ++p) batch.positions_N.push_back(int32_t(p));
    batch.sequence_starts = {0, int32_t(to - from)};
    const Tensor hidden = model_.forward(pass, batch, cache_);
    if (to == tokens.size())
      logprobs = log_softmax(pass, model_.logits(pass, hidden.slice_rows(int64_t(to - from) - 1, 1)));
    cached_.insert(cached_.end(), batch.tokens_N.begin(), batch.tokens_N.end());
  }
  return {logprobs.data<float>(), logprobs.data<float>() + logprobs.size()};
}

FinishReason Generator::generate(const std::vector<int32_t>& prompt, const GenerationOptions& options,
                                 const std::function<bool(const SampledToken&)>& on_token,
                                 const std::atomic<bool>* cancel) {
  check(options.sampling);
  require(!prompt.empty(), "[generate] expected a prompt of at least one token");
  require(int64_t(prompt.size()) < context_, "[generate] the prompt has {} tokens, the context has room for {}",
          prompt.size(), context_ - 1);
  std::vector<int32_t> tokens = prompt;
  for (int64_t made = 0; made < options.max_tokens; ++made) {
    if (cancel != nullptr && cancel->load()) return FinishReason::cancelled;
    if (int64_t(tokens.size()) >= context_) return FinishReason::context;
    const SampledToken next = sample_token(run(tokens), tokens, made, options.sampling, int64_t(tokens.size()));
    if (std::find(options.stop_tokens.begin(), options.stop_tokens.end(), next.token) != options.stop_tokens.end())
      return FinishReason::stop;
    tokens.push_back(next.token);
    if (!on_token(next)) return FinishReason::stop;
  }
  return FinishReason::length;
}

Device::Usage plan_generation_memory(const WeightSource& weights, int64_t context, Precision precision) {
  Device device(1, /*only_counts=*/true);
  const auto made = make_model(device, weights, precision);
  const Transformer& model = *made;
  const ModelConfig& config = model.config();
  context = context_for(model, context);
  KvCache cache(device, config.layers, config.kv_heads, config.head_size, context);
  const Pass pass{device, counting_kernels()};
  TokenBatch batch;
  for (int64_t p = 0; p < std::min(context, kPrefillChunk); ++p) batch.positions_N.push_back(int32_t(p));
  batch.tokens_N.resize(batch.positions_N.size());
  batch.sequence_starts = {0, int32_t(batch.size())};
  const Tensor hidden = model.forward(pass, batch, cache);
  log_softmax(pass, model.logits(pass, hidden.slice_rows(0, 1)));
  return device.usage();
}

std::vector<float> score_tokens(const Transformer& model, const Kernels& kernels, const std::vector<int32_t>& tokens) {
  require(tokens.size() >= 2 && int64_t(tokens.size()) <= model.config().context,
          "[score] expected 2 to {} tokens, got {}", model.config().context, tokens.size());
  const Pass pass{model.device(), kernels};
  TokenBatch batch{tokens, {}, {0, int32_t(tokens.size())}};
  for (size_t p = 0; p < tokens.size(); ++p) batch.positions_N.push_back(int32_t(p));
  std::vector<int32_t> targets(tokens.begin() + 1, tokens.end());
  targets.push_back(-1);
  BatchKv kv;
  std::vector<float> loss_N =
      classifier_loss(pass, model.forward(pass, batch, kv), model.classifier(), targets, nullptr, 1);
  loss_N.pop_back();
  for (float& value : loss_N) value = -value;
  return loss_N;
}

}  // namespace fude
