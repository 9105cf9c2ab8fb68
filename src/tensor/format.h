// The formats in which weights lie in files: plain numbers, and blocks of small integers that share a scale.
//
// A block stands by itself: so many values, so many bytes. Bits, arithmetic and its order are ggml's, so that a GGUF
// file means the same here and in llama.cpp: `decode` gives the same f32 bits, `encode` the same bytes. Everything
// that has to know about formats asks this table; a new format is a row in formats/ and, if it is one of blocks, a
// shape in block_panels.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace fude {

enum class WeightType { f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k };

// What a block holds, as integers: the order of bits in the file taken away.
struct BlockCodes {
  uint16_t unit, low_unit;  // f16; what a scale and a low are counted in, or themselves
  uint8_t scales[16];       // of the K formats; signed in Q6_K
  uint8_t lows[8];
  uint8_t levels[256];  // signed in Q8_0
};

struct WeightFormat {
  WeightType type;
  std::string_view name;  // as ggml calls it: "Q4_K"
  uint32_t gguf_id;
  int64_t block;  // values
  int64_t block_bytes;
  // Of any bytes: what is no sensible block gives infinities or NaN.
  void (*decode)(const std::byte* from, int64_t blocks, float* to);
  // Of any values, but those that encode_weights refuses may not come back as what they were.
  void (*encode)(const float* from, int64_t blocks, std::byte* to);
  // One block and its integers; null for plain numbers. What a format does not have is left alone.
  void (*take_apart)(const std::byte* block, BlockCodes& codes) = nullptr;
  void (*put_together)(const BlockCodes& codes, std::byte* block) = nullptr;

  bool is_quantized() const { return block > 1; }
  bool is_half() const { return block == 1 && block_bytes == 2; }  // F16, BF16
  double bits_per_weight() const { return 8.0 * double(block_bytes) / double(block); }
};

std::span<const WeightFormat> weight_formats();
const WeightFormat& weight_format(WeightType type);
// Error unless there is one of that name; the message lists them.
const WeightFormat& weight_format(std::string_view name);
// Nothing if the type is not one of ours.
const WeightFormat* find_weight_format(uint32_t gguf_id);

// Error if a value is not finite or beyond what the format's f16 scales reach (±65504); F32 and BF16 hold anything.
// `place` is named in it.
void check_weights(const WeightFormat& format, std::span<const float> values, std::string_view place);
// Whole blocks of values that have passed this check.
void encode_weights(const WeightFormat& format, std::span<const float> values, std::byte* to, std::string_view place);

}  // namespace fude
