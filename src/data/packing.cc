#include "data/packing.h"

#include <algorithm>

#include "base/error.h"

namespace fude {

Packer::Packer(PackingOptions options) : options_(options) {
  require(options_.row_tokens >= 1 && options_.row_tokens <= int64_t(1) << 30,
          "[packing] expected rows of 1..2^30 tokens, got {}", options_.row_tokens);
  require(options_.open_rows >= 1 && options_.open_rows <= 1 << 20, "[packing] expected 1..2^20 open rows, got {}",
          options_.open_rows);
}

PackedRow Packer::take(size_t row) {
  PackedRow taken = std::move(open_[row]);
  open_.erase(open_.begin() + long(row));
  used_.erase(used_.begin() + long(row));
  return taken;
}

std::optional<PackedRow> Packer::add(const Piece& piece) {
  require(piece.size() >= 1 && piece.size() <= options_.row_tokens,
          "[packing] expected a piece of 1..{} tokens, got {}", options_.row_tokens, piece.size());
  return options_.concat ? add_concat(piece) : add_first_fit(piece);
}

std::optional<PackedRow> Packer::add_first_fit(const Piece& piece) {
  const int64_t room = options_.row_tokens - piece.size();
  if (room == 0) return PackedRow{{piece}, {}};
  for (size_t i = 0; i < open_.size(); ++i) {
    if (used_[i] > room) continue;
    open_[i].pieces.push_back(piece);
    used_[i] += piece.size();
    if (used_[i] == options_.row_tokens) return take(i);
    return std::nullopt;
  }
  std::optional<PackedRow> finished;
  if (int(open_.size()) == options_.open_rows)  // the oldest of the fullest
    finished = take(size_t(std::max_element(used_.begin(), used_.end()) - used_.begin()));
  open_.push_back({{piece}, {}});
  used_.push_back(piece.size());
  return finished;
}

// A full row waits in open_[0] until the token after it is known.
std::optional<PackedRow> Packer::add_concat(Piece piece) {
  if (open_.empty()) {
    open_.emplace_back();
    used_.push_back(0);
  }
  const int64_t fits = std::min(piece.size(), options_.row_tokens - used_[0]);
  if (fits > 0) {
    Piece head = piece;
    head.end = piece.begin = piece.begin + fits;
    open_[0].pieces.push_back(head);
    used_[0] += fits;
  }
  if (piece.size() == 0) return std::nullopt;
  PackedRow finished = take(0);
  finished.following = Piece{piece.source, piece.document, piece.begin, piece.begin + 1};
  open_.push_back({{piece}, {}});
  used_.push_back(piece.size());
  return finished;
}

std::optional<PackedRow> Packer::flush() {
  if (open_.empty()) return std::nullopt;
  return take(0);
}

void Packer::restore(std::vector<PackedRow> open) {
  require(int64_t(open.size()) <= (options_.concat ? 1 : options_.open_rows),
          "[packing] expected at most {} open rows, got {}", options_.concat ? 1 : options_.open_rows, open.size());
  std::vector<int64_t> used;
  for (const PackedRow& row : open) {
    int64_t tokens = 0;
    for (const Piece& piece : row.pieces) {
      require(piece.begin >= 0 && piece.begin < piece.end && piece.end - piece.begin <= options_.row_tokens - tokens,
              "[packing] an open row does not fit {} tokens", options_.row_tokens);
      tokens += piece.size();
    }
    require(tokens > 0 && (options_.concat || tokens < options_.row_tokens) && !row.following,
            "[packing] an open row is empty or already full");
    used.push_back(tokens);
  }
  open_ = std::move(open);
  used_ = std::move(used);
}

TokenBlock make_block(std::span<const PackedRow> rows, const PackingOptions& options, const DocumentTokens& documents,
                      std::span<const uint16_t> bytes_of_token) {
  int64_t total = 0;
  for (const PackedRow& row : rows)
    for (const Piece& piece : row.pieces) total += piece.size();
  require(total <= INT32_MAX, "[packing] expected a batch below 2^31 tokens, got {}", total);

  TokenBlock block;
  block.rows = int64_t(rows.size());
  block.padding = block.rows * options.row_tokens - total;
  block.tokens_N.resize(size_t(total));
  block.targets_N.resize(size_t(total));
  block.positions_N.resize(size_t(total));
  block.sequence_starts_S1.push_back(0);
  int64_t at = 0;
  const auto read = [&](const Piece& piece, int64_t begin, int64_t end, int32_t* out) {
    documents.read(piece.source, piece.document, begin, end, out);
  };
  // One token past the sequence's last, or -1.
  const auto finish_sequence = [&](int64_t begin, int32_t next) {
    for (int64_t i = begin; i < at; ++i) {
      block.positions_N[size_t(i)] = int32_t(i - begin);
      block.targets_N[size_t(i)] = i + 1 < at ? block.tokens_N[size_t(i + 1)] : next;
    }
    block.sequence_starts_S1.push_back(int32_t(at));
  };
  for (const PackedRow& row : rows) {
    const int64_t row_begin = at;
    for (const Piece& piece : row.pieces) {
      const int64_t piece_begin = at;
      read(piece, piece.begin, piece.end, block.tokens_N.data() + at);
      at += piece.size();
      if (options.concat) continue;
      int32_t next = -1;
      if (piece.end < documents.size(piece.source, piece.document)) read(piece, piece.end, piece.end + 1, &next);
      finish_sequence(piece_begin, next);
    }
    if (!options.concat) continue;
    int32_t next = -1;
    if (row.following) read(*row.following, row.following->begin, row.following->end, &next);
    finish_sequence(row_begin, next);
  }
  if (options.unlearned_from > 0) {
    for (int32_t& token : block.tokens_N)
      if (token >= options.unlearned_from) token -= options.unlearned_from;
    for (int32_t& target : block.targets_N)
      if (target >= options.unlearned_from) target = -1;
  }
  for (const int32_t target : block.targets_N) {
    if (target < 0) continue;
    ++block.target_count;
    if (!bytes_of_token.empty()) {
      require(size_t(target) < bytes_of_token.size(), "[packing] expected byte lengths for token {}, got a table of {}",
              target, bytes_of_token.size());
      block.target_bytes += bytes_of_token[size_t(target)];
    }
  }
  return block;
}

}  // namespace fude
