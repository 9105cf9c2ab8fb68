#include "model/kv_store.h"

#include "base/error.h"

namespace fude {

KvView BatchKv::put(int64_t, const Tensor& k_NGD, const Tensor& v_NGD, const TokenBatch& batch) {
  KvView view{{k_NGD, {}}, {v_NGD, {}}, {}, {}};
  for (int64_t s = 0; s < batch.sequences(); ++s) {
    const int64_t first = batch.sequence_starts[size_t(s)], last = batch.sequence_starts[size_t(s) + 1];
    require(first == last || batch.positions_N[size_t(first)] == 0,
            "[batch_kv] expected sequences that begin at position 0");
    view.first_page.push_back(int64_t(view.page_rows.size()));
    for (int64_t row = first; row < last; row += kKeyPage) view.page_rows.push_back(row);
  }
  return view;
}

}  // namespace fude
