// llama.cpp's notation for grammars (GBNF: grammars/README.md there).
//
//   root ::= "yes" | "no" reason?
//   reason ::= ", because " [a-z ]{1,40} "."   # a comment
//
// Literals and classes with escapes (\n \r \t \\ \" \[ \] \xHH \uHHHH \UHHHHHHHH), `.` for any character, groups, the
// repetitions * + ? {m} {m,} {m,n} {,n}. A rule ends with its line, unless a group is open or a `|` stands there. Rules
// may be recursive anywhere, on the left as well.
#pragma once

#include <string_view>

#include "infer/grammar/grammar.h"

namespace fude::grammar {

// The grammar of what `root` says. Error, with the line, for what is not this notation.
Grammar gbnf_grammar(std::string_view source, const GrammarLimits& limits = {});

}  // namespace fude::grammar
