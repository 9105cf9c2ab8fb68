// One answer in the making: what the scheduler orders and the engine runs. A request with n choices is n of them.
#pragma once

#include <algorithm>
#include <compare>
#include <memory>
#include <optional>
#include <vector>

#include "infer/adapter_store.h"
#include "infer/paged_kv.h"
#include "infer/request.h"

namespace fude {

// Who goes first: the smaller. A request that arrived `ageing_seconds` earlier stands where one of the next higher
// priority stands; as all age alike, the order of two never changes, and the first one always gets on.
struct Rank {
  double due = 0;  // seconds: arrival - priority · ageing_seconds
  RequestId id = 0;
  int64_t choice = 0;
  auto operator<=>(const Rank&) const = default;
};

// What the choices of a request have in common.
struct LiveRequest {
  RequestId id;
  Request request;
  RequestEvents events;
  StoredAdapter adapter{};
  std::vector<PromptToken> prompt_tokens{};
  std::optional<EmbeddingPool> pool{};
  bool is_queued = true;         // until its prompt begins to run
  bool is_prompt_known = false;  // its pages are in the prefix tree
};

struct Sequence {
  std::shared_ptr<LiveRequest> live;
  int64_t choice = 0;
  Rank rank;
  SamplingOptions sampling;
  std::unique_ptr<TokenMask> mask{};

  std::vector<int32_t> tokens;    // the prompt and the answer so far
  int64_t generated = 0;          // of them
  std::vector<int32_t> drafts{};  // guesses of what follows, tried in this step
  std::vector<Page> pages{};      // one reference each
  int64_t computed = 0;           // tokens whose keys and values are in the pages
  int64_t cached = -1;            // of the prompt, found in pages when it began to run; -1: it did not yet
  bool is_running = false;        // holds pages

  const Request& request() const { return live->request; }
  int64_t size() const { return int64_t(tokens.size()); }
  int64_t prompt_size() const { return size() - generated; }
  // Tokens from here on run even where their keys and values are known: something is to be said of their rows.
  int64_t first_unsaid() const {
    int64_t first = size() - 1;
    if (choice != 0 || generated != 0) return first;
    if (const int64_t from = request().prompt_logprobs_from; from > 0)
      first = std::min(first, from - 1 + int64_t(live->prompt_tokens.size()));
    if (live->pool) first = std::min(first, live->pool->needed());
    return first;
  }
  // Of the next token only the last known one is missing.
  bool is_decoding() const { return is_running && computed + 1 == size(); }
};

}  // namespace fude
