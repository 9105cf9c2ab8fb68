// Pieces of documents packed into rows of T tokens, and rows made into a batch.
//
// A document with its end mark is cut at T; each piece goes into the first open row that has room (first-fit),
// positions restart and attention ends with the piece, so nothing crosses documents. Rows are descriptions until the
// last moment: a piece is four integers, which is what makes the loader's state small and exact. `concat` is the older
// way: documents one after the other, cut every T tokens, one sequence per row, attention over all of it, no padding.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace fude {

// Tokens [begin, end) of a document; the end mark is the token after its last.
struct Piece {
  int32_t source = 0;
  int64_t document = 0;
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
  bool operator==(const Piece&) const = default;
};

struct PackedRow {
  std::vector<Piece> pieces;
  std::optional<Piece> following;  // concat: the one token after the row, for its last target
  bool operator==(const PackedRow&) const = default;
};

struct PackingOptions {
  int64_t row_tokens = 1024;  // T
  int open_rows = 64;         // rows that wait for pieces; when none has room, the fullest is given out
  bool concat = false;
  // Tokens from this number on stand for those from 0 on, and are no targets: documents of which parts are learned.
  int32_t unlearned_from = 0;  // 0: all tokens are what they are
};

class Packer {
 public:
  explicit Packer(PackingOptions options);

  // Takes a piece of 1..T tokens. Gives out the row that is finished by it, if any; there is at most one.
  std::optional<PackedRow> add(const Piece& piece);
  // At the end of a finite corpus: the open rows one by one, oldest first.
  std::optional<PackedRow> flush();

  // The open rows, oldest first: the whole state.
  const std::vector<PackedRow>& open_rows() const { return open_; }
  void restore(std::vector<PackedRow> open);

 private:
  std::optional<PackedRow> add_first_fit(const Piece& piece);
  std::optional<PackedRow> add_concat(Piece piece);
  PackedRow take(size_t row);

  PackingOptions options_;
  std::vector<PackedRow> open_;
  std::vector<int64_t> used_;  // tokens in each open row
};

// Rows of a training batch, ragged: N tokens of S sequences one after the other. Unused room at the ends of
// the rows is not in the batch but counted.
struct TokenBlock {
  std::vector<int32_t> tokens_N, targets_N, positions_N;  // target -1: none (masked)
  std::vector<int32_t> sequence_starts_S1;                // S+1 offsets, the last is N
  std::vector<int32_t> prefixes_S;                        // as TokenBatch has them; empty: none
  int64_t rows = 0;
  int64_t padding = 0;       // rows·T − N
  int64_t target_count = 0;  // targets that are not -1
  int64_t target_bytes = 0;  // bytes of text the targets stand for, for bits per byte; 0 without a table

  int64_t tokens() const { return int64_t(tokens_N.size()); }
  int64_t sequences() const { return int64_t(sequence_starts_S1.size()) - 1; }
};

// Tokens of one document with its end mark: [begin, end) into `out`, and how many there are.
struct DocumentTokens {
  std::function<int64_t(int32_t source, int64_t document)> size;
  std::function<void(int32_t source, int64_t document, int64_t begin, int64_t end, int32_t* out)> read;
};

// Each piece is a sequence (with `concat`, each row is). A target is the next token of the document, also across a
// cut, so cutting loses none; only the end mark has no target (with `concat` it is the next document's first token).
// `bytes_of_token`: empty, or a length for every token.
TokenBlock make_block(std::span<const PackedRow> rows, const PackingOptions& options, const DocumentTokens& documents,
                      std::span<const uint16_t> bytes_of_token);

}  // namespace fude
