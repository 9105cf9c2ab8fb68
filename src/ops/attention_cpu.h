// Kernels of attention: forward. (attention_backward_cpu.h goes back.)
//
// Keys are lanes, as they lie in a cache's pages or turned, and tiles of query rows run over a block of them: scores,
// their softmax, outputs. Rows are the queries of some positions by the heads of one key/value head, position by
// position. With many rows an item is one key/value head and some positions: it turns each block once and merges blocks
// as it goes. With few rows (decoding) an item is one block of all heads, read as it lies in memory, so that threads
// share a long cache; its results wait in slots and are merged afterwards, by the same code in the same order.
#include "ops/attention_tile_cpu.h"

namespace {

inline constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
// So many rows of a sequence and head are few: a token of the largest groups, or a few guessed ones of small groups.
inline constexpr int64_t kFewRows = 24;
// Rows of an item where there are many: whole tiles, unless the group divides it worse. The more there are, the less is
// read again and copied for each; but threads want some items each.
inline constexpr int64_t kLeastItemRows = 192, kMostItemRows = 768, kItemsOfThread = 12;
static_assert(kKeyPage % kTileLanes == 0, "keys that are turned together lie in one page");

struct AttentionShape {
  int64_t heads, kv_heads, group, d;
  int64_t padded,
      stride;  // a row of a head in scratch: zeros up to whole tiles; lines of one column in different sets
  float scale;
  int64_t window;

  AttentionShape(const Tensor& q_NHD, const KvView& kv, const AttentionOptions& options)
      : heads(q_NHD.shape()[1]),
        kv_heads(kv.k.rows_RGD.shape()[1]),
        group(heads / kv_heads),
        d(q_NHD.shape()[2]),
        padded(rounded_up(d, kTileLanes)),
        stride(padded + 16),
        scale(options.scale),
        window(options.window) {}

  // The first position that a position sees, and the block of it.
  int64_t first_key(int64_t position) const { return window > 0 ? std::max<int64_t>(0, position + 1 - window) : 0; }
  int64_t first_block(int64_t position) const { return first_key(position) / kKeyBlock; }
  // Of `rows` rows, position by position from `position` on: those that see anything of the blocks up to this one.
  int64_t rows_up_to(int64_t block, int64_t position, int64_t rows) const {
    return window > 0 ? std::clamp<int64_t>(((block + 1) * kKeyBlock + window - 1 - position) * group, 0, rows) : rows;
  }
};

// What some rows have so far: Σ e^(score - maximum) · v, not yet divided by Σ e^(score - maximum).
struct Partial {
  float* out;
  int64_t stride;
  float *maxima, *sums;
};

// Adds a later block's partial of rows [row, row + count), count ≤ 16; the first block is copied.
inline void merge(const Partial& all, int64_t row, const Partial& block, int64_t block_row, int64_t count, int64_t d,
                  bool is_first) {
  float *maxima = all.maxima + row, *sums = all.sums + row;
  const Lanes new_max = load_first(block.maxima + block_row, count),
              new_sum = load_first(block.sums + block_row, count);
  float old_scale[kLanes], new_scale[kLanes];
  if (is_first) {
    store_first(maxima, new_max, count), store_first(sums, new_sum, count);
  } else {
    const Lanes old_max = load_first(maxima, count), both = max(old_max, new_max);
    const Lanes scale_old = exp(old_max - both), scale_new = exp(new_max - both);
    store(old_scale, scale_old), store(new_scale, scale_new);
    store_first(maxima, both, count);
    store_first(sums, fma(load_first(sums, count), scale_old, new_sum * scale_new), count);
  }
  for (int64_t r = 0; r < count; ++r) {
    float* to = all.out + (row + r) * all.stride;
    const float* from = block.out + (block_row + r) * block.stride;
    for_lanes(0, d, [&](int64_t i, auto n) FUDE_INLINE_BODY {
      const Lanes x = load_first(from + i, n);
      store_first(to + i, is_first ? x : fma(load_first(to + i, n), broadcast(old_scale[r]), x * new_scale[r]), n);
    });
  }
}

// Replaces the first `count` scores of a row, with the lanes up to a multiple of 16, by e^(scale · score - maximum);
// those before `first` by zero.
inline void softmax_of_block(float* scores, int64_t first, int64_t count, float scale, float* maximum, float* total) {
  std::fill(scores, scores + first, kMinusInfinity);
  Lanes top = broadcast(kMinusInfinity), all{};
  for_lanes(0, count, [&](int64_t j, auto n) FUDE_INLINE_BODY {
    top = max(top, keep_first(load(scores + j), n, kMinusInfinity));
  });
  const float shift = largest(top) * scale;
  for_lanes(0, count, [&](int64_t j, auto n) FUDE_INLINE_BODY {
    const Lanes e = exp(fma(keep_first(load(scores + j), n, kMinusInfinity), broadcast(scale), broadcast(-shift)));
    all = all + e;
    store(scores + j, e);
  });
  *maximum = shift, *total = sum(all);
}

// Layout of a partial of `rows` rows.
inline Partial partial_at(float* at, int64_t rows, int64_t stride) {
  return {at, stride, at + rows * stride, at + rows * (stride + 1)};
}
inline int64_t partial_size(int64_t rows, int64_t stride) { return rounded_up(rows * (stride + 2), 16); }

struct AttentionSequence {
  int64_t first, last, position;  // tokens of the batch, and the position of the first
  const int64_t* page_rows;
  int64_t slot;  // where that of its first block and head begins, if it has few rows, or -1

