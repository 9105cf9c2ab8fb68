#include "model/last_rows.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace fude {

LastRows::LastRows(const TokenBatch& batch, const std::vector<int64_t>& counts_S) {
  require(int64_t(counts_S.size()) == batch.sequences(), "[last_rows] expected {} sequences, got {}", batch.sequences(),
          counts_S.size());
  batch_.sequence_starts = {0};
  for (size_t s = 0; s < counts_S.size(); ++s) {
    const int64_t end = batch.sequence_starts[s + 1], count = counts_S[s], first = end - count;
    require(count >= 0 && first >= batch.sequence_starts[s],
            "[last_rows] expected 0 to {} tokens of sequence {}, got {}", end - batch.sequence_starts[s], s, count);
    if (count == 0) continue;
    for (const AdapterRows& rows : batch.adapters) {
      const int64_t begin = std::max(rows.first, first), last = std::min(rows.first + rows.count, end);
      const int64_t at = batch_.size() + begin - first;
      if (begin >= last) continue;
      auto& some = batch_.adapters;
      if (some.empty() || some.back().adapter != rows.adapter || some.back().first + some.back().count != at)
        some.push_back({rows.adapter, at, 0});
      some.back().count += last - begin;
    }
    stretches_.push_back({s, first, count});
    for (int64_t row = first; row < end; ++row) {
      batch_.tokens_N.push_back(batch.tokens_N[size_t(row)]);
      batch_.positions_N.push_back(batch.positions_N[size_t(row)]);
    }
    batch_.sequence_starts.push_back(int32_t(batch_.size()));
  }
}

Tensor LastRows::of(const Pass& pass, const Tensor& all_N) const {
  const Shape& shape = all_N.shape();
  Tensor some_R = shape.rank() == 3 ? pass.empty({batch_.size(), shape[1], shape[2]}, all_N.type())
                                    : pass.empty({batch_.size(), shape[1]}, all_N.type());
  const int64_t row = all_N.cols() * size_of(all_N.type());
  auto* to = static_cast<std::byte*>(some_R.raw());
  for (const Stretch& stretch : stretches_) {
    std::memcpy(to, static_cast<const std::byte*>(all_N.raw()) + stretch.first_row * row, size_t(stretch.count * row));
    to += stretch.count * row;
  }
  return some_R;
}

KvView LastRows::of(KvView all) const {
  std::vector<int64_t> first_page;
  for (const Stretch& stretch : stretches_) first_page.push_back(all.first_page[stretch.sequence]);
  all.first_page = std::move(first_page);
  return all;
}

}  // namespace fude
