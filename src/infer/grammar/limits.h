// What a grammar may cost. Schemas, patterns and grammars come from strangers; whatever they hold, compiling them and
// computing masks ends, and ends soon. A limit that is passed is an Error that names it; the nesting of what is
// generated is the exception: deeper calls are simply not offered.
#pragma once

#include <cstdint>
#include <memory>

#include "base/error.h"

namespace fude::grammar {

struct GrammarLimits {
  uint64_t source_bytes = 1 << 20;
  int nesting = 200;                   // of groups, schemas and rules in the source
  int32_t automaton_states = 1 << 20;  // of one lexeme, before it is made deterministic
  int32_t lexer_states = 1 << 16;      // of one lexeme's deterministic automaton
  int32_t product_states = 20'000;     // of an intersection or a difference of two languages
  int32_t symbols = 1 << 18;           // of all rules together
  uint64_t total_states = 1 << 21;     // of all lexemes' automata together
  uint64_t lexer_work = 50'000'000;    // of a compilation, then of each text: lexers' steps, states, numbers kept
  int32_t depth = 500;                 // calls open at once while matching
  int32_t items = 5000;                // ways to read the text that are followed at once
  int32_t stack_nodes = 1 << 21;       // of all open calls of a matcher, over its whole text
  uint64_t mask_steps = 64'000'000;    // bytes tried for one mask
  uint64_t mask_bytes = uint64_t(128) << 20;  // of masks kept for later
};

// The limits with what is left of their work. Copies share it: there is one for each compilation, and one for the
// lexers of each grammar, in which each matcher has its own turn.
struct CountedLimits : GrammarLimits {
  CountedLimits(const GrammarLimits& limits = {})
      : GrammarLimits(limits), work_left(std::make_shared<uint64_t>(limits.lexer_work)) {}
  void spend(uint64_t work) const {
    require(*work_left >= work, "[grammar] the patterns take more work to follow than is allowed");
    *work_left -= work;
  }
  std::shared_ptr<uint64_t> work_left;
};

}  // namespace fude::grammar