  // The row of a position; those up to the end of its page follow.
  int64_t row_of(int64_t position) const { return page_rows[position / kKeyPage] + position % kKeyPage; }
  int64_t keys() const { return position + last - first; }
  int64_t end_block() const { return (keys() + kKeyBlock - 1) / kKeyBlock; }
};

// Keys or values of one head as f32: where they lie, or widened.
class HeadRows {
 public:
  HeadRows(const KvRows& kv)
      : kv_(kv), scales_(kv.scales_RG.is_empty() ? nullptr : kv.scales_RG.data<float>()), d_(kv.rows_RGD.shape()[2]) {}

  // Rows of a page, `stride` apart: where they lie if they are f32, or in `to`.
  const float* rows(int64_t row, int64_t head, int64_t count, float* to, int64_t to_stride, int64_t& stride) const {
    stride = kv_.step() * d_;
    if (kv_.rows_RGD.type() == DType::f32) return kv_.rows_RGD.data<float>() + kv_.place(row, head) * d_;
    stride = to_stride;
    return copy(row, head, count, to, to_stride), to;
  }
  // Copies `count` rows from `row` on to rows `to_stride` apart, with zeros up to a multiple of kTileLanes.
  void copy(int64_t row, int64_t head, int64_t count, float* to, int64_t to_stride) const {
    const int64_t at = kv_.place(row, head), stride = kv_.step() * d_;
    const Tensor& all = kv_.rows_RGD;
    if (all.type() == DType::f32) return copy_rows(all.data<float>() + at * d_, stride, count, d_, to, to_stride);
    if (all.type() == DType::bf16) return copy_rows(all.data<BFloat16>() + at * d_, stride, count, d_, to, to_stride);
    copy_rows(all.data<int8_t>() + at * d_, stride, count, d_, to, to_stride, scales_ + at, kv_.step());
  }
  // The first `count` rows of a page as lanes, element i of them at i · kKeyPage: where they lie, or in `to`. `aside`
  // takes rows of them, `stride` apart.
  const float* lanes(int64_t row, int64_t head, int64_t count, float* to, float* aside, int64_t stride) const {
    if (kv_.order != KvOrder::turned_pages) {
      int64_t from_stride;
      const float* from = rows(row, head, count, aside, stride, from_stride);
      for (int64_t key = 0; key < count; key += kTileLanes)
        turn_keys(from + key * from_stride, from_stride, std::min(kTileLanes, count - key), d_, to + key, kKeyPage);
      return to;
    }
    const int64_t at = kv_.place(row, head);
    const Tensor& all = kv_.rows_RGD;
    if (all.type() == DType::f32) return all.data<float>() + at * d_;
    for (int64_t lane = 0; lane < kKeyPage; lane += kLanes) {
      if (all.type() == DType::bf16) {
        const BFloat16* from = all.data<BFloat16>() + at * d_ + lane;
        for (int64_t i = 0; i < d_ * kKeyPage; i += kKeyPage) store(to + i + lane, load_first(from + i, kLanes));
      } else {
        const int8_t* from = all.data<int8_t>() + at * d_ + lane;
        const Lanes scale = load(scales_ + at + lane);
        for (int64_t i = 0; i < d_ * kKeyPage; i += kKeyPage)
          store(to + i + lane, load_first(from + i, kLanes) * scale);
      }
    }
    return to;
  }

