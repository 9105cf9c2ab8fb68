// Sampled answers as blocks to train on, a question once for all of its answers that lie in a block.
//
// The last token of a question predicts the first of an answer, so it belongs to every answer; what is before it, in
// whole pages (kv_view.h), is a sequence of its own that the answers go on from, as they do in the engine's prefix
// cache. With short answers to long questions this is most of the work. Log-probabilities stay the same, bit for bit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/packing.h"

namespace fude {

struct AnswerTokens {
  std::span<const int32_t> prompt, answer;  // of at least one token each
};

struct PlacedAnswers {
  struct Answer {
    size_t number;      // among those that were given
    int64_t first_row;  // of its targets, which are its tokens in consecutive rows
  };
  std::vector<TokenBlock> blocks;
  std::vector<std::vector<Answer>> answers;  // of each block
};

// Blocks of about `block_tokens` tokens, in the order of `answers`; empty ones are added up to a multiple of `slots`.
// Answers share a prompt if they follow each other.
PlacedAnswers place_answers(std::span<const AnswerTokens> answers, int64_t block_tokens, int64_t slots);

}  // namespace fude
