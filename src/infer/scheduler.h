// Which tokens run in the next step, and whose keys and values have pages.
//
// A step is a list of {sequence, tokens}: first the next token of every answer, then chunks of prompts, in the order of
// ranks, up to a number of tokens that keeps the step within its time. Where pages or places run out, the prefix tree
// gives up what it alone keeps; then the last in rank gives up its pages and computes them again later. A sequence
// takes from later ones only, so the first in rank always gets on. What is computed together, in which chunks and how
// often, changes no bit of any answer.
#pragma once

#include <memory>
#include <vector>

#include "infer/engine_options.h"
#include "infer/prefix_tree.h"
#include "infer/sequence.h"
#include "infer/step_cost.h"

namespace fude {

class Scheduler {
 public:
  Scheduler(PagePool& pool, PrefixTree& tree, const EngineOptions& options);

  // Tokens [first, first + count) of a sequence, its drafts behind its tokens.
  struct Part {
    Sequence* sequence;
    int64_t first, count;
    int64_t end() const { return first + count; }
    // After it, the next token can be drawn.
    bool completes() const { return end() >= sequence->size(); }
  };

  void add(std::unique_ptr<Sequence> sequence);
  // The next step, with the drafts that sequences have; empty if nothing is to be done.
  std::vector<Part> next();
  // The sequence now has keys and values of its first `computed` tokens.
  void advance(Sequence& sequence, int64_t computed);
  // Gives up its pages, what is known stays in the prefix tree.
  void preempt(Sequence& sequence);
  // Ends and destroys it.
  void remove(Sequence& sequence);

  StepCost& cost() { return cost_; }
  // In the order of ranks.
  const std::vector<std::unique_ptr<Sequence>>& sequences() const { return sequences_; }
  int64_t preemptions() const { return preemptions_; }
  // The version of the weights, part of what pages are known by.
  uint64_t version = 0;

 private:
  PrefixKey key_of(const Sequence& sequence) const { return {sequence.live->adapter.key, version}; }
  bool admit(Sequence& sequence);
  bool reserve(Sequence& sequence, int64_t positions);
  bool reserve_from_free(Sequence& sequence, int64_t positions);
  bool preempt_behind(const Sequence& sequence);
  void give_up_pages(Sequence& sequence);
  int64_t running() const;
  int64_t prompt_tokens_of_step(const std::vector<Part>& decoding) const;

  PagePool& pool_;
  PrefixTree& tree_;
  const EngineOptions& options_;
  StepCost cost_;
  std::vector<std::unique_ptr<Sequence>> sequences_;
  std::vector<Part> parts_;
  int64_t preemptions_ = 0;
};

}  // namespace fude
