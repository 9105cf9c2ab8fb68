// What plain text does to a lexer, a kind of character at a time.
//
// Most lexemes treat most characters alike: a string goes on behind each of them, a pattern of letters behind each
// letter, a bounded one to the next count. Where all characters that a part of the vocabulary's tree is made of lead
// from one state to the same next one, and so on, the tokens in it are known without walking it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "infer/grammar/automaton.h"

namespace fude::grammar {

// Plain characters, as bits: some groups of ASCII, and all beyond as one.
constexpr int kCharacterKinds = 30;
constexpr uint32_t kAllKinds = (uint32_t(1) << kCharacterKinds) - 1;
uint32_t kind_of_byte(uint8_t byte);

class PlainSteps {
 public:
  static constexpr int kMixed = -1;
  // How many characters of these kinds can come behind `state`, whatever they are: `most`, or fewer if then none of
  // them can and the lexeme cannot end before. kMixed: it depends on the characters.
  int reach(uint32_t kinds, int32_t state, int most, Lexer& lexer);
  // From `state` on, one character after the other: kinds that always lead to the next state of the chain, whatever the
  // character, and kinds that never lead anywhere. So `count` of the former come, or `most`; then none of them can.
  struct Chain {
    uint32_t taken = 0, refused = 0;
    int count = 0;
  };
  // Nothing where no kind is taken, or the lexeme can end between.
  std::optional<Chain> chain(int32_t state, int most, Lexer& lexer);
  size_t bytes() const { return steps_.size() * sizeof(Steps) + number_.size() * sizeof(int32_t); }

 private:
  // By kind of the next character.
  struct Steps {
    std::array<int32_t, kCharacterKinds> next;   // kDead: none can come; kSeveral: they lead to several states
    std::array<uint32_t, kCharacterKinds> same;  // the kinds that lead to the same
  };
  const Steps& steps_of(int32_t state, Lexer& lexer);

  std::vector<int32_t> number_;  // by state: its place in `steps_`, or kDead
  std::vector<Steps> steps_;
};

}  // namespace fude::grammar
