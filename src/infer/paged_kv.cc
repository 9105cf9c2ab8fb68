#include "infer/paged_kv.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace fude {
namespace {

// Tokens whose rows one thread copies at a time.
constexpr int64_t kCopiedTokens = 32;

std::byte* row_of(const Tensor& tensor, int64_t row) {
  return static_cast<std::byte*>(tensor.raw()) + row * tensor.cols() * size_of(tensor.type());
}

void copy_tensor_rows(const Tensor& from, int64_t first, const Tensor& to, int64_t first_to, int64_t count) {
  std::memcpy(row_of(to, first_to), row_of(from, first), size_t(count * from.cols() * size_of(from.type())));
}

}  // namespace

PagePool::PagePool(Device& device, const ModelConfig& config, int64_t pages) {
  require(pages > 0 && pages < (int64_t(1) << 31) / kKeyPage, "[paged_kv] expected 1 to {} pages, got {}",
          (int64_t(1) << 31) / kKeyPage - 1, pages);
  references_.assign(size_t(pages), 0);
  for (int64_t page = pages - 1; page >= 0; --page) free_.push_back(Page(page));
  for (int64_t layer = 0; layer < config.layers; ++layer)
    for (auto* all : {&k_, &v_})
      all->emplace_back(device, Shape{pages * kKeyPage, config.kv_heads, config.head_size}, DType::f32, Purpose::cache);
}

Page PagePool::take() {
  require(!free_.empty(), "[paged_kv] none of the {} pages is free", pages());
  const Page page = free_.back();
  free_.pop_back();
  references_[size_t(page)] = 1;
  return page;
}

void PagePool::share(Page page) {
  require(references(page) > 0, "[paged_kv] page {} is free and cannot be shared", page);
  ++references_[size_t(page)];
}

void PagePool::release(Page page) {
  require(references(page) > 0, "[paged_kv] page {} is free and cannot be released", page);
  if (--references_[size_t(page)] == 0) free_.push_back(page);
}

void PagePool::copy_rows(Page from, Page to, int64_t rows) {
  require(rows >= 0 && rows <= kKeyPage && from != to, "[paged_kv] expected 0 to {} rows of another page, got {}",
          kKeyPage, rows);
  for (auto* all : {&k_, &v_})
    for (const Tensor& tensor : *all) copy_tensor_rows(tensor, from * kKeyPage, tensor, to * kKeyPage, rows);
}

PagedKv::PagedKv(PagePool& pool, std::vector<const std::vector<Page>*> pages_S)
    : pool_(pool), pages_S_(std::move(pages_S)) {}

KvView PagedKv::put(int64_t layer, const Tensor& k_NGD, const Tensor& v_NGD, const TokenBatch& batch) {
  require(batch.sequences() == int64_t(pages_S_.size()), "[paged_kv] expected {} sequences, got {}", pages_S_.size(),
          batch.sequences());
  Tensor &k = pool_.keys(layer), &v = pool_.values(layer);
  require_shape("paged_kv", "k", k_NGD, {batch.size(), k.shape()[1], k.shape()[2]});
  require_shape("paged_kv", "v", v_NGD, {batch.size(), v.shape()[1], v.shape()[2]});
  KvView view{k, v, {}, {}};
  std::vector<int64_t> rows_N(size_t(batch.size()));  // of the pool
  for (size_t s = 0; s < pages_S_.size(); ++s) {
    const std::vector<Page>& pages = *pages_S_[s];
    const int64_t first = batch.sequence_starts[s], last = batch.sequence_starts[s + 1];
    view.first_page.push_back(int64_t(view.page_rows.size()));
    if (first == last) continue;
    const int64_t begin = batch.positions_N[size_t(first)], end = begin + last - first;
    require(begin >= 0 && pages_for(end) <= int64_t(pages.size()),
            "[paged_kv] expected positions from 0 to {}, got {} to {}", int64_t(pages.size()) * kKeyPage - 1, begin,
            end - 1);
    for (int64_t page = 0; page < pages_for(end); ++page)
      view.page_rows.push_back(int64_t(pages[size_t(page)]) * kKeyPage);
    for (int64_t i = first; i < last; ++i) {
      const int64_t position = begin + i - first;
      require(batch.positions_N[size_t(i)] == position, "[paged_kv] expected consecutive positions, got {} behind {}",
              batch.positions_N[size_t(i)], position - 1);
      rows_N[size_t(i)] = int64_t(pages[size_t(position / kKeyPage)]) * kKeyPage + position % kKeyPage;
    }
  }
  if (k.device().only_counts()) return view;
  k.device().threads().parallel_for(batch.size(), kCopiedTokens, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      copy_tensor_rows(k_NGD, i, k, rows_N[size_t(i)], 1);
      copy_tensor_rows(v_NGD, i, v, rows_N[size_t(i)], 1);
    }
  });
  return view;
}

}  // namespace fude
