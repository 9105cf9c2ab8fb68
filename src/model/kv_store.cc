#include "model/kv_store.h"

#include "base/error.h"

namespace fude {

KvView BatchKv::put(int64_t, const Tensor& k_NGD, const Tensor& v_NGD, const TokenBatch& batch) {
  KvView view{{k_NGD, {}}, {v_NGD, {}}, {}, {}};
  for (int64_t s = 0; s < batch.sequences(); ++s) {
    const int64_t first = batch.sequence_starts[size_t(s)], last = batch.sequence_starts[size_t(s) + 1];
    view.first_page.push_back(int64_t(view.page_rows.size()));
    if (const int64_t begin = first == last ? 0 : batch.positions_N[size_t(first)]; begin > 0) {
      const int64_t prefix = batch.prefix_of(s);
      require(prefix >= 0 && prefix < s, "[batch_kv] expected a sequence that begins at position 0, or goes on");
      const int64_t row = batch.sequence_starts[size_t(prefix)], end = batch.sequence_starts[size_t(prefix) + 1];
      require(begin % kKeyPage == 0 && row < end && batch.positions_N[size_t(row)] == 0 && begin <= end - row,
              "[batch_kv] expected to go on behind whole pages of a sequence of {} positions, got position {}",
              end - row, begin);
      for (int64_t position = 0; position < begin; position += kKeyPage) view.page_rows.push_back(row + position);
    }
    for (int64_t row = first; row < last; row += kKeyPage) view.page_rows.push_back(row);
  }
  return view;
}

}  // namespace fude
