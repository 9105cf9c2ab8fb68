// What a model thinks of a given text: the log-probability of each token after those before it.
//
// A request to the engine like any other, so a token's score is the logprob that it was sampled with where keys and
// values are kept in the same type.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "infer/request.h"
#include "model/lora.h"
#include "tensor/dtype.h"

namespace fude {

// Of tokens[1] … tokens[N - 1]: N - 1 numbers. Error if they do not fit into the model's context. With an adapter, if
// one is given; `kv`: as in EngineOptions.
std::vector<float> score(const Transformer& model, const Kernels& kernels, const std::vector<int32_t>& tokens,
                         const std::shared_ptr<const Adapter>& adapter = nullptr, DType kv = DType::f32);

// Tokens of which those from `from` on, at least 1, are scored.
struct ScoredPassage {
  std::vector<int32_t> tokens;
  int64_t from = 1;
  int64_t top = 0;  // so many of the most likely tokens beside each
};
// Error that begins with `where` if it cannot be scored within so many tokens.
void check(const ScoredPassage& passage, int64_t context, std::string_view where);
// Many at a time; what begins alike (a question with several answers) is mostly computed once. `on_scored` is called
// in any order, with a passage's index and what is known of its tokens from `from` on; false ends it.
void score(const Transformer& model, const Kernels& kernels, const std::vector<ScoredPassage>& passages,
           const std::function<bool(size_t index, const std::vector<PromptToken>& scores)>& on_scored,
           const std::shared_ptr<const Adapter>& adapter = nullptr, DType kv = DType::f32);

// Perplexity of a text as llama.cpp counts it: windows of `context` tokens one after the other, of which the second
// half is scored; a rest shorter than a window is left out.
struct Perplexity {
  int64_t windows = 0, scored = 0;
  double nats = 0, squares = 0;  // sums over the scored tokens

  double value() const;
  double standard_error() const;
};
// `first`, if not negative, replaces the first token of each window (the mark at the beginning of a text). `on_window`
// is called after each; false ends it.
Perplexity perplexity(const Transformer& model, const Kernels& kernels, const std::vector<int32_t>& tokens,
                      int64_t context, int32_t first, const std::function<bool(const Perplexity&)>& on_window,
                      const std::shared_ptr<const Adapter>& adapter = nullptr, DType kv = DType::f32);

}  // namespace fude
