#include "infer/scheduler.h"

#include <algorithm>
#include <utility>

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
  for (const auto& s : sequences_) {
    if (!s->is_decoding()) continue;
    if (!reserve(*s, s->size() + int64_t(s->drafts.size()))) {
      s->drafts.clear();
      if (!reserve(*s, s->size())) continue;  // waits for pages, and keeps its own
    }
    parts_.push_back({s.get(), s->computed, 1 + int64_t(s->drafts.size())});
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

// Takes up a sequence: pages that are known, and room for all of its tokens.
bool Scheduler::admit(Sequence& s) {
  while (running() >= options_.batch)
    if (!preempt_behind(s)) return false;
  PrefixTree::Match match;
  if (options_.shares_prefixes || s.choice > 0 || s.generated > 0)
    match = tree_.find(key_of(s), {s.tokens.data(), size_t(s.first_unsaid())});
  s.pages = match.pages;
  for (Page page : s.pages) pool_.share(page);
  s.is_running = true;
  s.computed = int64_t(s.pages.size()) * kKeyPage;
  if (match.partial >= 0) {
    // It goes on in its own copy; if there is no page for both, without.
    pool_.share(match.partial);
    if (reserve(s, match.tokens())) {
      pool_.copy(match.partial, s.pages.back());
      s.computed = match.tokens();
    }
    pool_.release(match.partial);
  }
  if (!reserve(s, s.size())) {
    give_up_pages(s);
    return false;
  }
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
  while (int64_t(s.pages.size()) < pages_for(positions)) {
    while (pool_.free_pages() == 0)
      if (!tree_.evict() && !preempt_behind(s)) return false;
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
