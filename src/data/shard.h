// Sharded token files, read: a folder with shards.json and numbered shards, each one mapped into memory.
//
// A shard is a header, the tokens of whole documents one after the other, and an index of the documents; the bytes are
// drawn in docs/formats.md. Nothing a file says about itself is believed before it is checked: sizes against the size
// of the file without overflow, the index entry by entry, the checksums, and every token against the vocabulary when
// it is read. Tokens carry no begin or end marks; those belong to how a run packs its rows.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace fude {

// The tokens of one document, where they lie in the file.
class TokenSpan {
 public:
  TokenSpan(const std::byte* data, int width, int64_t size, int64_t vocabulary)
      : data_(data), width_(width), size_(size), vocabulary_(vocabulary) {}
  int64_t size() const { return size_; }
  // Tokens [begin, end) into `out`. Error if one is not in the vocabulary.
  void copy(int64_t begin, int64_t end, int32_t* out) const;
  std::vector<int32_t> to_vector() const;

 private:
  const std::byte* data_;
  int width_;
  int64_t size_;
  int64_t vocabulary_;
};

struct ShardInfo {
  int64_t vocabulary = 0;
  std::string tokenizer_hash;  // 32 hexadecimal digits
  std::string text_hash;       // likewise: of the raw text
  int64_t documents = 0;
  int64_t tokens = 0;
  int64_t text_bytes = 0;  // of the raw text: what bits per byte divides by
};

// everything: one pass over the whole file. structure: all but the checksum over the tokens, for very large sets.
enum class ShardCheck { everything, structure };

class Shard {
 public:
  explicit Shard(const std::string& path, ShardCheck check = ShardCheck::everything);
  // A shard in memory that outlives the object.
  Shard(std::span<const std::byte> bytes, const std::string& name, ShardCheck check = ShardCheck::everything);

  const ShardInfo& info() const { return info_; }
  uint64_t checksum() const { return checksum_; }
  TokenSpan document(int64_t index) const;
  int64_t text_bytes(int64_t index) const;
  std::string_view language(int64_t index) const;

 private:
  void open(const std::string& name, ShardCheck check);
  const std::byte* entry(int64_t index) const;

  MappedFile file_;
  std::span<const std::byte> bytes_;
  ShardInfo info_;
  int width_ = 0;
  const std::byte* index_ = nullptr;
  std::vector<std::string> languages_;
  uint64_t checksum_ = 0;
};

// All shards of a folder as one list of documents.
class ShardSet {
 public:
  // Error unless the folder was written to the end.
  explicit ShardSet(const std::string& folder, ShardCheck check = ShardCheck::everything);

  const std::string& folder() const { return folder_; }
  // Sums over the shards; text_hash is the hash of theirs, and the identity of the set.
  const ShardInfo& info() const { return info_; }
  int64_t documents() const { return info_.documents; }
  TokenSpan document(int64_t index) const;
  int64_t text_bytes(int64_t index) const;
  std::string_view language(int64_t index) const;

 private:
  std::pair<const Shard*, int64_t> find(int64_t index) const;

  std::string folder_;
  ShardInfo info_;
  std::vector<Shard> shards_;
  std::vector<int64_t> first_document_;  // one more than shards
};

}  // namespace fude
