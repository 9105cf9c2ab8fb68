#include "infer/score.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "infer/generate.h"

namespace fude {
std::vector<float> score(const Transformer& model, const Kernels& kernels, const std::vector<int32_t>& tokens,
                         const std::shared_ptr<const Adapter>& adapter) {
  const auto n = int64_t(tokens.size());
  require(n >= 2 && n <= model.config().context, "[score] expected 2 to {} tokens, got {}", model.config().context, n);
  Engine engine(model, kernels, {.context = n});
  std::vector<float> scores;
  if (adapter != nullptr) engine.adapters().put("given", adapter);
  engine.submit(
      {.prompt = tokens, .max_tokens = 0, .prompt_logprobs = true, .adapter = adapter == nullptr ? "" : "given"},
      {.prompt_logprobs = [&](const std::vector<float>& logprobs) { scores = logprobs; }});
  engine.run();
  return scores;
}

double Perplexity::value() const { return std::exp(nats / double(std::max<int64_t>(1, scored))); }

double Perplexity::standard_error() const {
  if (scored < 2) return 0;
  const double mean = nats / double(scored), variance = squares / double(scored) - mean * mean;
  return value() * std::sqrt(std::max(0.0, variance) / double(scored - 1));
}

Perplexity perplexity(const Transformer& model, const Kernels& kernels, const std::vector<int32_t>& tokens,
                      int64_t context, int32_t first, const std::function<bool(const Perplexity&)>& on_window,
                      const std::shared_ptr<const Adapter>& adapter) {
  require(context >= 4 && context <= model.config().context,
          "[perplexity] expected a context of 4 to {} tokens, got {}", model.config().context, context);
  require(int64_t(tokens.size()) >= context, "[perplexity] expected a text of at least {} tokens, got {}", context,
          tokens.size());
  Perplexity result;
  for (int64_t begin = 0; begin + context <= int64_t(tokens.size()); begin += context) {
    std::vector<int32_t> window(tokens.begin() + begin, tokens.begin() + begin + context);
    if (first >= 0) window.front() = first;
    const std::vector<float> scores = score(model, kernels, window, adapter);
    for (size_t i = size_t(context / 2); i < scores.size(); ++i) {
      const double nats = -double(scores[i]);
      result.nats += nats, result.squares += nats * nats, ++result.scored;
    }
    ++result.windows;
    if (!on_window(result)) break;
  }
  return result;
}

}  // namespace fude
