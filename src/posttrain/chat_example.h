// A conversation as tokens, with what of them is learned.
//
// An assistant's turn is learned where a server would produce it: behind the template's own prompt to speak, up to the
// token that ends the turn. The tokens of each learned turn are those that sampling it would have given: prompt and
// answer are encoded apart. Some templates change a turn once it is history (they drop its thoughts); such a turn is
// read and not learned, and counted, because nobody will ever be asked to continue from there.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "posttrain/conversation.h"
#include "text/chat.h"

namespace fude {

struct ChatExample {
  std::vector<int32_t> tokens;
  std::vector<bool> is_learned;  // of each token
  int64_t learned() const { return std::ranges::count(is_learned, true); }
};

struct ExampleOptions {
  std::set<std::string> learned_roles = {"assistant"};
  bool with_thoughts = true;  // else they are left out
};

struct ExampleCounts {
  int64_t conversations = 0, turns = 0;  // turns that are learned
  int64_t changed_turns = 0;             // not learned: history has them in another way
  int64_t without_end = 0;               // learned turns that no stop token ends
};

// Error, naming `where`, if the template refuses the conversation.
ChatExample make_example(const Chat& chat, const TrainingConversation& conversation, const ExampleOptions& options,
                         std::string_view where, ExampleCounts& counts);

}  // namespace fude
