// The layout of a shard file, shared by its reader and its writer (docs/formats.md draws it).
//
// header (104 bytes) · tokens, padded with zeros to 8 bytes · index, 24 bytes per document · language names, each
// ended by a newline, padded · file checksum. The header's own checksum lets sizes be trusted before the rest is read.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace fude {

static_assert(std::endian::native == std::endian::little, "shards are little-endian and read in place");

struct ShardHeader {
  char magic[8];
  uint32_t version;
  uint32_t token_width;  // 2 or 4
  uint64_t vocabulary;
  uint8_t tokenizer_hash[16];
  uint8_t text_hash[16];
  uint64_t documents;
  uint64_t tokens;
  uint64_t text_bytes;
  uint64_t language_bytes;  // of the names with their newlines, before padding
  uint64_t index_checksum;  // XXH3-64 of index and language names
  uint64_t checksum;        // XXH3-64 of the 96 bytes before
};
static_assert(sizeof(ShardHeader) == 104);

struct ShardEntry {
  uint64_t begin;       // first token; the document ends where the next begins
  uint64_t text_bytes;  // of its raw text
  uint64_t language;    // number of the name; 0 is the empty name
};
static_assert(sizeof(ShardEntry) == 24);

inline constexpr char kShardMagic[8] = {'F', 'U', 'D', 'E', 'S', 'H', 'R', 'D'};
inline constexpr uint32_t kShardVersion = 1;
inline constexpr size_t kMaxLanguages = 4096;                   // in one shard
inline constexpr uint64_t kManifestLimit = uint64_t(64) << 20;  // bytes of shards.json

inline uint64_t padded_to_8(uint64_t size) { return (size + 7) / 8 * 8; }

uint64_t checksum_of(std::string_view bytes);

// Sets the three checksums of a shard in memory, as far as its sizes allow: what the writer does last, and
// what tests and fuzzers need to reach the checks behind the checksums.
void seal_shard(std::string& shard);

}  // namespace fude
