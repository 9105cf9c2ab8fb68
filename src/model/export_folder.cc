#include "model/export_folder.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "model/file_layout.h"
#include "model/load.h"
#include "tensor/safetensors_shards.h"

namespace fude {
namespace {

// As config.json spells it.
const char* dtype_name(WeightType type) {
  if (type == WeightType::f16) return "float16";
  return type == WeightType::bf16 ? "bfloat16" : "float32";
}

}  // namespace

void export_folder(const WeightSource& weights, const std::string& folder, std::optional<WeightType> type,
                   const Json& more, const WriteOptions& options, const FolderFiles& beside) {
  const ModelConfig& config = weights.config();
  // The model without memory says what its tensors are.
  Device counting(1, /*only_counts=*/true);
  const Transformer model(counting, config);
  check_tensors(weights, model);
  std::vector<SafetensorsOutput> outputs;
  std::map<WeightType, int64_t> values;  // of each type
  for (const Parameter* parameter : model.parameters())
    for (const Segment& segment : parameter->segments()) {
      WeightType chosen = type.value_or(weights.type_of(segment.name));
      if (weight_format(chosen).is_quantized()) chosen = WeightType::f32;
      values[chosen] += segment.rows * parameter->cols();
      const auto fill = [&weights, parameter, &segment](const SafetensorsOutput::Put& put) {
        std::vector<float> read = weights.read(segment.name);
        if (!weights.is_in_family_form()) read = to_family_form(*parameter, segment, std::move(read));
        put(read);
      };
      outputs.push_back({segment.name, shape_in_file(*parameter, segment), fill, chosen});
    }
  const auto most =
      std::max_element(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  Json json = architecture_of(config.family).write(config);
  json["dtype"] = json["torch_dtype"] = dtype_name(most->first);
  json.update(more);
  make_directories(folder);
  write_safetensors_folder(folder, outputs, options);
  write_files(folder, beside);
  write_file(folder + "/config.json", json.dump(2) + "\n");
}

}  // namespace fude
