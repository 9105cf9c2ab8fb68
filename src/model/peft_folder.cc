#include "model/peft_folder.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "model/file_layout.h"
#include "tensor/safetensors.h"

namespace fude {
namespace {

constexpr uint64_t kPeftConfigLimit = 16 << 20;

// Read here, or without a meaning once training is over. (fan_in_fan_out says how the base model keeps its weight; A
// and B lie alike in any case.)
const std::set<std::string> kKnownKeys = {"alpha_pattern",
                                          "auto_mapping",
                                          "base_model_name_or_path",
                                          "bias",
                                          "ensure_weight_tying",
                                          "eva_config",
                                          "exclude_modules",
                                          "fan_in_fan_out",
                                          "inference_mode",
                                          "init_lora_weights",
                                          "layers_pattern",
                                          "layers_to_transform",
                                          "lora_alpha",
                                          "lora_dropout",
                                          "megatron_core",
                                          "peft_type",
                                          "peft_version",
                                          "qalora_group_size",
                                          "r",
                                          "rank_pattern",
                                          "revision",
                                          "target_modules",
                                          "task_type",
                                          "use_rslora"};

// Initialisations that leave the base model as it is. The others move a part of its weights into A and B, and then A
// and B fit those other weights only.
const std::set<std::string> kPlainBeginnings = {"gaussian", "eva", "orthogonal"};

bool is_off(const Json& value) {
  if (value.is_boolean()) return !value.get<bool>();
  return value.is_null() || (value.is_structured() && value.empty());
}

// Whether a module is called so, or so behind a dot.
bool ends_in(const std::string& module, const std::string& end) { return module == end || module.ends_with("." + end); }

void check_rank(int64_t rank, const std::string& path) {
  require(rank > 0 && rank <= kLargestRank, "[lora] {}: expected a rank from 1 to {}, got {}", path, kLargestRank,
          rank);
}

constexpr size_t kMostPatterns = 10'000;

// {"pattern": number, …}
template <class Read>
void for_pattern(const Json& json, const char* key, const std::string& path, const Read& read) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return;
  require(found->is_object(), "[lora] {}: expected an object at '{}', got {}", path, key, found->type_name());
  require(found->size() <= kMostPatterns, "[lora] {}: expected at most {} patterns at '{}', got {}", path,
          kMostPatterns, key, found->size());
  for (const auto& [name, value] : found->items()) read(name, *found);
}

template <class T>
T value_for(const std::vector<std::pair<ModulePattern, T>>& patterns, const std::string& module, T otherwise,
            int64_t& steps_left) {
  for (const auto& [pattern, value] : patterns)
    if (pattern.matches(module, steps_left)) return value;
  return otherwise;
}

// How tensors of A and B end.
struct PairEnds {
  std::string a, b;
  bool is_embedding;
};
const PairEnds kPairEnds[] = {{".lora_A.weight", ".lora_B.weight", false},
                              {".lora_embedding_A", ".lora_embedding_B", true}};
const std::string kBeforeModules = "base_model.model.", kBaseEnd = ".base_layer.weight";

// A tensor's name without its end; empty if it does not end so.
std::string stem_of(const std::string& name, const std::string& end) {
  const bool ends_so =
      name.starts_with(kBeforeModules) && name.ends_with(end) && name.size() > kBeforeModules.size() + end.size();
  return ends_so ? name.substr(0, name.size() - end.size()) : "";
}

std::vector<float> read_rows(const SafetensorsFile& file, const std::string& name, int64_t first, int64_t count) {
  const int64_t size = count * file.entry(name).shape.back();
  std::vector<float> values(static_cast<size_t>(size));
  file.format(name).decode(file.rows(name, first, count).data(), size, values.data());
  file.drop(name, first, count);
  return values;
}

}  // namespace

PeftNames peft_names(const std::string& weight, bool is_embedding) {
  const std::string module = weight.substr(0, weight.size() - std::string(".weight").size());
  const PairEnds& ends = kPairEnds[is_embedding];
  return {kBeforeModules + module + ends.a, kBeforeModules + module + ends.b};
}

bool is_peft_folder(const std::string& folder) { return file_exists(folder + kPeftConfigName); }

