// Conversations → shards whose tokens know whether they are learned (PackingOptions::unlearned_from).
#pragma once

#include <string>
#include <vector>

#include "app/pipeline.h"
#include "posttrain/chat_example.h"

namespace fude {

struct ChatShardSettings {
  std::vector<std::string> inputs;  // files or folders of JSONL
  std::string out;
  int64_t row_tokens = 1024;     // longer conversations are cut
  bool replaces_others = false;  // shards of other conversations or settings in `out`; else they are refused
  ExampleOptions example;
  DocumentOptions documents;
};

struct ChatShards {
  std::string made_with;  // TrainSettings::chats
  int64_t tokens = 0, conversations = 0;
};

// Goes on where a killed run stopped. Says on stderr what was cut or could not be learned. Error if nothing can be.
ChatShards make_chat_shards(const Chat& chat, const ChatShardSettings& settings);

}  // namespace fude
