#include "infer/score.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "infer/generate.h"

namespace fude {
namespace {

// Positions in pages where many passages are scored: for what begins alike, or for one step where nothing does.
constexpr int64_t kPassageTokens = 8192, kWindowTokens = 512;

using OnScored = std::function<bool(size_t, const std::vector<PromptToken>&)>;

void score_within(int64_t room, const Transformer& model, const Kernels& kernels,
                  const std::vector<ScoredPassage>& passages, const OnScored& on_scored,
                  const std::shared_ptr<const Adapter>& adapter, DType kv) {
  int64_t longest = 0, total = 0;
  for (const ScoredPassage& passage : passages) {
    check(passage, model.config().context, "[score]");
    const auto n = int64_t(passage.tokens.size());
    longest = std::max(longest, n), total += n;
  }
  if (passages.empty()) return;
  Engine engine(model, kernels,
                {.context = longest, .cache_tokens = std::min(total, std::max(longest, room)), .kv = kv});
  if (adapter != nullptr) engine.adapters().put("given", adapter);
  bool goes_on = true;
  std::exception_ptr cause;
  for (size_t next = 0; goes_on;) {
    while (next < passages.size()) {
      const ScoredPassage& passage = passages[next];
      const Submission submission = engine.submit(
          {.prompt = passage.tokens,
           .max_tokens = 0,
           .top_logprobs = passage.top,
           .prompt_logprobs_from = passage.from,
           .adapter = adapter == nullptr ? "" : "given"},
          {.prompt_tokens =
               [&, next](const std::vector<PromptToken>& scores) { goes_on = goes_on && on_scored(next, scores); },
           .finish =
               [&](const Finish& finish) {
                 if (finish.cause) cause = finish.cause;
               }});
      if (!submission.is_accepted()) break;
      ++next;
    }
    if (!engine.step()) break;
    if (cause) std::rethrow_exception(cause);
  }
}

}  // namespace

void check(const ScoredPassage& passage, int64_t context, std::string_view where) {
  const auto n = int64_t(passage.tokens.size());
  require(n >= 2 && n <= context, "{} expected 2 to {} tokens, got {}", where, context, n);
  require(passage.from >= 1 && passage.from < n, "{} expected to score from a token of 1 to {} on, got {}", where,
          n - 1, passage.from);
}

std::vector<float> score(const Transformer& model, const Kernels& kernels, const std::vector<int32_t>& tokens,
                         const std::shared_ptr<const Adapter>& adapter, DType kv) {
  std::vector<float> scores;
  score(
      model, kernels, {{tokens, 1}},
      [&](size_t, const std::vector<PromptToken>& scored) {
        for (const PromptToken& token : scored) scores.push_back(token.logprob);
        return true;
      },
      adapter, kv);
  return scores;
}

void score(const Transformer& model, const Kernels& kernels, const std::vector<ScoredPassage>& passages,
           const OnScored& on_scored, const std::shared_ptr<const Adapter>& adapter, DType kv) {
  score_within(kPassageTokens, model, kernels, passages, on_scored, adapter, kv);
}

double Perplexity::value() const { return std::exp(nats / double(std::max<int64_t>(1, scored))); }

double Perplexity::standard_error() const {
  if (scored < 2) return 0;
  const double mean = nats / double(scored), variance = squares / double(scored) - mean * mean;
  return value() * std::sqrt(std::max(0.0, variance) / double(scored - 1));
}

Perplexity perplexity(const Transformer& model, const Kernels& kernels, const std::vector<int32_t>& tokens,
                      int64_t context, int32_t first, const std::function<bool(const Perplexity&)>& on_window,
                      const std::shared_ptr<const Adapter>& adapter, DType kv) {
  require(context >= 4 && context <= model.config().context,
          "[perplexity] expected a context of 4 to {} tokens, got {}", model.config().context, context);
  require(int64_t(tokens.size()) >= context, "[perplexity] expected a text of at least {} tokens, got {}", context,
          tokens.size());
  std::vector<ScoredPassage> windows;
  for (int64_t begin = 0; begin + context <= int64_t(tokens.size()); begin += context) {
    windows.push_back({{tokens.begin() + begin, tokens.begin() + begin + context}, context / 2 + 1});
    if (first >= 0) windows.back().tokens.front() = first;
  }
  Perplexity result;
  std::vector<std::vector<PromptToken>> found(windows.size());
  const auto add = [&](size_t index, const std::vector<PromptToken>& scored) {
    found[index] = scored;
    bool goes_on = true;
    // Sums are taken in the text's order.
    while (goes_on && result.windows < int64_t(found.size()) && !found[size_t(result.windows)].empty()) {
      for (const PromptToken& token : std::exchange(found[size_t(result.windows)], {})) {
        const double nats = -double(token.logprob);
        result.nats += nats, result.squares += nats * nats, ++result.scored;
      }
      ++result.windows;
      goes_on = on_window(result);
    }
    return goes_on;
  };
  score_within(kWindowTokens, model, kernels, windows, add, adapter, kv);
  return result;
}

}  // namespace fude
