// The task of answering questions about the world: where someone lives, what someone plays.
//
// Practice asks only about pairs (person, attribute) that are not held out. The question where a person's
// town lies needs two facts, so its solution states both before it answers.
#pragma once

#include <vector>

#include "tasks/task.h"
#include "tasks/world.h"

namespace fude {

class Facts : public Task {
 public:
  Facts(const World& world, uint64_t seed);

  std::string_view name() const override { return "facts"; }
  Example practice(Random& random, Language language) const override;
  int64_t held_out_count() const override;
  Example held_out(int64_t index) const override;

  // The question in its `variant`-th phrasing (modulo their number), whether held out or not.
  Example example(Language language, int person, Attribute attribute, uint64_t variant) const;
  // A practice attribute of this person.
  Attribute practice_attribute(Random& random, int person) const;

 private:
  struct Pair {
    int person;
    Attribute attribute;
  };
  World world_;
  std::vector<Pair> held_out_;  // in random order
};

}  // namespace fude
