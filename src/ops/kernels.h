// The one dispatch mechanism: a plain table of function pointers, one table per CPU tier. Each op fills its own slots
// (`fill_rms_norm(Kernels&)` in rms_norm_cpu.h). Tensors are checked by the op before; kernels trust them.
//
// Backward kernels write into a GradientPlace: they store, or add where `add` says so.
#pragma once

#include "backend/cpu/tier.h"
#include "backend/scratch.h"
#include "backend/threads.h"
#include "ops/backward.h"
#include "ops/kv_view.h"
#include "ops/token_batch.h"

namespace fude {

struct AttentionOptions {
  float scale = 0;     // of the scores
  int64_t window = 0;  // positions that a position sees, its own included; 0: all before it
};

inline constexpr int64_t kRotationBlock = 256;  // positions whose cosines and sines lie together

// What qkv_rope needs besides its tensors. Empty norms or a null rope leave that part out.
struct QkvRope {
  int64_t heads = 0, kv_heads = 0, head_size = 0;
  const float* q_norm_D = nullptr;
  const float* k_norm_D = nullptr;
  float norm_eps = 1e-6f;
  const float* const* rotation_blocks = nullptr;  // [block of positions] → [kRotationBlock, head_size]: cosines, sines

  const float* rotation_of(int32_t position) const {
    return rotation_blocks[position / kRotationBlock] + position % kRotationBlock * head_size;
  }
};

// What is added to rows [row, row + count) of a batch, from column `first` on; see add_adapters. Not owned.
struct LowRankRows {
  int64_t row, count, first;
  const Parameter *a, *b;  // no A: A x is given
  float scale;
  Tensor ax_NR;  // of those rows; empty: it is not kept
};

// What a sampler needs to know of a row of logits; see logit_sums.
struct LogitSums {
  float top = 0, log_sum = 0, mass = 0;
};

// d objective / d loss[row], asked once for every row with a target, by several threads; `logprob` is -loss[row].
using TargetSlope = std::function<float(int64_t row, float logprob)>;

// What softmax_loss makes of rows of logits; see classifier_loss. Without a slope: the losses alone.
struct SoftmaxLoss {
  const int32_t* targets_N = nullptr;
  float inverse_temperature = 1.0f;
  int64_t first_row = 0;  // added to the rows that `slope` is asked for
  const TargetSlope* slope = nullptr;
};

// One step of AdamW (Loshchilov & Hutter, "Decoupled weight decay regularization", 2019).
struct AdamWStep {
  float learning_rate, beta1, beta2, eps, weight_decay;
  float correction1, correction2;  // 1 - beta^step
  float gradient_scale;            // clipping
};

// What a slot holds until an op fills it: a function of its type that does nothing.
template <class Result, class... Arguments>
using Kernel = Result (*)(Arguments...);
struct Nothing {
  template <class Result, class... Arguments>
  operator Kernel<Result, Arguments...>() const {
    return [](Arguments...) -> Result { return Result(); };
  }
};
inline constexpr Nothing nothing;

struct Kernels {
  const char* name = "";
  const char* bf16 = "";  // how bf16 sums: tables of the same name give the same bits

