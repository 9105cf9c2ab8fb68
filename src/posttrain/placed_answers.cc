#include "posttrain/placed_answers.h"

#include <algorithm>

#include "ops/kv_view.h"

namespace fude {
namespace {

TokenBlock empty_block() {
  TokenBlock block;
  block.sequence_starts_S1 = {0};
  return block;
}

// A row for each of tokens [begin, end); targets are those of the answer.
void add_sequence(TokenBlock& block, const AnswerTokens& a, size_t begin, size_t end, int32_t prefix) {
  const auto token_at = [&](size_t i) { return i < a.prompt.size() ? a.prompt[i] : a.answer[i - a.prompt.size()]; };
  for (size_t i = begin; i < end; ++i) {
    const bool is_learned = i + 1 >= a.prompt.size();
    block.tokens_N.push_back(token_at(i));
    block.targets_N.push_back(is_learned ? token_at(i + 1) : -1);
    block.positions_N.push_back(int32_t(i));
    block.target_count += is_learned ? 1 : 0;
  }
  block.sequence_starts_S1.push_back(int32_t(block.tokens_N.size()));
  block.prefixes_S.push_back(prefix);
  ++block.rows;
}

}  // namespace

PlacedAnswers place_answers(std::span<const AnswerTokens> answers, int64_t block_tokens, int64_t slots) {
  PlacedAnswers placed;
  const auto add_block = [&] { placed.blocks.push_back(empty_block()), placed.answers.emplace_back(); };
  for (size_t i = 0; i < answers.size();) {
    const auto& prompt = answers[i].prompt;
    size_t end = i + 1;
    while (end < answers.size() && std::ranges::equal(answers[end].prompt, prompt)) ++end;
    const size_t shared = end - i < 2 ? 0 : (prompt.size() - 1) / kKeyPage * kKeyPage;
    for (int32_t prefix = -1; i < end; ++i) {
      const size_t size = prompt.size() + answers[i].answer.size() - 1;
      const size_t added = prefix >= 0 ? size - shared : size;
      if (placed.blocks.empty() || placed.blocks.back().tokens() + int64_t(added) > block_tokens)
        add_block(), prefix = -1;
      TokenBlock& block = placed.blocks.back();
      if (shared > 0 && prefix < 0) {
        prefix = int32_t(block.sequences());
        add_sequence(block, answers[i], 0, shared, -1);
      }
      placed.answers.back().push_back({i, block.tokens() + int64_t(prompt.size() - 1 - shared)});
      add_sequence(block, answers[i], shared, size, prefix);
    }
  }
  while (int64_t(placed.blocks.size()) % slots != 0) add_block();
  return placed;
}

}  // namespace fude
