#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/json.h"

namespace fude {
namespace {

constexpr const char* kRopePlace = "config.json";
constexpr std::string_view kNames[] = {"default", "linear", "llama3", "yarn"};

// What multiplies cos and sin if a YaRN model does not say.
double yarn_attention_factor(const Json& json, double factor) {
  const auto of = [&](double scale) { return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0; };
  const double scale = json_number(json, "mscale", kRopePlace, 0),
               all = json_number(json, "mscale_all_dim", kRopePlace, 0);
  return json_number(json, "attention_factor", kRopePlace, scale != 0 && all != 0 ? of(scale) / of(all) : of(1));
}

// The pair that makes so many turns over the original context.
double pair_of_turns(double turns, const RopeConfig& rope, double head_size) {
  return head_size * std::log(double(rope.original_context) / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(rope.base));
}

double llama3_frequency(const RopeConfig& rope, double frequency) {
  const double turns = double(rope.original_context) * frequency / (2 * std::numbers::pi);
  const double kept = std::clamp((turns - rope.low_factor) / (rope.high_factor - rope.low_factor), 0.0, 1.0);
  return (1 - kept) * frequency / rope.factor + kept * frequency;
}

}  // namespace

void check(const RopeConfig& r) {
  const auto within = [](const char* name, double value, double low, double high) {
    require(value >= low && value <= high, "[rope] {} must be between {} and {}, got {}", name, low, high, value);
  };
  within("the base", r.base, 1.0001, 1e15);
  within("factor", r.factor, 1e-3, 1e6);
  within("attention_factor", r.attention_factor, 1e-3, 1e3);
  if (r.scaling == RopeScaling::llama3 || r.scaling == RopeScaling::yarn)
    within("original_max_position_embeddings", double(r.original_context), 1, 1e12);
  if (r.scaling == RopeScaling::llama3)
    require(r.low_factor > 0 && r.high_factor > r.low_factor && r.high_factor < 1e6,
            "[rope] expected 0 < low_freq_factor < high_freq_factor, got {} and {}", r.low_factor, r.high_factor);
  if (r.scaling == RopeScaling::yarn)
    require(r.beta_slow > 0 && r.beta_fast >= r.beta_slow && r.beta_fast < 1e6,
            "[rope] expected 0 < beta_slow <= beta_fast, got {} and {}", r.beta_slow, r.beta_fast);
}

std::vector<double> rope_frequencies(const RopeConfig& rope, int64_t head_size) {
  const double d = double(head_size);
  double begin = 0, end = 0;  // yarn: pairs before the ramp keep their frequency, pairs behind it are slowed down
  if (rope.scaling == RopeScaling::yarn) {
    begin = pair_of_turns(rope.beta_fast, rope, d), end = pair_of_turns(rope.beta_slow, rope, d);
    if (rope.truncates) begin = std::floor(begin), end = std::ceil(end);
    begin = std::max(begin, 0.0), end = std::min(end, d - 1);
    if (begin == end) end += 0.001;
  }
  std::vector<double> frequencies;
  for (int64_t i = 0; i < head_size / 2; ++i) {
    const double plain = std::pow(rope.base, -2.0 * double(i) / d);
    switch (rope.scaling) {
      case RopeScaling::none:
        frequencies.push_back(plain);
        break;
      case RopeScaling::linear:
        frequencies.push_back(plain / rope.factor);
        break;
      case RopeScaling::llama3:
        frequencies.push_back(llama3_frequency(rope, plain));
        break;
      case RopeScaling::yarn: {
        const double slowed = std::clamp((double(i) - begin) / (end - begin), 0.0, 1.0);
        frequencies.push_back(plain * (1 - slowed) + plain / rope.factor * slowed);
      }
    }
  }
  return frequencies;
}

RopeConfig rope_from_json(const Json& json, double base, int64_t context) {
  RopeConfig rope;
  rope.base = json_number(json, "rope_theta", kRopePlace, base);
  // Older files say "type".
  const std::string name = json_string(json, "rope_type", kRopePlace, json_string(json, "type", kRopePlace, "default"));
  const auto found = std::find(std::begin(kNames), std::end(kNames), name);
  require(found != std::end(kNames),
          "[config.json] the rope type '{}' is not supported; expected default, linear, llama3 or yarn", name);
  rope.scaling = RopeScaling(found - std::begin(kNames));
  if (rope.scaling == RopeScaling::none) return rope;
  const bool scales_parts = rope.scaling != RopeScaling::linear;
  if (scales_parts) rope.original_context = json_integer(json, "original_max_position_embeddings", kRopePlace, context);
  rope.factor = json_number(json, "factor", kRopePlace,
                            scales_parts ? double(context) / double(std::max<int64_t>(1, rope.original_context)) : 1);
  if (rope.scaling == RopeScaling::llama3) {
    rope.low_factor = json_number(json, "low_freq_factor", kRopePlace);
    rope.high_factor = json_number(json, "high_freq_factor", kRopePlace);
  } else if (rope.scaling == RopeScaling::yarn) {
    rope.beta_fast = json_number(json, "beta_fast", kRopePlace, rope.beta_fast);
    rope.beta_slow = json_number(json, "beta_slow", kRopePlace, rope.beta_slow);
    rope.truncates = json_boolean(json, "truncate", kRopePlace, true);
    rope.attention_factor = yarn_attention_factor(json, rope.factor);
  }
  return rope;
}

Json rope_to_json(const RopeConfig& rope) {
  Json json = {{"rope_type", kNames[int(rope.scaling)]}};
  if (rope.scaling != RopeScaling::none) json["factor"] = rope.factor;
  if (rope.original_context > 0) json["original_max_position_embeddings"] = rope.original_context;
  if (rope.scaling == RopeScaling::llama3) {
    json["low_freq_factor"] = rope.low_factor;
    json["high_freq_factor"] = rope.high_factor;
  } else if (rope.scaling == RopeScaling::yarn) {
    json["beta_fast"] = rope.beta_fast;
    json["beta_slow"] = rope.beta_slow;
    json["truncate"] = rope.truncates;
    json["attention_factor"] = rope.attention_factor;
  }
  return json;
}

RopeConfig read_rope(const Json& config, double base) {
  const int64_t context = json_integer(config, "max_position_embeddings", kRopePlace, 2048);
  base = json_number(config, "rope_theta", kRopePlace, base);
  // As transformers 5 has it, the older spelling goes before the newer.
  for (const char* key : {"rope_scaling", "rope_parameters"})
    if (const auto found = config.find(key); found != config.end() && found->is_object())
      return rope_from_json(*found, base, context);
  RopeConfig rope;
  rope.base = base;
  return rope;
}

void write_rope(const RopeConfig& rope, Json& config) {
  Json parameters = rope_to_json(rope);
  config["rope_theta"] = rope.base;
  if (rope.scaling != RopeScaling::none) config["rope_scaling"] = parameters;
  parameters["rope_theta"] = rope.base;
  config["rope_parameters"] = std::move(parameters);
}

}  // namespace fude
