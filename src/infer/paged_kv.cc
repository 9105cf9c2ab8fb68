#include "infer/paged_kv.h"

#include <cstring>
#include <utility>

#include "base/error.h"
#include "ops/kv_rows.h"

namespace fude {
namespace {

// Rows of one place to another. A tensor that is not there has none to copy.
void copy_rows(const Tensor& tensor, int64_t from, int64_t to, int64_t count) {
  if (tensor.is_empty()) return;
  const int64_t row = tensor.cols() * size_of(tensor.type());
  auto* bytes = static_cast<std::byte*>(tensor.raw());
  std::memcpy(bytes + to * row, bytes + from * row, size_t(count * row));
}

}  // namespace

PagePool::PagePool(Device& device, const ModelConfig& config, int64_t pages, DType type) : layers_(config.layers) {
  require(pages > 0 && pages < (int64_t(1) << 31) / kKeyPage, "[paged_kv] expected 1 to {} pages, got {}",
          (int64_t(1) << 31) / kKeyPage - 1, pages);
  references_.assign(size_t(pages), 0);
  for (int64_t page = pages - 1; page >= 0; --page) free_.push_back(Page(page));
  require(type == DType::f32 || type == DType::bf16 || type == DType::i8,
          "[paged_kv] expected keys and values in f32, bf16 or i8, got {}", name_of(type));
  const int64_t rows = pages * layers_ * kKeyPage;
  for (KvRows* all : {&k_, &v_}) {
    all->rows_RGD = Tensor(device, {rows, config.kv_heads, config.head_size}, type, Purpose::cache);
    if (type == DType::i8) all->scales_RG = Tensor(device, {rows, config.kv_heads}, DType::f32, Purpose::cache);
  }
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

void PagePool::copy(Page from, Page to) {
  require(from != to && references(from) > 0 && references(to) > 0,
          "[paged_kv] expected two pages that are taken, got {} and {}", from, to);
  for (const KvRows* kv : {&k_, &v_})
    for (const Tensor* tensor : {&kv->rows_RGD, &kv->scales_RG})
      copy_rows(*tensor, first_row(from, 0), first_row(to, 0), layers_ * kKeyPage);
}

PagedKv::PagedKv(PagePool& pool, const Kernels& kernels, std::vector<const std::vector<Page>*> pages_S)
    : pool_(pool), kernels_(kernels), pages_S_(std::move(pages_S)) {}

KvView PagedKv::put(int64_t layer, const Tensor& k_NGD, const Tensor& v_NGD, const TokenBatch& batch) {
  require(batch.sequences() == int64_t(pages_S_.size()), "[paged_kv] expected {} sequences, got {}", pages_S_.size(),
          batch.sequences());
  KvView view{pool_.keys(), pool_.values(), {}, {}};
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
      view.page_rows.push_back(pool_.first_row(pages[size_t(page)], layer));
    for (int64_t i = first; i < last; ++i) {
      const int64_t position = begin + i - first;
      require(batch.positions_N[size_t(i)] == position, "[paged_kv] expected consecutive positions, got {} behind {}",
              batch.positions_N[size_t(i)], position - 1);
      rows_N[size_t(i)] = pool_.first_row(pages[size_t(position / kKeyPage)], layer) + position % kKeyPage;
    }
  }
  Threads& threads = k_NGD.device().threads();
  put_kv_rows(threads, kernels_, k_NGD, rows_N, view.k);
  put_kv_rows(threads, kernels_, v_NGD, rows_N, view.v);
  return view;
}

}  // namespace fude
