#include "model/peft_export.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "model/peft_folder.h"
#include "tensor/safetensors.h"

namespace fude {
namespace {

// A number as PEFT writes it: alpha is mostly an integer.
Json number_of(double x) { return std::floor(x) == x && std::abs(x) < 1e15 ? Json(int64_t(x)) : Json(x); }

Json config_json(const Transformer& model, const LoraOptions& options, const std::vector<AdapterPlace>& places,
                 const std::string& base_model) {
  std::vector<std::string> targets = options.targets;
  if (targets.empty())
    for (const AdapterPlace& place : places) targets.push_back(place.module());
  std::ranges::sort(targets);
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  Json json;
  json["peft_type"] = "LORA";
  json["task_type"] = "CAUSAL_LM";
  json["base_model_name_or_path"] = base_model.empty() ? Json() : Json(base_model);
  json["r"] = options.rank;
  json["lora_alpha"] = number_of(options.alpha);
  json["use_rslora"] = options.is_rank_stabilised;
  json["target_modules"] = targets;
  json["rank_pattern"] = json["alpha_pattern"] = Json::object();
  json["lora_dropout"] = 0.0;
  json["bias"] = "none";
  json["fan_in_fan_out"] = architecture_of(model.config().family).names.weights_are_transposed;
  json["init_lora_weights"] = true;
  json["inference_mode"] = true;
  json["modules_to_save"] = nullptr;
  return json;
}

}  // namespace

void save_peft_folder(const Transformer& model, const Adapter& adapter, const LoraOptions& options,
                      const std::string& folder, const std::string& base_model) {
  require_options(model, adapter, options, folder);
  const std::vector<AdapterPlace> places = targeted_places(model, options);
  std::vector<SafetensorsOutput> outputs;
  for (const AdapterPlace& place : places) {
    const LowRank* part = part_at(adapter, place);
    const PeftNames names = peft_names(place.tensor, /*is_embedding=*/false);
    for (const auto& [name, matrix] : {std::pair(names.a, &part->a_RK), {names.b, &part->b_OR}})
      outputs.push_back({name, {matrix->rows(), matrix->cols()}, [matrix = matrix](const SafetensorsOutput::Put& put) {
                           std::vector<float> values(size_t(matrix->count()));
                           matrix->get_rows(0, matrix->rows(), values.data());
                           put(values);
                         }});
  }
  std::ranges::sort(outputs, {}, &SafetensorsOutput::name);
  make_directories(folder);
  write_safetensors(folder + kPeftTensorsName, outputs);
  write_file(
      folder + kPeftConfigName,
      config_json(model, options, places, base_model).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace fude
