#include "infer/scheduler.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/error.h"

namespace fude {
namespace {

// A step takes at least so many prompt tokens, however long it lasts: prompts must get on as well. Before there are
// measurements, answers are kept waiting by so many at most.
constexpr int64_t kSmallestChunk = 16, kFirstChunk = 128;

}  // namespace

Scheduler::Scheduler(PagePool& pool, PrefixTree& tree, const EngineOptions& options)
    : pool_(pool), tree_(tree), options_(options) {}

void Scheduler::add(std::unique_ptr<Sequence> sequence) {
  const auto at = std::upper_bound(sequences_.begin(), sequences_.end(), sequence->rank,
                                   [](const Rank& rank, const auto& other) { return rank < other->rank; });
  sequences_.insert(at, std::move(sequence));
}

std::vector<Scheduler::Part> Scheduler::next() {
  parts_.clear();
  for (const auto& s : sequences_)
    if (s->is_decoding() && reserve(*s, s->size())) parts_.push_back({s.get(), s->computed, 1});
  for (Part& part : parts_) {
    Sequence& s = *part.sequence;
    if (!reserve_from_free(s, s.size() + int64_t(s.drafts.size()))) s.drafts.clear();
    part.count += int64_t(s.drafts.size());
  }
  int64_t left = prompt_tokens_of_step(parts_);
  for (const auto& s : sequences_) {
    if (left == 0) break;
    if (s->is_decoding()) continue;
    if (!s->is_running) {
      if (s->choice > 0 && !s->live->is_prompt_known) continue;  // the first choice computes the prompt for all
      if (!admit(*s)) break;                                     // nobody behind it takes what it waits for
    }
    const int64_t count = std::min(left, s->size() - s->computed);
    parts_.push_back({s.get(), s->computed, count});
    left -= count;
  }
  return std::exchange(parts_, {});
}

int64_t Scheduler::prompt_tokens_of_step(const std::vector<Part>& decoding) const {
  if (decoding.empty() || options_.step_seconds <= 0) return options_.chunk;
  if (!cost_.is_known()) return std::min(options_.chunk, kFirstChunk);
  int64_t tokens = 0, keys = 0, first = 0;
  for (const Part& part : decoding) tokens += part.count, keys += part.count * part.end();
  for (const auto& s : sequences_)
    if (!s->is_decoding()) {
      first = s->computed;
      break;
    }
  const double seconds = std::max(options_.step_seconds, 2 * cost_.of(tokens, keys));
  return std::clamp(cost_.largest_chunk(tokens, keys, first, seconds), std::min(kSmallestChunk, options_.chunk),
                    options_.chunk);
}

int64_t Scheduler::running() const {
  return std::count_if(sequences_.begin(), sequences_.end(), [](const auto& s) { return s->is_running; });
}

// Takes up a sequence: pages that are known, and room for all of its tokens. Of what those before it hold nothing can
// be had, of all else everything; where that is too little, nothing is touched.
bool Scheduler::admit(Sequence& s) {
  const auto own = std::ranges::find(sequences_, &s, &std::unique_ptr<Sequence>::get);
  const std::span before(sequences_.begin(), own);
  if (std::ranges::count_if(before, [](const auto& other) { return other->is_running; }) >= options_.batch)
    return false;
  PrefixTree::Match match;
  if (options_.shares_prefixes || s.choice > 0 || s.generated > 0)
    match = tree_.find(key_of(s), {s.tokens.data(), size_t(s.first_unsaid())});
  std::vector<Page> held = match.pages;
  for (const auto& other : before) held.insert(held.end(), other->pages.begin(), other->pages.end());
  std::ranges::sort(held);
  const auto distinct = std::unique(held.begin(), held.end()) - held.begin();
  if (distinct + pages_for(s.size()) - int64_t(match.pages.size()) > pool_.pages()) return false;

  s.pages = match.pages;
  for (Page page : s.pages) pool_.share(page);
  if (match.partial >= 0) pool_.share(match.partial);
  while (running() >= options_.batch) preempt_behind(s);
  s.is_running = true;
  s.computed = int64_t(s.pages.size()) * kKeyPage;
  if (match.partial >= 0) {
    // It goes on in its own copy; if there is no page for both, without.
    if (reserve(s, match.tokens())) {
      pool_.copy(match.partial, s.pages.back());
      s.computed = match.tokens();
    }
    pool_.release(match.partial);
  }
  require(reserve(s, s.size()), "[scheduler] expected pages for {} tokens", s.size());
  if (s.cached < 0) s.cached = s.computed;
  return true;
}

void Scheduler::give_up_pages(Sequence& s) {
  for (Page page : s.pages) pool_.release(page);
  s.pages.clear();
  s.computed = 0;
  s.is_running = false;
}

// Pages for so many positions; those it has stay its own if there are not enough.
bool Scheduler::reserve(Sequence& s, int64_t positions) {
  while (!reserve_from_free(s, positions))
    if (!preempt_behind(s)) return false;
  return true;
}

// Of those that no sequence holds.
bool Scheduler::reserve_from_free(Sequence& s, int64_t positions) {
  while (int64_t(s.pages.size()) < pages_for(positions)) {
    if (pool_.free_pages() == 0 && !tree_.evict()) return false;
    s.pages.push_back(pool_.take());
  }
  return true;
}

bool Scheduler::preempt_behind(const Sequence& s) {
  for (auto last = sequences_.rbegin(); last->get() != &s; ++last)
    if ((*last)->is_running) {
      preempt(**last);
      ++preemptions_;
      return true;
    }
  return false;
}

void Scheduler::preempt(Sequence& s) {
  if (!s.is_running) return;
  std::erase_if(parts_, [&](const Part& part) { return part.sequence == &s; });
  tree_.insert(key_of(s), {s.tokens.data(), size_t(s.computed)}, s.pages);
  s.drafts.clear();
  give_up_pages(s);
}

void Scheduler::advance(Sequence& s, int64_t computed) {
  const int64_t before = std::exchange(s.computed, computed);
  s.drafts.clear();
  const bool is_prompt_done = computed >= s.prompt_size() && !s.live->is_prompt_known;
  if (is_prompt_done && s.request().choices > 1)
    tree_.insert(key_of(s), {s.tokens.data(), size_t(computed)}, s.pages);
  else if (before / kKeyPage != computed / kKeyPage)
    tree_.insert(key_of(s), {s.tokens.data(), size_t(computed / kKeyPage * kKeyPage)}, s.pages);
  if (is_prompt_done) s.live->is_prompt_known = true;
}

void Scheduler::remove(Sequence& s) {
  preempt(s);
  s.live->is_prompt_known = true;  // the other choices no longer wait for this one
  std::erase_if(sequences_, [&](const auto& other) { return other.get() == &s; });
}

}  // namespace fude
