// Kernels of attention: backward. (Included by attention_cpu.h.)
//
// The grid of query blocks by key blocks, 256 positions each, falls into cells; a cell adds to the gradients
// of its keys and of its queries. Cells on one anti-diagonal share neither, so they are done in parallel, one
// anti-diagonal after the other: every gradient is summed in one order, no cell's result is stored, and a
// long sequence of one head still feeds many threads. A cell works on tiles of 64 x 64 scores, which stay in
// L1 and L2, and skips those above the diagonal.
//
// That is for the keys of a sequence itself. Keys of a prefix come after them: sequences that go on from the same one
// add to the same gradients, so they take turns, and prefixes and heads are done in parallel.
//
//   S = scale · Q Kᵀ,  P = e^(S - lse),  dP = dO Vᵀ,  dS = scale · P ∘ (dP - Σ dO∘O)
//   dV += Pᵀ dO,  dK += dSᵀ Q,  dQ += dS K

namespace {

struct AttentionGradients {
  const float *q, *k, *v, *dout, *lse, *delta;
  float *dq, *dk, *dv;
  bool add_q, add_k, add_v;
};

// Queries of a sequence, and keys: its own, with `before` = 0, or the first `before` of its prefix.
struct AttentionCell {
  int64_t kv_head;
  int64_t first, length;    // tokens of the sequence
  int64_t first_key, keys;  // tokens that are the keys
  int64_t before;           // how far behind the first key the first query is
  int64_t query_block, key_block;
};

inline constexpr int64_t kSide = 64, kSideStride = kSide + 16;

// to[row] (+)= from[row]
inline void put_rows(const float* from, int64_t stride, int64_t count, int64_t d, bool add, float* to,
                     int64_t to_stride) {
  for (int64_t row = 0; row < count; ++row, from += stride, to += to_stride)
    for_lanes(0, d, [&](int64_t i, auto n) FUDE_INLINE_BODY {
      const Lanes x = load_first(from + i, n);
      store_first(to + i, add ? load_first(to + i, n) + x : x, n);
    });
}

// From scores and dP to P and dS, in place, for one query that sees keys [hidden, visible) of `count`.
inline void weights_of_row(float* p, float* ds, int64_t hidden, int64_t visible, int64_t count, float scale, float lse,
                           float delta) {
  std::fill(p, p + hidden, kMinusInfinity);
  for (int64_t j = 0; j < count; j += kLanes) {
    const int64_t n = std::clamp<int64_t>(visible - j, 0, kLanes);
    const Lanes score = keep_first(load(p + j), n, kMinusInfinity);
    const Lanes weight = exp(fma(score, broadcast(scale), broadcast(-lse)));
    store(p + j, weight);
    store(ds + j, weight * (keep_first(load(ds + j), n, 0.0f) - delta) * scale);
  }
}

inline void go_back(const AttentionShape& s, const AttentionCell& cell, const AttentionGradients& g) {
  const int64_t width = s.kv_heads * s.d, q_width = s.heads * s.d;
  float* at = scratch(ScratchUse::rows, 2 * kSide * s.d + 6 * kSide * s.stride + 2 * kSide * kSideStride);
  const auto take = [&](int64_t size) { return std::exchange(at, at + size); };
  float *turned_k = take(kSide * s.d), *turned_v = take(kSide * s.d), *keys = take(kSide * s.stride);
  float *queries = take(kSide * s.stride), *douts = take(kSide * s.stride);
  float *dq = take(kSide * s.stride), *dk = take(kSide * s.stride), *dv = take(kSide * s.stride);
  float *p = take(kSide * kSideStride), *ds = take(kSide * kSideStride);

  const int64_t first_key = cell.key_block * kKeyBlock, last_key = std::min(cell.keys, first_key + kKeyBlock);
  const int64_t first_query = cell.query_block * kKeyBlock, last_query = std::min(cell.length, first_query + kKeyBlock);
  for (int64_t key = first_key; key < last_key; key += kSide) {
    const int64_t count_k = std::min(kSide, last_key - key);
    const int64_t at_k = (cell.first_key + key) * width + cell.kv_head * s.d;
    for (int64_t j = 0; j < count_k; j += kTileLanes) {
      turn_keys(g.k + at_k + j * width, width, std::min(kTileLanes, count_k - j), s.d, turned_k + j * s.d);
      turn_keys(g.v + at_k + j * width, width, std::min(kTileLanes, count_k - j), s.d, turned_v + j * s.d);
    }
    copy_rows(g.k + at_k, width, count_k, s.d, keys, s.stride);
    bool add = false;  // to dk and dv, in scratch
    for (int64_t head = cell.kv_head * s.group; head < (cell.kv_head + 1) * s.group; ++head)
      for (int64_t query = std::max(first_query, key - cell.before); query < last_query; query += kSide) {
        const int64_t count_q = std::min(kSide, last_query - query), token = cell.first + query;
        const int64_t position = cell.before + query;  // as keys count
        const int64_t at_q = token * q_width + head * s.d;
        copy_rows(g.q + at_q, q_width, count_q, s.d, queries, s.stride);
        copy_rows(g.dout + at_q, q_width, count_q, s.d, douts, s.stride);
        const auto visible = [&](int64_t row) { return std::min(count_k, position + row + 1 - key); };
        for (int64_t row = 0; row < count_q; row += kTileRows) {
          const int64_t rows = std::min(kTileRows, count_q - row), at_p = row * kSideStride;
          for (int64_t j = 0; j < visible(row + rows - 1); j += kTileLanes) {
            multiply(
                {queries + row * s.stride, s.stride, 1, turned_k + j * s.d, kTileLanes, p + at_p + j, kSideStride, s.d},
                rows, kTileLanes);
            multiply(
                {douts + row * s.stride, s.stride, 1, turned_v + j * s.d, kTileLanes, ds + at_p + j, kSideStride, s.d},
                rows, kTileLanes);
          }
          for (int64_t r = row; r < row + rows; ++r) {
            const int64_t at_row = (token + r) * s.heads + head;
            const int64_t hidden = std::clamp<int64_t>(s.first_key(position + r) - key, 0, count_k);
            weights_of_row(p + r * kSideStride, ds + r * kSideStride, hidden, visible(r), count_k, s.scale,
                           g.lse[at_row], g.delta[at_row]);
          }
          multiply({ds + at_p, kSideStride, 1, keys, s.stride, dq + row * s.stride, s.stride, visible(row + rows - 1)},
                   rows, s.padded);
        }
        const bool is_first_of_q = cell.before == 0 && key == s.first_block(first_query) * kKeyBlock;
        put_rows(dq, s.stride, count_q, s.d, g.add_q || !is_first_of_q, g.dq + at_q, q_width);
        for (int64_t j = 0; j < count_k; j += kTileRows) {
          const int64_t rows = std::min(kTileRows, count_k - j), from = std::max<int64_t>(0, key + j - position);
          multiply({p + from * kSideStride + j, 1, kSideStride, douts + from * s.stride, s.stride, dv + j * s.stride,
                    s.stride, count_q - from, nullptr, add},
                   rows, s.padded);
          multiply({ds + from * kSideStride + j, 1, kSideStride, queries + from * s.stride, s.stride, dk + j * s.stride,
                    s.stride, count_q - from, nullptr, add},
                   rows, s.padded);
        }
        add = true;
      }
    const bool is_first = cell.before == 0 && cell.query_block == cell.key_block;
    put_rows(dk, s.stride, count_k, s.d, g.add_k || !is_first, g.dk + at_k, width);
    put_rows(dv, s.stride, count_k, s.d, g.add_v || !is_first, g.dv + at_k, width);
  }
}

inline void go_back_to_prefixes(Threads& threads, const AttentionShape& s, const TokenBatch& batch,
                                const AttentionGradients& g) {
  if (batch.prefixes.empty()) return;
  const auto start = [&](int64_t sequence) { return int64_t(batch.sequence_starts[size_t(sequence)]); };
  std::vector<std::vector<int64_t>> followers(size_t(batch.sequences()));
  int64_t blocks = 0;
  double work = 0;
  for (int64_t i = 0; i < batch.sequences(); ++i) {
    if (batch.prefix_of(i) < 0 || start(i) == start(i + 1)) continue;
    followers[size_t(batch.prefix_of(i))].push_back(i);
    const int64_t before = batch.positions_N[size_t(start(i))];
    blocks = std::max(blocks, (before + kKeyBlock - 1) / kKeyBlock);
    work += 10.0 * double(before * (start(i + 1) - start(i))) * double(s.heads * s.d);
  }
  std::erase_if(followers, [](const auto& sequences) { return sequences.empty(); });
  const int64_t items = int64_t(followers.size()) * s.kv_heads;
  const auto run = [&](int64_t item, int64_t key_block) {
    for (int64_t sequence : followers[size_t(item / s.kv_heads)]) {
      const int64_t first = start(sequence), length = start(sequence + 1) - first;
      const int64_t first_key = start(batch.prefix_of(sequence)), before = batch.positions_N[size_t(first)];
      for (int64_t query = 0; query < length; query += kKeyBlock)
        if (key_block * kKeyBlock < before && key_block >= s.first_block(before + query))
          go_back(s, {item % s.kv_heads, first, length, first_key, before, before, query / kKeyBlock, key_block}, g);
    }
  };
  // Blocks of keys share queries.
  for (int64_t key_block = 0; key_block < blocks; ++key_block)
    threads.parallel_for(items, items_per_chunk(size_t(items), work / double(blocks)), [&](int64_t begin, int64_t end) {
      for (int64_t item = begin; item < end; ++item) run(item, key_block);
    });
}

inline void attention_backward(Threads& threads, const Tensor& do_NHD, const Tensor& q_NHD, const KvView& kv,
                               const TokenBatch& batch, const AttentionOptions& options, const Tensor& o_NHD,
                               const Tensor& lse_NH, GradientPlace dq_NHD, GradientPlace dk_NGD, GradientPlace dv_NGD) {
  const AttentionShape s(q_NHD, kv, options);
  const float *dout = do_NHD.data<float>(), *o = o_NHD.data<float>();
  const int64_t rows = lse_NH.size();
  float* delta = scratch(ScratchUse::results, rows);
  threads.parallel_for(rows, rows_per_chunk(s.d), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      Lanes dot{};
      for_lanes(row * s.d, (row + 1) * s.d, [&](int64_t i, auto n) FUDE_INLINE_BODY {
        dot = fma(load_first(dout + i, n), load_first(o + i, n), dot);
      });
      delta[row] = sum(dot);
    }
  });
  const AttentionGradients g{q_NHD.data<float>(),
                             kv.k.rows_RGD.data<float>(),
                             kv.v.rows_RGD.data<float>(),
                             dout,
                             lse_NH.data<float>(),
                             delta,
                             dq_NHD.tensor.data<float>(),
                             dk_NGD.tensor.data<float>(),
                             dv_NGD.tensor.data<float>(),
                             dq_NHD.add,
                             dk_NGD.add,
                             dv_NGD.add};
  int64_t most_blocks = 0;
  for (int64_t sequence = 0; sequence < batch.sequences(); ++sequence) {
    const int64_t length = batch.sequence_starts[size_t(sequence) + 1] - batch.sequence_starts[size_t(sequence)];
    most_blocks = std::max(most_blocks, (length + kKeyBlock - 1) / kKeyBlock);
  }
  std::vector<AttentionCell> cells;
  for (int64_t diagonal = 0; diagonal < 2 * most_blocks - 1; ++diagonal) {
    cells.clear();
    double work = 0;
    for (int64_t sequence = 0; sequence < batch.sequences(); ++sequence) {
      const int64_t first = batch.sequence_starts[size_t(sequence)];
      const int64_t length = batch.sequence_starts[size_t(sequence) + 1] - first;
      const int64_t blocks = (length + kKeyBlock - 1) / kKeyBlock;
      for (int64_t key_block = std::max<int64_t>(0, diagonal - blocks + 1); key_block <= diagonal / 2; ++key_block) {
        if (key_block < s.first_block((diagonal - key_block) * kKeyBlock)) continue;  // before every window
        for (int64_t kv_head = 0; kv_head < s.kv_heads; ++kv_head) {
          cells.push_back({kv_head, first, length, first, length, 0, diagonal - key_block, key_block});
          const double side = double(std::min(length, kKeyBlock));
          work += 5.0 * side * side * double(s.group * s.d);
        }
      }
    }
    threads.parallel_for(int64_t(cells.size()), items_per_chunk(cells.size(), work), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) go_back(s, cells[size_t(i)], g);
    });
  }
  go_back_to_prefixes(threads, s, batch, g);
}

}  // namespace
