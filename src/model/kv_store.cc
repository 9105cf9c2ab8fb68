#include "model/kv_store.h"

#include <cstring>

#include "base/error.h"

namespace fude {

KvView BatchKv::put(int64_t, const Tensor& k_NGD, const Tensor& v_NGD, const TokenBatch& batch) {
  KvView view{k_NGD, v_NGD, {}, {}};
  for (int64_t s = 0; s < batch.sequences(); ++s) {
    const int64_t first = batch.sequence_starts[size_t(s)], last = batch.sequence_starts[size_t(s) + 1];
    require(first == last || batch.positions_N[size_t(first)] == 0,
            "[batch_kv] expected sequences that begin at position 0");
    view.first_page.push_back(int64_t(view.page_rows.size()));
    for (int64_t row = first; row < last; row += kKeyPage) view.page_rows.push_back(row);
  }
  return view;
}

KvCache::KvCache(Device& device, int64_t layers, int64_t kv_heads, int64_t head_size, int64_t capacity)
    : capacity_(pages_for(capacity) * kKeyPage), kept_(size_t(layers), 0) {
  for (int64_t layer = 0; layer < layers; ++layer) {
    k_.emplace_back(device, Shape{capacity_, kv_heads, head_size}, DType::f32, Purpose::cache);
    v_.emplace_back(device, Shape{capacity_, kv_heads, head_size}, DType::f32, Purpose::cache);
  }
}

KvView KvCache::put(int64_t layer, const Tensor& k_NGD, const Tensor& v_NGD, const TokenBatch& batch) {
  require(batch.sequences() == 1 && batch.size() > 0, "[kv_cache] expected one sequence, got {}", batch.sequences());
  require(layer >= 0 && layer < int64_t(kept_.size()), "[kv_cache] expected a layer in [0, {}), got {}", kept_.size(),
          layer);
  const int64_t first = batch.positions_N.front(), end = first + batch.size();
  int64_t& kept = kept_[size_t(layer)];
  require(0 <= first && first <= kept,
          "[kv_cache] expected a batch that begins at one of the positions 0 to {}, got {}", kept, first);
  require(end <= capacity_, "[kv_cache] expected at most {} positions, got {}", capacity_, end);
  for (int64_t i = 0; i < batch.size(); ++i)
    require(batch.positions_N[size_t(i)] == first + i, "[kv_cache] expected consecutive positions, got {} behind {}",
            batch.positions_N[size_t(i)], first + i - 1);
  Tensor &k = k_[size_t(layer)], &v = v_[size_t(layer)];
  require_shape("kv_cache", "k", k_NGD, {batch.size(), k.shape()[1], k.shape()[2]});
  require_shape("kv_cache", "v", v_NGD, {batch.size(), v.shape()[1], v.shape()[2]});
  kept = end;
  const int64_t row_bytes = k.cols() * size_of(k.type());
  if (k.raw() != nullptr) {
    std::memcpy(static_cast<std::byte*>(k.raw()) + first * row_bytes, k_NGD.raw(), size_t(k_NGD.bytes()));
    std::memcpy(static_cast<std::byte*>(v.raw()) + first * row_bytes, v_NGD.raw(), size_t(v_NGD.bytes()));
  }
  KvView view{k, v, {}, {0}};
  for (int64_t row = 0; row < end; row += kKeyPage) view.page_rows.push_back(row);
  return view;
}

}  // namespace fude
