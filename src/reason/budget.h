// How long a model thinks before it answers: at most, and at least.
//
// Both are a mask over its tokens, so they hold together with everything the engine does. An answer that is held to a
// format by a mask of its own does not think. A thought that has used up its tokens is closed: its end mark is the only
// token left. A thought that would end too early goes on: where the model's most likely token is the mark (or the end
// of the turn), the words of `go_on` come instead, if they fit, as in Muennighoff et al., "s1: Simple test-time
// scaling", 2025; everywhere else the mark alone is ruled out. No answer ends inside a thought.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "infer/token_mask.h"
#include "text/chat.h"

namespace fude {

struct ThinkingBudget {
  std::optional<int64_t> most;  // tokens between the marks
  int64_t least = 0;
  std::string go_on = "Wait";  // empty: only rule out the mark

  bool is_given() const { return most.has_value() || least > 0; }
};

// The masks of answers to prompts of this chat. `is_thought_open`: the prompt ends inside a thought. Error if the model
// cannot think, or the budget is not one. Nothing where no budget is given.
std::function<std::unique_ptr<TokenMask>()> thinking_masks(const Chat& chat, const ThinkingBudget& budget,
                                                           bool is_thought_open);

}  // namespace fude
