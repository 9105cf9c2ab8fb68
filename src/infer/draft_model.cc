#include "infer/draft_model.h"

#include <algorithm>

#include "ops/classifier_loss.h"

namespace fude {
namespace {

// Tokens of a sequence in one pass at most: a long prompt is read in the course of several steps.
constexpr int64_t kCaughtUp = 512;

}  // namespace

DraftModel::DraftModel(const Transformer& model, const Kernels& kernels, int64_t cache_tokens, DType kv)
    : model_(model), kernels_(kernels), pool_(model.device(), model.config(), pages_for(cache_tokens), kv) {}

void DraftModel::draft(const std::vector<Wish>& wishes) {
  for (auto it = known_.begin(); it != known_.end();) {
    const bool is_wanted = std::ranges::any_of(wishes, [&](const Wish& w) { return key_of(*w.sequence) == it->first; });
    if (!is_wanted) release(it->second);
    it = is_wanted ? std::next(it) : known_.erase(it);
  }
  const Pass pass{model_.device(), kernels_};
  for (std::vector<Wish> open = wishes;;) {
    // One pass: what each sequence has that the small model has not read.
    TokenBatch batch;
    batch.sequence_starts = {0};
    std::vector<const std::vector<Page>*> pages_S;
    std::vector<Wish> left;
    for (const Wish& wish : open) {
      if (int64_t(wish.sequence->drafts.size()) >= wish.most) continue;
      Known& known = known_[key_of(*wish.sequence)];
      if (!catch_up(*wish.sequence, known, batch)) continue;
      pages_S.push_back(&known.pages);
      left.push_back(wish);
    }
    if (left.empty()) return;
    PagedKv kv(pool_, kernels_, std::move(pages_S));
    const Tensor last_SC = model_.forward(pass, batch, kv, std::vector<int64_t>(left.size(), 1));
    std::vector<float> inverse_temperatures_S;
    for (const Wish& wish : left) inverse_temperatures_S.push_back(inverse_temperature(wish.sequence->sampling));
    const Tensor logits_SV = model_.logits(pass, last_SC);
    const std::vector<LogitSums> sums_S = logit_sums(pass, logits_SV, inverse_temperatures_S);
    for (size_t i = 0; i < left.size(); ++i) {
      Sequence& s = *left[i].sequence;
      std::vector<int32_t> seen = s.tokens;
      seen.insert(seen.end(), s.drafts.begin(), s.drafts.end());
      if (known_[key_of(s)].tokens.size() < seen.size()) {
        left[i].most = 0;  // it has not read all yet
        continue;
      }
      const LogitRow row = logit_row(logits_SV, sums_S, int64_t(i));
      s.drafts.push_back(
          sample_token(kernels_, row, seen, s.generated + int64_t(s.drafts.size()), s.sampling, int64_t(seen.size()))
              .token);
    }
    open = std::move(left);
  }
}

// Puts the tokens that the small model has not read into the batch; false if there is no room for them.
bool DraftModel::catch_up(const Sequence& s, Known& known, TokenBatch& batch) {
  std::vector<int32_t> tokens = s.tokens;
  tokens.insert(tokens.end(), s.drafts.begin(), s.drafts.end());
  // The last one runs again in any case.
  const auto end = tokens.end() - 1;
  const auto same = std::mismatch(tokens.begin(), end, known.tokens.begin(), known.tokens.end()).first;
  const int64_t first = same - tokens.begin(), last = std::min(int64_t(tokens.size()), first + kCaughtUp);
  if (last > model_.config().context) return false;
  while (int64_t(known.pages.size()) < pages_for(last)) {
    if (pool_.free_pages() == 0) return false;
    known.pages.push_back(pool_.take());
  }
  tokens.resize(size_t(last));
  for (int64_t i = first; i < last; ++i) {
    batch.tokens_N.push_back(tokens[size_t(i)]);
    batch.positions_N.push_back(int32_t(i));
  }
  batch.sequence_starts.push_back(int32_t(batch.size()));
  known.tokens = std::move(tokens);
  return true;
}

void DraftModel::release(Known& known) {
  for (Page page : known.pages) pool_.release(page);
  known.pages.clear();
}

void DraftModel::forget() {
  for (auto& [key, known] : known_) release(known);
  known_.clear();
}

}  // namespace fude
