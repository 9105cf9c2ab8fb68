// Byte-pair encoding of one piece of text: start from its bytes, again and again merge the neighbours whose
// merge has the lowest rank (the leftmost of equals), until no merge applies. SentencePiece's kind starts from
// characters, and falls back to bytes where a character has no entry.
//
// Short pieces are merged in a small array, long ones with a heap over a linked list, so that a megabyte of one letter
// costs n log n. A piece that is itself an entry is looked up whole, once that is known to give what merging gives.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fude {

using TokenId = int32_t;
constexpr TokenId kNoToken = -1;

// left and right become result. Lower ranks go first.
struct Merge {
  TokenId left, right, result;
  uint32_t rank;
  bool operator==(const Merge&) const = default;
};

// What text is cut into, and by which rule.
struct Vocabulary {
  // bytes: byte-level BPE. characters: BPE over characters. unigram: the entries with the best sum of scores.
  enum class Kind { bytes, characters, unigram };
  Kind kind = Kind::bytes;
  // By id; an empty string means that the id has no entry. For Kind::bytes these are bytes; else names, in which ▁
  // stands for a blank and, with byte_fallback, <0x0A> for a byte.
  std::vector<std::string> tokens;
  std::vector<Merge> merges;   // by rising rank; of two merges of one pair the later holds
  std::vector<double> scores;  // by id, for Kind::unigram
  bool whole_pieces = false;   // a piece that is an entry is that entry, whatever the merges say ("ignore_merges")
  bool byte_fallback = false;  // a character without an entry becomes its bytes
  TokenId unknown = kNoToken;  // for what has no entry; without it that is left out
  bool fuse_unknown = false;   // neighbouring unknown ones become one token
};

// What stands for a character that has no entry.
class Fallback {
 public:
  // Error if `byte_fallback` is set and a byte has no entry.
  explicit Fallback(const Vocabulary& vocabulary);
  // Appends the tokens of `character`; `begin` is where those of its piece begin in `out`.
  void append(std::string_view character, size_t begin, std::vector<TokenId>& out) const;

 private:
  std::array<TokenId, 256> bytes_;
  bool to_bytes_, fuse_;
  TokenId unknown_;
};

// The vocabulary of a rank file: ids are ranks, and any neighbours merge whose bytes together are an entry.
Vocabulary vocabulary_from_ranks(std::vector<std::string> tokens);

// Open-addressing table from a pair of ids to its merge.
class PairTable {
 public:
  static constexpr uint32_t kNoRank = 0xFFFFFFFF;
  struct Found {
    uint32_t rank = kNoRank;
    TokenId result = kNoToken;
  };

  explicit PairTable(size_t expected = 0);
  // The later of two entries for one pair holds.
  void insert(const Merge& merge);
  Found find(TokenId left, TokenId right) const {
    const uint64_t key = key_of(left, right);
    for (size_t slot = slot_of(key);; slot = (slot + 1) & mask_) {
      if (slots_[slot].key == key) return slots_[slot].value;
      if (slots_[slot].key == kEmpty) return {};
    }
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t(0);
  struct Slot {
    uint64_t key = kEmpty;
    Found value;
  };
  static uint64_t key_of(TokenId left, TokenId right) { return uint64_t(uint32_t(left)) << 32 | uint32_t(right); }
  size_t slot_of(uint64_t key) const { return (key * 0x9E3779B97F4A7C15u) >> shift_; }
  void grow();

  std::vector<Slot> slots_;
  size_t mask_ = 0, used_ = 0;
  int shift_ = 64;
};

// Finds entries by their bytes: an open-addressing table from the hash of an entry to its id. The bytes stay with
// whoever owns the list, and it is handed to every call, so that the table can move with it.
class EntryTable {
 public:
  // For a list of so many entries.
  explicit EntryTable(size_t count = 0);
  // Adds an id of the list and gives kNoToken, or gives the id that is there with the same bytes.
  TokenId insert(const std::vector<std::string>& entries, TokenId id);
  // kNoToken if there is none.
  TokenId find(const std::vector<std::string>& entries, std::string_view bytes) const;

 private:
  struct Slot {
    uint32_t hash = 0;
    TokenId id = kNoToken;
  };
  // Where it is, or is to be.
  size_t slot_of(const std::vector<std::string>& entries, std::string_view bytes, uint32_t hash) const;

  std::vector<Slot> slots_;
};

class Bpe {
 public:
  // Error if an id is out of range or a merge's bytes are not its parts'.
  explicit Bpe(Vocabulary vocabulary);

  // Appends the tokens of one piece.
  void encode_piece(std::string_view piece, std::vector<TokenId>& out) const;
  // The entry with these bytes, or kNoToken.
  TokenId find(std::string_view bytes) const;
  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  void append_characters(std::string_view piece, std::vector<TokenId>& out) const;
  void encode_by_merging(std::string_view piece, std::vector<TokenId>& out) const;

  Vocabulary vocabulary_;
  Fallback fallback_;
  PairTable pairs_;
  std::array<TokenId, 256> byte_tokens_;
  EntryTable entries_;
  // By id: whether a piece with the bytes of the entry is known to become that entry. Found out when one comes the
  // first time, by any thread: a start would wait for all of them.
  mutable std::vector<uint8_t> is_whole_;
};

}  // namespace fude
