// The stages before training, as the commands and `fude life` use them: text → tokenizer → shards.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "data/documents.h"
#include "data/shard_writer.h"

namespace fude {

Progress progress_on_stderr();

// The tokens of Fude's own vocabularies that no text is cut into, from id 0 on.
std::vector<std::string> own_special_tokens();

struct TokenizerSettings {
  std::vector<std::string> inputs;
  std::string out;  // folder
  int64_t vocabulary = 8192;
  std::string pattern = "o200k";
  bool chats = false;  // the inputs are conversations
  DocumentOptions documents;
};

// Trains a byte-level BPE and writes it as tokenizer.json.
void train_tokenizer(const TokenizerSettings& settings, int threads);

struct ShardSettings {
  std::vector<std::string> inputs;
  std::string tokenizer, out;
  int64_t shard_tokens = ShardOptions{}.shard_tokens;
  bool special_tokens = false;  // recognise special tokens in the text (trusted corpora only)
  DocumentOptions documents;
};

// Goes on where a killed run stopped.
void make_shards(const ShardSettings& settings, int threads);

}  // namespace fude