  // A head of a page, which is one stretch in a cache, and the bytes of it; none where it is not.
  const std::byte* page(int64_t row, int64_t head) const {
    return static_cast<const std::byte*>(kv_.rows_RGD.raw()) + kv_.place(row, head) * d_ * size_of(kv_.rows_RGD.type());
  }
  int64_t page_bytes() const { return kv_.order == KvOrder::rows ? 0 : kKeyPage * d_ * size_of(kv_.rows_RGD.type()); }

 private:
  const KvRows& kv_;
  const float* scales_;
  int64_t d_;
};

struct AttentionForward {
  AttentionShape shape;
  const float* q;
  HeadRows k, v;
  float *o, *lse, *slots;  // lse is null where nothing goes back

  int64_t first_block(const AttentionSequence& sequence) const { return shape.first_block(sequence.position); }
  Partial slot(const AttentionSequence& sequence, int64_t block, int64_t kv_head) const {
    const int64_t number = (block - first_block(sequence)) * shape.kv_heads + kv_head, rows = rows_of(sequence);
    return partial_at(slots + sequence.slot + number * partial_size(rows, shape.stride), rows, shape.stride);
  }
  int64_t rows_of(const AttentionSequence& sequence) const { return (sequence.last - sequence.first) * shape.group; }
  // Gathers rows [row, row + count) of the tokens from `first` on, and the end of a block's keys that each sees.
  void gather(int64_t first, int64_t position, int64_t kv_head, int64_t row, int64_t count, int64_t block,
              float* queries, int64_t* visible) const {
    const AttentionShape& s = shape;
    for (int64_t r = 0; r < count; ++r) {
      const int64_t token = (row + r) / s.group, head = kv_head * s.group + (row + r) % s.group;
      visible[r] = std::min(kKeyBlock, position + token + 1 - block * kKeyBlock);
      copy_rows(q + ((first + token) * s.heads + head) * s.d, 0, 1, s.d, queries + r * s.stride, s.stride);
    }
  }
  // The first of a block's keys that this row sees.
  int64_t hidden(int64_t position, int64_t row, int64_t block) const {
    return std::max<int64_t>(0, shape.first_key(position + row / shape.group) - block * kKeyBlock);
  }
  // Adds a block's partial of rows [row, row + count); rows that saw nothing before it are copied.
  void add_block(const Partial& all, int64_t row, const Partial& block_part, int64_t block_row, int64_t count,
                 int64_t position, int64_t block) const {
    const int64_t seen = std::clamp<int64_t>(shape.rows_up_to(block - 1, position, row + count) - row, 0, count);
    const int64_t known = block > shape.first_block(position) ? seen : 0;
    if (known > 0) merge(all, row, block_part, block_row, known, shape.d, false);
    if (known < count) merge(all, row + known, block_part, block_row + known, count - known, shape.d, true);
  }
  // The outputs of rows [0, count) of the tokens from `first` on.
  void finish(const Partial& all, int64_t count, int64_t first, int64_t kv_head) const {
    const AttentionShape& s = shape;
    for (int64_t row = 0; row < count; ++row) {
      const int64_t at = (first + row / s.group) * s.heads + kv_head * s.group + row % s.group;
      const float inverse = 1.0f / all.sums[row];
      for_lanes(0, s.d, [&](int64_t i, auto n) FUDE_INLINE_BODY {
        store_first(o + at * s.d + i, load_first(all.out + row * all.stride + i, n) * inverse, n);
      });
      if (lse) lse[at] = all.maxima[row] + log_of(all.sums[row]);
    }
  }
  void attend_many(const AttentionSequence& sequence, int64_t first, int64_t last, int64_t kv_head) const;
  void attend_few(const AttentionSequence& sequence, int64_t block, int64_t first_head, int64_t last_head) const;
  void merge_slots(const AttentionSequence& sequence, int64_t kv_head) const;
};

inline void AttentionForward::attend_many(const AttentionSequence& sequence, int64_t first, int64_t last,
                                          int64_t kv_head) const {
  const AttentionShape& s = shape;
  const int64_t rows = (last - first) * s.group, position = sequence.position + first - sequence.first;
  float* at = scratch(ScratchUse::rows, kTileRows * (kKeyBlock + s.stride) + kKeyBlock * (s.padded + s.stride) +
                                            partial_size(kTileRows, s.stride) + partial_size(rows, s.stride));
  const auto take = [&](int64_t size) { return std::exchange(at, at + size); };
  float *scores = take(kTileRows * kKeyBlock), *queries = take(kTileRows * s.stride);
  float *turned = take(kKeyBlock * s.padded), *values = take(kKeyBlock * s.stride);
  const Partial part = partial_at(take(partial_size(kTileRows, s.stride)), kTileRows, s.stride);
  const Partial all = partial_at(take(partial_size(rows, s.stride)), rows, s.stride);
  for (int64_t block = s.first_block(position); block * kKeyBlock < position + last - first; ++block) {
    const int64_t keys = std::min(kKeyBlock, position + last - first - block * kKeyBlock);
    const float* lanes[kKeyBlock / kKeyPage];
    for (int64_t page = 0; page < keys; page += kKeyPage)  // the values, which come after, are no loss
      lanes[page / kKeyPage] = k.lanes(sequence.row_of(block * kKeyBlock + page), kv_head,
                                       std::min(kKeyPage, keys - page), turned + page * s.d, values, s.stride);
    for (int64_t page = 0; page < keys; page += kKeyPage)
      v.copy(sequence.row_of(block * kKeyBlock + page), kv_head, std::min(kKeyPage, keys - page),
             values + page * s.stride, s.stride);
    // Tokens before the block see none of it, nor those whose window begins behind it.
    const int64_t end_row = s.rows_up_to(block, position, rows);
    for (int64_t row = std::max<int64_t>(0, block * kKeyBlock - position) * s.group; row < end_row; row += kTileRows) {
      const int64_t count = std::min(kTileRows, end_row - row);
      int64_t visible[kTileRows];
      gather(first, position, kv_head, row, count, block, queries, visible);
      for (int64_t page = 0; page < visible[count - 1]; page += kKeyPage)
        multiply({queries, s.stride, 1, lanes[page / kKeyPage], kKeyPage, scores + page, kKeyBlock, s.d}, count,
                 rounded_up(std::min(kKeyPage, visible[count - 1] - page), kTileLanes));
      for (int64_t r = 0; r < count; ++r)
        softmax_of_block(scores + r * kKeyBlock, hidden(position, row + r, block), visible[r], s.scale, part.maxima + r,
                         part.sums + r);
      multiply({scores, kKeyBlock, 1, values, s.stride, part.out, s.stride, visible[0], visible}, count, s.padded);
      add_block(all, row, part, 0, count, position, block);
    }
  }
  finish(all, rows, first, kv_head);
}

inline void AttentionForward::attend_few(const AttentionSequence& sequence, int64_t block, int64_t first_head,
                                         int64_t last_head) const {
  const AttentionShape& s = shape;
  const int64_t heads = last_head - first_head;
  const auto row_of = [&](int64_t key) { return sequence.row_of(block * kKeyBlock + key); };
  const int64_t row = std::max<int64_t>(0, block * kKeyBlock - sequence.position) * s.group;
  const int64_t count = s.rows_up_to(block, sequence.position, rows_of(sequence)) - row;
  float* at = scratch(ScratchUse::rows, heads * count * (kKeyBlock + s.stride) + kKeyPage * (s.padded + s.stride));
  const auto take = [&](int64_t size) { return std::exchange(at, at + size); };
  float *scores = take(heads * count * kKeyBlock), *queries = take(heads * count * s.stride);
  float *turned = take(kKeyPage * s.padded), *values = take(kKeyPage * s.stride);
  const auto scores_of = [&](int64_t head) { return scores + (head - first_head) * count * kKeyBlock; };
  const auto queries_of = [&](int64_t head) { return queries + (head - first_head) * count * s.stride; };
  // Tiles of equal height. What is asked for, the first one asks for.
  const int64_t tiles = (count + kTileRows - 1) / kTileRows, tile_rows = (count + tiles - 1) / tiles;
  const auto for_tiles = [&](const auto& body) FUDE_INLINE_BODY {
    for (int64_t first = 0; first < count; first += tile_rows) body(first, std::min(tile_rows, count - first));
  };

  int64_t visible[kFewRows];
  for (int64_t head = first_head; head < last_head; ++head)
    gather(sequence.first, sequence.position, head, row, count, block, queries_of(head), visible);
  const int64_t most = visible[count - 1];
  // Pages are read in the order heads, keys; then values, and the next block's keys. While a head of one is at work,
  // the next is asked for, evenly: more requests at a time than a core has room for make it wait.
  const auto behind = [&](const HeadRows& rows, const HeadRows& others, int64_t other_row, int64_t key, int64_t head) {
    if (head + 1 < last_head) return rows.page(row_of(key), head + 1);
    return key + kKeyPage < most ? rows.page(row_of(key + kKeyPage), first_head) : others.page(other_row, first_head);
  };
  for (int64_t key = 0; key < most; key += kKeyPage) {
    const int64_t keys = std::min(kKeyPage, most - key);
    for (int64_t head = first_head; head < last_head; ++head) {
      const float* lanes = k.lanes(row_of(key), head, keys, turned, values, s.stride);
      for_tiles([&](int64_t first, int64_t height) FUDE_INLINE_BODY {
        Product product{queries_of(head) + first * s.stride,       s.stride,  1,  lanes, kKeyPage,
                        scores_of(head) + first * kKeyBlock + key, kKeyBlock, s.d};
        if (first == 0)
          product.ahead = behind(k, v, row_of(0), key, head), product.ahead_of_step = k.page_bytes() / s.d;
        multiply(std::move(product), height, rounded_up(keys, kTileLanes));
      });
    }
  }
  for (int64_t head = first_head; head < last_head; ++head) {
    const Partial part = slot(sequence, block, head);
    for (int64_t r = 0; r < count; ++r)
      softmax_of_block(scores_of(head) + r * kKeyBlock, hidden(sequence.position, row + r, block), visible[r], s.scale,
                       part.maxima + row + r, part.sums + row + r);
  }
  const bool is_last = block + 1 == sequence.end_block();
  const int64_t next_keys = row_of(is_last ? 0 : kKeyBlock);
  for (int64_t key = 0; key < most; key += kKeyPage) {
    int64_t depths[kFewRows];
    for (int64_t r = 0; r < count; ++r) depths[r] = std::clamp<int64_t>(visible[r] - key, 0, kKeyPage);
    for (int64_t head = first_head; head < last_head; ++head) {
      const float* from = values;
      int64_t stride = s.stride;
      if (s.padded == s.d)
        from = v.rows(row_of(key), head, depths[count - 1], values, s.stride, stride);
      else
        v.copy(row_of(key), head, depths[count - 1], values, s.stride);
      const bool is_end = is_last && key + kKeyPage >= most && head + 1 == last_head;
      for_tiles([&](int64_t first, int64_t height) FUDE_INLINE_BODY {
        Product product{scores_of(head) + first * kKeyBlock + key,
                        kKeyBlock,
                        1,
                        from,
                        stride,
                        slot(sequence, block, head).out + (row + first) * s.stride,
                        s.stride,
                        depths[first],
                        depths + first,
                        key > 0};
        if (first == 0) {
          product.ahead = behind(v, k, next_keys, key, head);
          if (!is_end) product.ahead_of_step = v.page_bytes() / kKeyPage;
        }
        multiply(std::move(product), height, s.padded);
      });
    }
  }
}

inline void AttentionForward::merge_slots(const AttentionSequence& sequence, int64_t kv_head) const {
  const Partial all = slot(sequence, first_block(sequence), kv_head);
  const int64_t rows = rows_of(sequence);
  for (int64_t block = first_block(sequence) + 1; block < sequence.end_block(); ++block) {
    const int64_t first = std::max<int64_t>(0, block * kKeyBlock - sequence.position) * shape.group;
    const int64_t end_row = shape.rows_up_to(block, sequence.position, rows);
    for (int64_t row = first; row < end_row; row += kLanes)
      add_block(all, row, slot(sequence, block, kv_head), row, std::min(kLanes, end_row - row), sequence.position,
                block);
  }
  finish(all, rows, sequence.first, kv_head);
}

// Items in a chunk that is worth handing to another thread, for a number of multiply-adds in all of them.
inline int64_t items_per_chunk(size_t items, double work) {
  return std::max<int64_t>(1, int64_t(65536.0 * double(items) / std::max(work, 1.0)));
}

inline void attention(Threads& threads, const Tensor& q_NHD, const KvView& kv, const TokenBatch& batch,
                      const AttentionOptions& options, Tensor& o_NHD, Tensor& lse_NH) {
  AttentionForward forward{AttentionShape(q_NHD, kv, options),
                           q_NHD.data<float>(),
                           HeadRows(kv.k),
                           HeadRows(kv.v),
                           o_NHD.data<float>(),
                           lse_NH.is_empty() ? nullptr : lse_NH.data<float>(),
                           nullptr};
  const AttentionShape& s = forward.shape;
  std::vector<AttentionSequence> sequences;
  int64_t slots = 0, short_blocks = 0, long_rows = 0;
  double work = 0;
  for (int64_t i = 0; i < batch.sequences(); ++i) {
    const int64_t first = batch.sequence_starts[size_t(i)], last = batch.sequence_starts[size_t(i) + 1];
    if (first == last) continue;
    const int64_t rows = (last - first) * s.group;
    const bool is_short = rows <= kFewRows;
    sequences.push_back({first, last, batch.positions_N[size_t(first)], kv.page_rows.data() + kv.first_page[size_t(i)],
                         is_short ? slots : -1});
    const AttentionSequence& added = sequences.back();
    if (is_short) {
      const int64_t blocks = added.end_block() - forward.first_block(added);
      slots += blocks * s.kv_heads * partial_size(rows, s.stride), short_blocks += blocks;
    } else {
      long_rows += (last - first) * s.heads;
    }
    work += 2.0 * double(last - first) * double(added.keys() - s.first_key(added.position)) * double(s.heads * s.d);
  }
  forward.slots = scratch(ScratchUse::results, slots);

  struct Item {
    const AttentionSequence* sequence;
    int64_t first, last, head;  // tokens of one head, or heads of block `head`
  };
  std::vector<Item> items;
  // All heads of a block at a time, if there are blocks enough for all threads.
  const int64_t shares = std::max<int64_t>(1, 2 * threads.count() / std::max<int64_t>(1, short_blocks));
  const int64_t heads = std::max<int64_t>(1, s.kv_heads / shares);
  const int64_t rows = std::clamp(long_rows / (kItemsOfThread * threads.count()), kLeastItemRows, kMostItemRows);
  const int64_t tokens = std::max<int64_t>(1, rows / kLeastItemRows * kLeastItemRows / s.group);
  for (const AttentionSequence& sequence : sequences) {
    if (sequence.slot >= 0) {
      for (int64_t block = forward.first_block(sequence); block < sequence.end_block(); ++block)
        for (int64_t head = 0; head < s.kv_heads; head += heads)
          items.push_back({&sequence, head, std::min(s.kv_heads, head + heads), block});
    } else {
      const int64_t pieces = (sequence.last - sequence.first + tokens - 1) / tokens;
      for (int64_t piece = pieces - 1; piece >= 0; --piece)  // the longest first
        for (int64_t head = 0; head < s.kv_heads; ++head) {
          const int64_t first = sequence.first + piece * tokens;
          items.push_back({&sequence, first, std::min(sequence.last, first + tokens), head});
        }
    }
  }
  threads.parallel_for(int64_t(items.size()), items_per_chunk(items.size(), work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Item& item = items[size_t(i)];
      if (item.sequence->slot >= 0)
        forward.attend_few(*item.sequence, item.head, item.first, item.last);
      else
        forward.attend_many(*item.sequence, item.first, item.last, item.head);
    }
  });
  threads.parallel_for(int64_t(sequences.size()) * s.kv_heads, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      if (const AttentionSequence& sequence = sequences[size_t(i / s.kv_heads)]; sequence.slot >= 0)
        forward.merge_slots(sequence, i % s.kv_heads);
  });
}

}  // namespace

#include "ops/attention_backward_cpu.h"

void fill_attention(Kernels& kernels) {
  kernels.attention = attention;
  kernels.attention_backward = attention_backward;
}