PeftConfig read_peft_config(const std::string& folder) {
  const std::string path = folder + kPeftConfigName;
  require(is_peft_folder(folder), "[lora] {}: expected an adapter of PEFT (adapter_config.json) or a GGUF file",
          folder);
  const Json json = parse_json(read_file(path, kPeftConfigLimit), path);
  require(json.is_object(), "[lora] {}: expected an object, got {}", path, json.type_name());
  const std::string type = json_string(json, "peft_type", path);
  require(type == "LORA", "[lora] {}: expected peft_type LORA, got {}", path, type);
  for (const auto& [key, value] : json.items())
    require(kKnownKeys.contains(key) || is_off(value),
            "[lora] {}: expected '{}' to be off, got {}: it is not supported", path, key,
            value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 40));
  const std::string bias = json_string(json, "bias", path, "none");
  require(bias == "none", "[lora] {}: expected bias none, got {}: it is not supported", path, bias);
  if (const auto start = json.find("init_lora_weights"); start != json.end() && start->is_string())
    require(kPlainBeginnings.contains(start->get<std::string>()),
            "[lora] {}: expected an adapter for the base model as it is, got init_lora_weights {}, which changes it; "
            "convert it in PEFT (path_initial_model_for_weight_conversion)",
            path, start->get<std::string>());
  json_boolean(json, "fan_in_fan_out", path, false);

  PeftConfig config;
  config.rank = json_integer(json, "r", path);
  check_rank(config.rank, path);
  config.alpha = json_number(json, "lora_alpha", path);
  config.is_rank_stabilised = json_boolean(json, "use_rslora", path, false);
  config.ties_head = json_boolean(json, "ensure_weight_tying", path, false);
  config.base_model = json_string(json, "base_model_name_or_path", path, "");
  if (const auto targets = json.find("target_modules"); targets != json.end() && targets->is_array())
    for (const Json& target : *targets) {
      require(target.is_string(), "[lora] {}: expected names at 'target_modules', got {}", path, target.type_name());
      config.targets.push_back(target.get<std::string>());
    }
  for_pattern(json, "rank_pattern", path, [&](const std::string& name, const Json& values) {
    config.ranks.emplace_back(ModulePattern(name, path), json_integer(values, name.c_str(), path));
    check_rank(config.ranks.back().second, path);
  });
  for_pattern(json, "alpha_pattern", path, [&](const std::string& name, const Json& values) {
    config.alphas.emplace_back(ModulePattern(name, path), json_number(values, name.c_str(), path));
  });
  return config;
}

std::vector<LoraPair> read_peft_folder(const std::string& folder) {
  const PeftConfig config = read_peft_config(folder);
  const auto file = std::make_shared<const SafetensorsFile>(folder + kPeftTensorsName);
  int64_t steps_left = kPatternSteps;
  const auto read_pair = [&](const std::string& stem, const PairEnds& ends) {
    const std::string module = stem.substr(kBeforeModules.size()), a = stem + ends.a, b = stem + ends.b;
    require(config.targets.empty() || (config.ties_head && ends_in(module, "lm_head")) ||
                std::ranges::any_of(config.targets, [&](const auto& target) { return ends_in(module, target); }),
            "[lora] {}: expected tensors of the target_modules, got {}", folder, module);
    LoraPair pair;
    // A base model without a head calls its modules so.
    const std::string own = name_in_text_model(module);
    pair.weight = (own.starts_with("layers.") || own == "embed_tokens" ? "model."
                   : own.starts_with("h.") || own == "wte"             ? "transformer."
                                                                       : "") +
                  own + ".weight";
    pair.is_embedding = ends.is_embedding;
    pair.a_shape = file->entry(a).shape, pair.b_shape = file->entry(b).shape;
    const int64_t rank = value_for(config.ranks, module, config.rank, steps_left);
    require(!pair.a_shape.empty() && pair.a_shape[0] == rank, "[lora] {}: {}: expected rank {}, got {}", folder, module,
            rank, pair.a_shape.empty() ? 0 : pair.a_shape[0]);
    const double alpha = value_for(config.alphas, module, config.alpha, steps_left);
    pair.scale = alpha / (config.is_rank_stabilised ? std::sqrt(double(rank)) : double(rank));
    pair.read_a = [=] { return file->read_f32(a); };
    pair.read_b = [=] { return file->read_f32(b); };
    if (pair.is_embedding) {
      std::ranges::reverse(pair.a_shape);
      pair.read_a = [=, cols = pair.a_shape.front()] { return transposed(file->read_f32(a), rank, cols); };
    }
    if (const std::string base = stem + kBaseEnd; file->has(base)) {
      pair.base_shape = file->entry(base).shape;
      pair.read_base = [=](int64_t first, int64_t count) { return read_rows(*file, base, first, count); };
    }
    return pair;
  };
  std::vector<LoraPair> pairs;
  for (const auto& [name, entry] : file->entries()) {
    const std::string adapted = stem_of(name, kBaseEnd);
    bool is_known = false;
    for (const PairEnds& ends : kPairEnds) {
      is_known |= !adapted.empty() && file->has(adapted + ends.a);
      for (const auto& [end, other, which] : {std::tuple(ends.a, ends.b, "A"), std::tuple(ends.b, ends.a, "B")}) {
        const std::string stem = stem_of(name, end);
        if (stem.empty()) continue;
        require(file->has(stem + other), "[lora] {}: expected A and B of {}, got {} alone", folder,
                stem.substr(kBeforeModules.size()), which);
        is_known = true;
        if (end == ends.a) pairs.push_back(read_pair(stem, ends));
      }
    }
    require(is_known,
            "[lora] {}: expected tensors base_model.model.….lora_A.weight and lora_B.weight, lora_embedding_A and "
            "lora_embedding_B, or base_layer.weight beside them, got {}",
            folder, name);
  }
  return pairs;
}

}  // namespace fude
