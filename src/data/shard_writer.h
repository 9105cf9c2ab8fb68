// Sharded token files, written: documents and an encoder in, a folder of shards and its shards.json out.
//
// Each finished shard is kept: shards.json is rewritten after every one, with the place in the corpus where
// the next begins. A run that was killed is simply run again; it goes on after the last shard listed, and the
// folder ends up byte for byte as if nothing had happened, whatever the number of threads. One shard is held in memory
// while it grows.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/document_source.h"
#include "data/shard.h"

namespace fude {

// Appends the tokens of `text` to `out`. A document that it gives none is left out.
using Encoder = std::function<void(std::string_view text, std::vector<int32_t>& out)>;

struct ShardOptions {
  std::string folder;
  int64_t vocabulary = 0;
  std::string tokenizer_hash;                // hash_hex of the tokenizer's file
  const Json* settings = nullptr;            // where that hash is one of settings: the object, kept in shards.json
  bool replaces_others = false;              // shards of other work in the folder are removed, not refused
  int64_t shard_tokens = int64_t(32) << 20;  // a shard ends with the document that reaches this
  int threads = 1;                           // that encode; 1: each document is encoded before the next is asked for
  // Called after every document, with bytes of the corpus.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

// Returns the finished set's shards.json. Error if the folder holds shards of another corpus, tokenizer or size,
// unless they are to be replaced.
Json write_shards(DocumentSource& documents, const Encoder& encode, const ShardOptions& options);

}  // namespace fude
