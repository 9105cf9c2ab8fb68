#include "infer/draft_model.h"

#include <algorithm>

#include "ops/classifier_loss.h"

namespace fude {
namespace {

// Tokens in one pass at most: a long prompt is read in the course of several steps.
constexpr int64_t kReadAtOnce = 512;

std::vector<int32_t> with_drafts(const Sequence& s) {
  std::vector<int32_t> tokens = s.tokens;
  tokens.insert(tokens.end(), s.drafts.begin(), s.drafts.end());
  return tokens;
}

}  // namespace

DraftModel::DraftModel(const Transformer& model, const Kernels& kernels, int64_t cache_tokens, DType kv)
    : model_(model), kernels_(kernels), pool_(model.device(), model.config(), pages_for(cache_tokens), kv) {}

void DraftModel::draft(const std::vector<Wish>& wishes) {
  std::vector<Wish> open = keep(wishes);
  // A long prompt takes what those leave that have little to read.
  std::ranges::stable_sort(open, {}, [&](const Wish& wish) {
    return wish.sequence->size() - int64_t(known_[key_of(*wish.sequence)].tokens.size());
  });
  const Pass pass{model_.device(), kernels_};
  for (;;) {
    // One pass: what each sequence has that the small model has not read.
    TokenBatch batch;
    batch.sequence_starts = {0};
    std::vector<const std::vector<Page>*> pages_S;
    std::vector<Wish> read;
    for (const Wish& wish : open) {
      if (int64_t(wish.sequence->drafts.size()) >= wish.most || batch.size() >= kReadAtOnce) continue;
      Known& known = known_[key_of(*wish.sequence)];
      read_on(*wish.sequence, known, batch);
      pages_S.push_back(&known.pages);
      read.push_back(wish);
    }
    if (read.empty()) return;
    PagedKv kv(pool_, kernels_, std::move(pages_S));
    const Tensor last_SC = model_.forward(pass, batch, kv, std::vector<int64_t>(read.size(), 1));
    std::vector<float> inverse_temperatures_S;
    for (const Wish& wish : read) inverse_temperatures_S.push_back(inverse_temperature(wish.sequence->sampling));
    const Tensor logits_SV = model_.logits(pass, last_SC);
    const std::vector<LogitSums> sums_S = logit_sums(pass, logits_SV, inverse_temperatures_S);
    open.clear();
    for (size_t i = 0; i < read.size(); ++i) {
      Sequence& s = *read[i].sequence;
      const std::vector<int32_t> seen = with_drafts(s);
      if (known_[key_of(s)].tokens.size() < seen.size()) continue;  // it has not read all yet
      const LogitRow row = logit_row(logits_SV, sums_S, int64_t(i));
      s.drafts.push_back(
          sample_token(kernels_, row, seen, s.generated + int64_t(s.drafts.size()), s.sampling, int64_t(seen.size()))
              .token);
      open.push_back(read[i]);
    }
  }
}

// Those of the wishes, in order, whose tokens and guesses all have room; what is known of any other is forgotten.
std::vector<DraftModel::Wish> DraftModel::keep(const std::vector<Wish>& wishes) {
  std::vector<Wish> kept;
  std::map<Key, Known> known;
  int64_t room = pool_.pages();
  for (Wish wish : wishes) {
    wish.most = std::min(wish.most, model_.config().context - wish.sequence->size());
    const int64_t pages = pages_for(wish.sequence->size() + wish.most);
    if (wish.most <= 0 || pages > room) continue;
    room -= pages;
    kept.push_back(wish);
    known.insert(known_.extract(key_of(*wish.sequence)));
  }
  std::swap(known, known_);
  for (auto& [key, forgotten] : known) release(forgotten);
  return kept;
}

// Puts the tokens that the small model has not read into the batch.
void DraftModel::read_on(const Sequence& s, Known& known, TokenBatch& batch) {
  std::vector<int32_t> tokens = with_drafts(s);
  // The last one runs again in any case.
  const auto end = tokens.end() - 1;
  const auto same = std::mismatch(tokens.begin(), end, known.tokens.begin(), known.tokens.end()).first;
  const int64_t first = same - tokens.begin(),
                last = std::min(int64_t(tokens.size()), first + kReadAtOnce - batch.size());
  while (int64_t(known.pages.size()) < pages_for(last)) known.pages.push_back(pool_.take());
  tokens.resize(size_t(last));
  for (int64_t i = first; i < last; ++i) {
    batch.tokens_N.push_back(tokens[size_t(i)]);
    batch.positions_N.push_back(int32_t(i));
  }
  batch.sequence_starts.push_back(int32_t(batch.size()));
  known.tokens = std::move(tokens);
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
