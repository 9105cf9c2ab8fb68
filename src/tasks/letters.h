// Counting a letter in a word: "How many times does the letter r occur in strawberry?"
//
// Models that read tokens do not see letters; the solution spells the word and counts along. The difficulty is the
// length of the word, from 3 to 12; in Japanese, words are written in kana and a letter is one kana. Every count from 0
// to half the length is as likely as any other: asked for a letter of the word, "1" is right every other time, and
// reinforcement learning finds that sooner than counting. Where real words have enough such letters half the words are
// real; the others are made up, so that nothing can be learned by heart.
#pragma once

#include "tasks/generated_task.h"

namespace fude {

class Letters : public GeneratedTask {
 public:
  explicit Letters(uint64_t seed, const TaskOptions& options = {});

 protected:
  Draft draft(Random& random, Language language, int difficulty) const override;
};

// The question about one word in its `variant`-th phrasing (modulo their number). `word` and `letter` are valid UTF-8.
Example letters_example(std::string_view word, std::string_view letter, Language language, uint64_t variant);

}  // namespace fude
