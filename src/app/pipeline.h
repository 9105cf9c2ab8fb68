// The stages before training, as the commands and `fude life` use them: text → tokenizer → shards.
#pragma once

#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "base/progress.h"
#include "data/documents.h"
#include "data/shard_writer.h"
#include "text/tokenizer.h"

namespace fude {

Progress progress_on_stderr();

// What --json asks for: a line on standard output, at once, without ill-formed UTF-8 whatever the text.
void print_as_json(const Json& json);
// {"token", "text", "bytes"}. A token that is part of a character has no text to tell it by; numbers of bytes do, as in
// OpenAI's API.
Json token_facts(const Tokenizer& tokenizer, TokenId token);
// {"path", "bytes"} of a model's folder or GGUF file; of a folder the weights are counted.
Json written_model(const std::string& path);

// The tokens of Fude's own vocabularies that no text is cut into, from id 0 on.
std::vector<std::string> own_special_tokens();

// On standard error, what was skipped and why.
void print_skipped(const DocumentCounts& counts);

struct TokenizerSettings {
  std::vector<std::string> inputs;
  std::string out;  // folder
  int64_t vocabulary = 8192;
  std::string pattern = "o200k";  // as pattern_called takes it
  bool chats = false;             // the inputs are conversations
  std::string ranks;              // .tiktoken file to write beside it; empty: none
  DocumentOptions documents;
};

// Trains a byte-level BPE and writes it as tokenizer.json. Error if the folder has a tokenizer that was made with other
// settings, which lie beside it. What came of it: {"path", "vocabulary", "documents", …}.
Json train_tokenizer(const TokenizerSettings& settings, int threads);

struct ShardSettings {
  std::vector<std::string> inputs;
  std::string tokenizer, out;  // the tokenizer may be a model's
  int64_t shard_tokens = ShardOptions{}.shard_tokens;
  bool special_tokens = false;  // recognise special tokens in the text (trusted corpora only)
  DocumentOptions documents;
};

// Goes on where a killed run stopped. What is there then: {"path", "documents", "tokens", …}.
Json make_shards(const ShardSettings& settings, int threads);

}  // namespace fude
