#include "model/transformer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "ops/checkpoint.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"

namespace fude {
namespace {

using Layout = Parameter::Layout;

// Makes the layers of a model from the names its family gives them.
struct Builder {
  Device& device;
  const ModelConfig& config;
  const TensorNames& names;
  Precision precision;
  const KeptFormats& formats;
  int64_t layer = 0;

  Parameter vector(const std::string& pattern, int64_t size) const {
    const std::string name = name_in_layer(pattern, layer);
    return Parameter(device, name, Layout::vector, {{name, size, false, names.norms_are_less_one}}, 1);
  }
  Parameter matrix(std::vector<Segment> segments, int64_t cols) const {
    if (formats) {
      for (Segment& segment : segments) segment.format = formats(segment.name);
      if (!Parameter::can_keep_formats(segments, cols))
        for (Segment& segment : segments) segment.format = nullptr;
    }
    return Parameter(device, segments.front().name, Layout::panels, segments, cols, precision);
  }
  Norm norm(const std::string& pattern) const {
    Norm norm{vector(pattern, config.width), {}, float(config.norm_eps)};
    if (config.norm == NormKind::layer) norm.bias = vector(bias_of(pattern), config.width);
    return norm;
  }
  // The parts stacked, each under its own name, or all under one.
  Linear linear(const std::vector<std::string>& patterns, std::vector<int64_t> rows, int64_t cols,
                bool has_bias) const {
    int64_t matrices = 1;
    if (patterns.size() == 1 && rows.size() > 1) {
      if (std::equal(rows.begin() + 1, rows.end(), rows.begin())) matrices = int64_t(rows.size());
      rows = {std::accumulate(rows.begin(), rows.end(), int64_t(0))};
    }
    std::vector<Segment> weights, biases;
    for (size_t i = 0; i < rows.size(); ++i) {
      weights.push_back({name_in_layer(patterns[i], layer), rows[i], names.weights_are_transposed, false, matrices});
      biases.push_back({bias_of(weights.back().name), rows[i]});
    }
    Linear linear{matrix(weights, cols), {}};
    if (has_bias) linear.bias = Parameter(device, biases.front().name, Layout::vector, biases, 1);
    return linear;
  }
};

}  // namespace

Transformer::Transformer(Device& device, const ModelConfig& config, Precision precision, const KeptFormats& formats)
    : config_(config), device_(device) {
  check(config_);
  const Architecture& family = architecture_of(config_.family);
  require(family.read(family.write(config_)) == config_,
          "[model] the family '{}' has no model with these settings (norm, MLP, QK-norm, head or rope)",
          config_.family);
  const TensorNames& names = family.names;
  const int64_t c = config_.width, d = config_.head_size, f = config_.feed_forward;
  Builder build{device_, config_, names, precision, formats};
  embedding_ = build.matrix({{names.embedding, config_.vocabulary}}, c);
  if (!config_.has_rope) positions_ = build.matrix({{names.positions, config_.context}}, c);
  for (int64_t layer = 0; layer < config_.layers; ++layer) {
    build.layer = layer;
    auto block = std::make_unique<Block>(Block{
        build.norm(names.attention_norm),
        build.norm(names.mlp_norm),
        build.linear(names.qkv, {config_.heads * d, config_.kv_heads * d, config_.kv_heads * d}, c, names.qkv_has_bias),
        build.linear({names.out}, {c}, config_.heads * d, names.others_have_bias),
        build.linear(names.up, std::vector<int64_t>(config_.is_gated() ? 2 : 1, f), c, names.others_have_bias),
        build.linear({names.down}, {c}, f, names.others_have_bias),
        {},
        {}});
    if (config_.has_qk_norm)
      block->q_norm = build.vector(names.q_norm, d), block->k_norm = build.vector(names.k_norm, d);
    if (config_.has_post_norms) {
      block->post_attention_norm = build.norm(names.post_attention_norm);
      block->post_mlp_norm = build.norm(names.post_mlp_norm);
    }
    block->attention = {float(config_.attention_scale), config_.is_local(layer) ? config_.window : 0};
    blocks_.push_back(std::move(block));
  }
  final_norm_ = build.norm(names.final_norm);
  if (!config_.ties_head) head_ = build.matrix({{names.head, config_.vocabulary}}, c);
  const auto make_rotation = [&](std::optional<Rotation>& rotation, const RopeConfig& rope) {
    rotation.emplace(config_.context, rope_frequencies(rope, d), rope.attention_factor);
  };
  if (config_.has_rope) make_rotation(rotation_, config_.rope);
  if (config_.has_rope && !config_.is_local_L.empty()) make_rotation(local_rotation_, config_.local_rope);
}

void Transformer::initialise(uint64_t seed) {
  const double out_scale = 1.0 / std::sqrt(2.0 * double(config_.layers));
  const auto is_output = [&](const Parameter* p) {
    for (const auto& block : blocks_)
      if (p == &block->out.weight || p == &block->down.weight) return true;
    return false;
  };
  const NormalTable normals;
  uint64_t stream = 0;
  for (Parameter* p : parameters()) {
    const bool is_bias = p->name().ends_with("bias");
    const float deviation = float(is_output(p) ? 0.02 * out_scale : 0.02);
    const int64_t cols = p->cols(), draws = (cols + 7) / 8;
    ++stream;
    device_.threads().parallel_for(p->rows(), kPanel, [&](int64_t begin, int64_t end) {
      std::vector<float> rows(size_t((end - begin) * cols), is_bias ? 0.0f : 1.0f);
      for (int64_t r = begin; p->is_matrix() && r < end; ++r) {
        float* row = rows.data() + (r - begin) * cols;
        for (int64_t c = 0; c < cols; c += 8) {
          const auto eight = normals.eight(seed, stream, uint64_t(r * draws + c / 8));
          for (int64_t i = c; i < std::min(cols, c + 8); ++i) row[i] = eight[size_t(i - c)] * deviation;
        }
      }
      p->set_rows(begin, end - begin, rows.data());
    });
  }
}

Tensor Transformer::forward(const Pass& pass, const TokenBatch& batch, KvStore& kv) const {
  return forward(pass, batch, kv, nullptr);
}

Tensor Transformer::forward(const Pass& pass, const TokenBatch& batch, KvStore& kv,
                            const std::vector<int64_t>& counts_S) const {
  require(pass.tape == nullptr, "[model] rows that nobody asks for have no gradients");
  const LastRows last(batch, counts_S);
  return forward(pass, batch, kv, last.batch().size() < batch.size() ? &last : nullptr);
}

Tensor Transformer::forward(const Pass& pass, const TokenBatch& batch, KvStore& kv, const LastRows* last) const {
  const float scale = float(config_.embedding_scale);
  Tensor x_NC = embedding(pass, batch.tokens_N, embedding_, scale);
  add_adapters(pass, batch.tokens_N, embedding_, scale, batch.adapters, x_NC);
  if (positions_) add_embedding(pass, batch.positions_N, *positions_, x_NC);
  Residual x{std::move(x_NC)};
  for (size_t layer = 0; layer < blocks_.size(); ++layer) {
    const auto run = [this, layer, last, &batch, &kv](const Pass& pass, Residual& x) {
      const std::optional<Rotation>& rotation = config_.is_local(int64_t(layer)) ? local_rotation_ : rotation_;
      blocks_[layer]->forward(pass, x, batch, kv, int64_t(layer), config_, rotation ? &*rotation : nullptr,
                              layer + 1 == blocks_.size() ? last : nullptr);
    };
    if (pass.tape == nullptr || !pass.checkpoint_blocks) {
      run(pass, x);
      expect(pass, layer + 1 < blocks_.size() ? blocks_[layer + 1]->qkv.weight : classifier(), batch.size());
    } else {
      x = {checkpoint(pass, x.sum_NC, [run](const Pass& pass, const Tensor& x_NC) {
        Residual x{x_NC};
        run(pass, x);
        return add(pass, x.sum_NC, x.pending_NC);
      })};
    }
  }
  if (last && last->batch().size() == 0) return pass.empty({0, config_.width});
  return (*final_norm_)(pass, x);
}

Tensor Transformer::logits(const Pass& pass, const Tensor& h_NC, const std::vector<AdapterRows>& adapters) const {
  Tensor logits_NV = linear(pass, h_NC, classifier());
  add_adapters(pass, h_NC, classifier(), adapters, logits_NV);
  return logits_NV;
}

std::vector<Parameter*> Transformer::parameters() {
  std::vector<Parameter*> all;
  for (const Parameter* p : std::as_const(*this).parameters()) all.push_back(const_cast<Parameter*>(p));
  return all;
}

std::vector<const Parameter*> Transformer::parameters() const {
  std::vector<const Parameter*> all;
  const auto put = [&](const std::optional<Parameter>& p) {
    if (p) all.push_back(&*p);
  };
  const auto put_norm = [&](const Norm& norm) { all.push_back(&norm.weight), put(norm.bias); };
  const auto put_linear = [&](const Linear& linear) { all.push_back(&linear.weight), put(linear.bias); };
  all.push_back(&embedding_);
  put(positions_);
  for (const auto& block : blocks_) {
    put_norm(block->attention_norm);
    put_linear(block->qkv);
    put(block->q_norm), put(block->k_norm);
    put_linear(block->out);
    if (block->post_attention_norm) put_norm(*block->post_attention_norm);
    put_norm(block->mlp_norm);
    put_linear(block->up);
    put_linear(block->down);
    if (block->post_mlp_norm) put_norm(*block->post_mlp_norm);
  }
  put_norm(*final_norm_);
  put(head_);
  return all;
}

std::vector<const Parameter*> Transformer::block_matrices() const {
  std::vector<const Parameter*> all;
  for (const auto& block : blocks_)
    for (const Linear* linear : {&block->qkv, &block->out, &block->up, &block->down}) all.push_back(&linear->weight);
  return all;
}

int64_t Transformer::parameter_count() const {
  int64_t count = 0;
  for (const Parameter* p : parameters()) count += p->count();
  return count;
}

}  // namespace fude
