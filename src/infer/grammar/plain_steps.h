// What plain text does to a lexer, a kind of character at a time.
//
// Most lexemes treat most characters alike: a string goes on behind each of them, a pattern of letters behind each
// letter, a bounded one to the next count. Where all characters that a part of the vocabulary's tree is made of lead
// from one state to the same next one, and so on, the tokens in it are known without walking it. The same where they
// lead to several, but always somewhere: a pattern that counts vowels takes any word.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "infer/grammar/automaton.h"
#include "infer/grammar/character_kinds.h"
#include "infer/grammar/token_trie.h"

namespace fude::grammar {

class PlainSteps {
 public:
  // The characters beyond ASCII that there are, described; they must outlive it.
  explicit PlainSteps(const TokenTrie& characters) : characters_(characters) {}

  static constexpr int kMixed = -1;
  // How many characters of these kinds can come behind `state`, where a character ends, whatever they are: `most`, or
  // fewer if then none of them can and the lexeme cannot end before. kMixed: it depends on the characters.
  int reach(Kinds kinds, int32_t state, int most, Lexer& lexer);
  // From `state` on, one character after the other: kinds that always lead somewhere, whatever the character, and kinds
  // that never do. So `count` of the former come, or `most`; then none of them can.
  struct Chain {
    Kinds taken = 0, refused = 0;
    int count = 0;
  };
  // Nothing where no kind is taken, or the lexeme can end between.
  std::optional<Chain> chain(int32_t state, int most, Lexer& lexer);
  size_t bytes() const { return bytes_ + number_.size() * sizeof(int32_t); }

 private:
  // By kind of the next character.
  struct Steps {
    std::array<int32_t, kCharacterKinds> next;     // kDead: none can come; kSeveral: they lead to several states;
                                                   // kUnseen: there are none
    std::array<Kinds, kCharacterKinds> same;       // the kinds that lead to the same
    Kinds whole = kAllKinds, dead = kAllKinds;     // all characters lead somewhere; none does
    std::vector<std::pair<int, int32_t>> targets;  // of a kind, where it is known

    void note(int kind, int32_t target);
  };
  const Steps& steps_of(int32_t state, Lexer& lexer);
  void note_wide(int32_t state, Lexer& lexer, Steps& steps);
  std::optional<Chain> follow(Kinds kinds, int32_t state, int most, Lexer& lexer);

  const TokenTrie& characters_;
  std::vector<int32_t> number_;  // by state: its place in `steps_`, or kDead
  std::vector<Steps> steps_;
  int told_apart_ = 0;
  size_t bytes_ = 0;  // of the steps
};

}  // namespace fude::grammar
