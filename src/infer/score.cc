#include "infer/score.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ops/classifier_loss.h"

namespace fude {
namespace {

// Rows that go through the model, and rows of which logits are kept, at a time.
constexpr int64_t kScoredChunk = 512, kLogitRows = 64;

}  // namespace

std::vector<float> score(const Transformer& model, const Kernels& kernels, const std::vector<int32_t>& tokens) {
  const ModelConfig& c = model.config();
  const int64_t n = int64_t(tokens.size());
  require(n >= 2 && n <= c.context, "[score] expected 2 to {} tokens, got {}", c.context, n);
  const Pass pass{model.device(), kernels};
  KvCache cache(model.device(), c.layers, c.kv_heads, c.head_size, n);
  std::vector<float> scores;
  for (int64_t from = 0; from < n - 1; from += kScoredChunk) {
    const int64_t to = std::min(n - 1, from + kScoredChunk);
    TokenBatch batch;
    batch.tokens_N.assign(tokens.begin() + from, tokens.begin() + to);
    for (int64_t p = from; p < to; ++p) batch.positions_N.push_back(int32_t(p));
    batch.sequence_starts = {0, int32_t(to - from)};
    const Tensor hidden_NC = model.forward(pass, batch, cache);
    for (int64_t row = 0; row < to - from; row += kLogitRows) {
      const int64_t rows = std::min(kLogitRows, to - from - row);
      const Tensor logprobs_NV = log_softmax(pass, model.logits(pass, hidden_NC.slice_rows(row, rows)));
      for (int64_t r = 0; r < rows; ++r) {
        const int32_t next = tokens[size_t(from + row + r + 1)];
        require(next >= 0 && next < c.vocabulary, "[score] expected tokens below {}, got {}", c.vocabulary, next);
        scores.push_back(logprobs_NV.data<float>()[r * logprobs_NV.cols() + next]);
      }
    }
  }
  return scores;
}

double Perplexity::value() const { return std::exp(nats / double(std::max<int64_t>(1, scored))); }

double Perplexity::standard_error() const {
  if (scored < 2) return 0;
  const double mean = nats / double(scored), variance = squares / double(scored) - mean * mean;
  return value() * std::sqrt(std::max(0.0, variance) / double(scored - 1));
}

Perplexity perplexity(const Transformer& model, const Kernels& kernels, const std::vector<int32_t>& tokens,
                      int64_t context, int32_t first, const std::function<bool(const Perplexity&)>& on_window) {
  require(context >= 4 && context <= model.config().context,
          "[perplexity] expected a context of 4 to {} tokens, got {}", model.config().context, context);
  require(int64_t(tokens.size()) >= context, "[perplexity] expected a text of at least {} tokens, got {}", context,
          tokens.size());
  Perplexity result;
  for (int64_t begin = 0; begin + context <= int64_t(tokens.size()); begin += context) {
    std::vector<int32_t> window(tokens.begin() + begin, tokens.begin() + begin + context);
    if (first >= 0) window.front() = first;
    const std::vector<float> scores = score(model, kernels, window);
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