  // linear.h
  void (*linear)(Threads&, const Tensor& x_NK, const Parameter& w, const Parameter* bias, Tensor& y_NO) = nothing;
  // Of a weight that keeps its file's format: with what it decodes to.
  void (*linear_backward_input)(Threads&, const Tensor& dy_NO, const Parameter& w, GradientPlace dx_NK) = nothing;
  void (*linear_backward_weight)(Threads&, const Tensor& dy_NO, const Tensor& x_NK, DType compute,
                                 GradientPlace dw) = nothing;
  void (*linear_backward_bias)(Threads&, const Tensor& dy_NO, GradientPlace db) = nothing;
  // What one of so many threads keeps at most for linear and its backward over n rows: the one that calls them, or
  // another.
  ScratchSizes (*linear_scratch)(int threads, bool is_caller, int64_t n, const Parameter& w) = nothing;
  // linear_blocks.h
  void (*linear_blocks)(Threads&, const Tensor& x_NK, const Parameter& w, const Parameter* bias,
                        Tensor& y_NO) = nothing;
  // gated_mlp.h
  void (*silu_gated_mlp)(Threads&, const Tensor& x_NC, const Parameter& up_2FC, const Parameter& down_CF,
                         Tensor& y_NC) = nothing;
  void (*gelu_gated_mlp)(Threads&, const Tensor& x_NC, const Parameter& up_2FC, const Parameter& down_CF,
                         Tensor& y_NC) = nothing;
  // low_rank.h
  // x is not read by parts without A.
  void (*add_low_rank)(Threads&, const Tensor& x_NK, const std::vector<LowRankRows>& parts, Tensor& y_NO) = nothing;
  void (*take_scaled)(Threads&, const Tensor& dy_NO, float scale, int64_t first, Tensor& ddelta_NS) = nothing;
  // rms_norm.h, layer_norm.h
  // With `pending` not empty: sum = x + pending, and the norm is that of the sum; else `sum` is not written.
  void (*rms_norm)(Threads&, const Tensor& x_NC, const Tensor& pending_NC, const Tensor& weight_C, float eps,
                   Tensor& sum_NC, Tensor& y_NC, Tensor& r_N) = nothing;
  void (*rms_norm_backward)(Threads&, const Tensor& dy_NC, const Tensor& x_NC, const Tensor& weight_C,
                            const Tensor& r_N, GradientPlace dx_NC, GradientPlace dweight_C) = nothing;
  void (*layer_norm)(Threads&, const Tensor& x_NC, const Tensor& pending_NC, const Tensor& weight_C,
                     const Tensor& bias_C, float eps, Tensor& sum_NC, Tensor& y_NC, Tensor& mean_N,
                     Tensor& r_N) = nothing;
  void (*layer_norm_backward)(Threads&, const Tensor& dy_NC, const Tensor& x_NC, const Tensor& weight_C,
                              const Tensor& mean_N, const Tensor& r_N, GradientPlace dx_NC, GradientPlace dweight_C,
                              GradientPlace dbias_C) = nothing;
  // embedding.h
  void (*embedding)(Threads&, const std::vector<int32_t>& rows_N, const Parameter& table, float scale, Tensor& x_NC,
                    bool add) = nothing;
  void (*embedding_backward)(Threads&, const Tensor& dx_NC, const std::vector<int32_t>& rows_N, float scale,
                             GradientPlace dtable) = nothing;
  // qkv_rope.h
  void (*qkv_rope)(Threads&, const Tensor& qkv_NX, const QkvRope&, const std::vector<int32_t>& positions_N,
                   Tensor& q_NHD, Tensor& k_NGD, Tensor& v_NGD) = nothing;
  void (*qkv_rope_backward)(Threads&, const Tensor& dq_NHD, const Tensor& dk_NGD, const Tensor& dv_NGD,
                            const Tensor& qkv_NX, const QkvRope&, const std::vector<int32_t>& positions_N,
                            GradientPlace dqkv_NX, GradientPlace dq_norm_D, GradientPlace dk_norm_D) = nothing;
  // kv_rows.h, attention.h
  void (*put_kv_rows)(Threads&, const Tensor& x_NGD, const std::vector<int64_t>& rows_N, const KvRows& to) = nothing;
  void (*attention)(Threads&, const Tensor& q_NHD, const KvView&, const TokenBatch&, const AttentionOptions&,
                    Tensor& o_NHD, Tensor& lse_NH) = nothing;
  void (*attention_backward)(Threads&, const Tensor& do_NHD, const Tensor& q_NHD, const KvView&, const TokenBatch&,
                             const AttentionOptions&, const Tensor& o_NHD, const Tensor& lse_NH, GradientPlace dq_NHD,
                             GradientPlace dk_NGD, GradientPlace dv_NGD) = nothing;
  // gated.h, elementwise.h
  void (*silu_gated)(Threads&, const Tensor& gate_up_N2F, Tensor& y_NF) = nothing;
  void (*silu_gated_backward)(Threads&, const Tensor& dy_NF, const Tensor& gate_up_N2F,
                              GradientPlace dgate_up_N2F) = nothing;
  void (*gelu_gated)(Threads&, const Tensor& gate_up_N2F, Tensor& y_NF) = nothing;
  void (*gelu_gated_backward)(Threads&, const Tensor& dy_NF, const Tensor& gate_up_N2F,
                              GradientPlace dgate_up_N2F) = nothing;
  void (*add)(Threads&, const Tensor& a, const Tensor& b, Tensor& y) = nothing;
  void (*accumulate)(Threads&, const Tensor& x, GradientPlace y) = nothing;
  void (*gelu)(Threads&, const Tensor& x, Tensor& y) = nothing;
  void (*gelu_backward)(Threads&, const Tensor& dy, const Tensor& x, GradientPlace dx) = nothing;
  // classifier_loss.h
  void (*softmax_loss)(Threads&, Tensor& logits_NV, int64_t classes, const SoftmaxLoss&, float* loss_N) = nothing;
  void (*logit_sums)(Threads&, const Tensor& logits_NV, const float* inverse_temperatures_N,
                     LogitSums* sums_N) = nothing;
  // Of one row, some of which may be -∞, on the calling thread.
  LogitSums (*row_sums)(const float* logits_V, int64_t size, float inverse_temperature) = nothing;
  // adamw.h
  double (*sum_of_squares)(Threads&, const Tensor& x) = nothing;
  void (*adamw)(Threads&, const Tensor& gradient, const AdamWStep&, Tensor& mean, Tensor& variance,
                Parameter& parameter) = nothing;
  // probe.h, on the calling thread: the FLOP done in so many rounds (bf16: null without the instruction); reading
  double (*probe_f32)(int64_t rounds) = nothing;
  double (*probe_bf16)(int64_t rounds) = nullptr;
  double (*probe_i8)(int64_t rounds) = nullptr;                      // bytes; null likewise
  double (*probe_i8_scaled)(int64_t rounds) = nullptr;               // a scale for each 32
  void (*probe_read)(const float* values, int64_t count) = nothing;  // a multiple of 4096
};

// The table of a tier; Error if this build has no such tier. The default is choose_tier()'s.
const Kernels& kernels_of(Tier tier);
const Kernels& default_kernels();
// The table that no op has filled: for a Device that only counts.
const Kernels& counting_kernels();

}  // namespace fude
