// The training stream: documents of a mixture, packed into rows, with a position that is exact.
//
// A document longer than a row fills rows that follow each other, and a batch of them would be of one mind (one book,
// one language). So rows wait in a pool, and each one given out is drawn from it. The state is integers only: how far
// each set was read, the document being cut, and open and waiting rows as pieces. A run that restores it continues with
// the very batches it would have had. There is no thread: making a batch is a copy out of mapped memory, far below the
// cost of a step.
#pragma once

#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "data/mixture.h"
#include "data/packing.h"

namespace fude {

struct LoaderOptions {
  PackingOptions packing;                // T, open rows, concat
  int64_t waiting_rows = 4096;           // the pool; at most a quarter of what one pass over the sets gives
  int32_t end_of_text = -1;              // the token set behind every document; required
  std::vector<uint16_t> bytes_of_token;  // byte length of each token, 0 for special ones; empty: no bits per byte
};

struct LoaderTotals {
  int64_t rows = 0, tokens = 0, targets = 0, padding = 0;
  bool operator==(const LoaderTotals&) const = default;
};

struct LoaderState {
  std::string identity;  // of the sets, their shares, the seed and the packing
  std::vector<SourcePosition> sources;
  Piece pending;  // what is left of the document being cut; empty if nothing is
  std::vector<PackedRow> open_rows, waiting_rows;
  LoaderTotals totals;

  Json to_json() const;
  static LoaderState from_json(const Json& json, std::string_view where);
  bool operator==(const LoaderState&) const = default;
};

class Loader {
 public:
  Loader(Mixture mixture, LoaderOptions options);

  TokenBlock next(int64_t rows);

  LoaderState state() const;
  // Error if the state was saved by a loader of other sets, weights, seed or packing.
  void restore(const LoaderState& state);
  const LoaderTotals& totals() const { return totals_; }
  // Rows that wait to be drawn from.
  int64_t waiting_rows() const { return int64_t(pool_size_); }

 private:
  PackedRow pack_row();
  PackedRow draw_row(uint64_t number);

  Mixture mixture_;
  LoaderOptions options_;
  Packer packer_;
  Piece pending_;
  size_t pool_size_;
  std::vector<PackedRow> waiting_;
  LoaderTotals totals_;
  std::string identity_;
};

// The first rows of a set in file order, the same at every call: what a validation loss is computed on.
class ValidationRows {
 public:
  // As many rows as there are, at most `limit`. The name is for people.
  ValidationRows(std::string name, std::shared_ptr<const ShardSet> set, LoaderOptions options, int64_t limit);

  const std::string& name() const { return name_; }
  int64_t rows() const { return int64_t(rows_.size()); }
  TokenBlock block(int64_t first, int64_t count) const;

 private:
  std::string name_;
  std::shared_ptr<const ShardSet> set_;
  LoaderOptions options_;
  std::vector<PackedRow> rows_;
};

}  // namespace fude
