// Regular expressions as JSON Schema's `pattern` uses them (ECMA-262 with the flag u), as automata.
//
// Characters, classes, groups, alternatives, repetitions (lazy ones have the same language) and the anchors ^ and $
// anywhere. \d and \w are ASCII, \s is Unicode's white space, \p knows the general categories L, Lu, Ll, Lt, Lm, Lo, M
// and N. What is no regular language or is not done is refused by name: back-references, look-around, \b, flags.
#pragma once

#include <memory>
#include <string_view>

#include "infer/grammar/automaton.h"
#include "infer/grammar/characters.h"
#include "infer/grammar/grammar.h"

namespace fude::grammar {

enum class RegexMatch {
  whole,   // the expression matches the text from its beginning to its end
  search,  // it matches somewhere in the text, as JSON Schema reads a pattern
};

// The texts that match, in the given encoding. Error naming what is wrong or not supported, and where.
std::shared_ptr<const Automaton> compile_regex(std::string_view pattern, RegexMatch match, Encoding encoding,
                                               const CountedLimits& limits);

// The grammar of the texts that match as a whole.
Grammar regex_grammar(std::string_view pattern, const GrammarLimits& limits = {});

}  // namespace fude::grammar
