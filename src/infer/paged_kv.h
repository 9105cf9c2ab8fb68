// The keys and values of many sequences in one pool of pages.
//
// A page is 32 positions of every layer, which lie together: the system gives memory in pieces of 2 MiB, and a short
// prompt would take one for every layer. Sequences and the prefix tree hold references to pages; a page whose last
// reference goes is free again. A page is written only by the sequence that took it, and only behind the rows that
// others may read: sharing needs no locks, and a sequence that departs from a shared page first copies it.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/kv_store.h"
#include "ops/kernels.h"

namespace fude {

// The number of a page in its pool.
using Page = int32_t;

class PagePool {
 public:
  // `pages` pages for a model of this config, on its device, as Purpose::cache; memory that no page has used costs
  // nothing yet. `type`: in which keys and values are kept, f32, bf16 or i8 (ops/kv_view.h).
  PagePool(Device& device, const ModelConfig& config, int64_t pages, DType type = DType::f32);

  int64_t pages() const { return int64_t(references_.size()); }
  int64_t free_pages() const { return int64_t(free_.size()); }
  int64_t references(Page page) const { return references_[size_t(page)]; }

  // A free page with one reference; Error if there is none.
  Page take();
  void share(Page page);
  void release(Page page);
  // The keys and values of a page, in every layer.
  void copy(Page from, Page to);

  // Of all layers.
  const KvRows& keys() const { return k_; }
  const KvRows& values() const { return v_; }
  // Where the 32 rows of a page and a layer begin.
  int64_t first_row(Page page, int64_t layer) const { return (page * layers_ + layer) * kKeyPage; }

 private:
  std::vector<int32_t> references_;
  std::vector<Page> free_;  // the next one last
  int64_t layers_;
  KvRows k_{{}, {}, KvOrder::turned_pages}, v_{{}, {}, KvOrder::pages};
};

// The pages of the sequences of one batch.
class PagedKv : public KvStore {
 public:
  // `pages_S`: of each sequence of the batch, enough for its positions. They and the pool must outlive the store.
  PagedKv(PagePool& pool, const Kernels& kernels, std::vector<const std::vector<Page>*> pages_S);
  // Positions go on from what the pages hold, or from any earlier one, which replaces what follows.
  KvView put(int64_t layer, const Tensor& k_NGD, const Tensor& v_NGD, const TokenBatch& batch) override;

 private:
  PagePool& pool_;
  const Kernels& kernels_;
  std::vector<const std::vector<Page>*> pages_S_;
};

}  // namespace fude
