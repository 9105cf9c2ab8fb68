// The corpus of `fude life`: any number of short documents about a small world, in English and Japanese,
// written by a seed, so that a whole life fits in ten minutes and nothing is downloaded.
//
// About half is prose (portraits, gatherings, towns) that tells every fact; the rest is chat: questions about facts
// that are not held out, and sums with their steps. Document i is a pure function of (seed, i): readers can start
// anywhere, in any number, and a longer corpus begins with the shorter one. A document says 40 to 600 characters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/arithmetic.h"
#include "tasks/dialogue.h"
#include "tasks/facts.h"
#include "tasks/task.h"
#include "tasks/world.h"

namespace fude {

class LifeCorpus {
 public:
  explicit LifeCorpus(uint64_t seed);

  // The mixture for pre-training: 45 % prose, 25 % chats about facts, 30 % sums (by number of documents).
  Passage document(int64_t index) const;
  // The parts alone, for stages of their own. Each has its own numbering.
  Passage prose(int64_t index) const;
  Passage fact_chat(int64_t index) const;
  Passage sum_chat(int64_t index) const;

  // The first `count` held-out questions: arithmetic and facts in turn, both languages in turn, all different.
  std::vector<Question> held_out(int64_t count) const;
  int64_t held_out_limit() const;

  const World& world() const { return world_; }
  const Facts& facts() const { return facts_; }
  const Arithmetic& arithmetic() const { return arithmetic_; }

 private:
  Passage prose(Random& random) const;
  Passage fact_chat(Random& random) const;
  Passage sum_chat(Random& random) const;
  std::string portrait(Random& random, Language language) const;
  std::string gathering(Random& random, Language language) const;
  std::string town(Random& random, Language language) const;
  std::string statement(Random& random, Language language, int person, Attribute attribute, bool known) const;
  std::string account_of(Random& random, Language language, int person) const;

  uint64_t seed_;
  World world_;
  Facts facts_;
  Arithmetic arithmetic_;
};

}  // namespace fude
