#include "model/gguf_contents.h"

#include <algorithm>

#include "base/error.h"
#include "model/file_layout.h"
#include "model/gguf_config.h"
#include "model/gguf_layout.h"
#include "model/load.h"

namespace fude {
namespace {

constexpr uint32_t kQuantizationVersion = 2;  // of the block formats, as ggml counts

bool is_vector_or_position(const std::string& name, const std::vector<int64_t>& shape) {
  return shape.size() < 2 || name == "position_embd.weight" || name.find("_norm.weight") != name.npos;
}

// One segment of a parameter as GGUF has it.
std::vector<float> values_in_gguf(const WeightSource& weights, const Parameter& parameter, const Segment& segment,
                                  bool pairs) {
  std::vector<float> values = weights.read(segment.name);
  if (weights.is_in_family_form()) values = from_family_form(parameter, segment, std::move(values));
  return pairs ? join_pairs(values, weights.config().head_size, parameter.cols()) : values;
}

}  // namespace

int64_t GgufContents::Tensor::size() const {
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  return size;
}

GgufContents contents_of(const std::shared_ptr<const GgufFile>& file) {
  GgufContents contents{config_of_gguf(*file), file->metadata(), {}, file};
  for (const auto& [name, tensor] : file->tensors()) {
    require(tensor.format != nullptr, "[gguf] {}: tensor {} has the unknown type {}", file->path(), name,
            tensor.gguf_id);
    contents.tensors.push_back({name, tensor.shape, tensor.format->type,
                                [&file = *file, name = name] { return file.read_f32(name); }, file->bytes(name)});
  }
  return contents;
}

GgufContents contents_of(const std::shared_ptr<const WeightSource>& weights, const std::string& name) {
  GgufContents contents{weights->config(), GgufMetadata(weights->path()), {}, weights};
  const GgufFamily& family = gguf_family_of_model(contents.config);
  const std::map<std::string, std::string> names = gguf_names_of(contents.config);
  // The model without memory says what its tensors are.
  auto device = std::make_shared<Device>(1, /*only_counts=*/true);
  auto model = std::make_shared<Transformer>(*device, contents.config);
  check_tensors(*weights, *model);
  put_config(contents.config, contents.metadata);
  contents.metadata.set("general.type", "model");
  contents.metadata.set("general.name", name);
  if (const std::vector<float> divisors = rope_divisors_of(contents.config); !divisors.empty())
    contents.tensors.push_back({"rope_freqs.weight", {int64_t(divisors.size())}, WeightType::f32, [divisors] {
                                  return std::vector<float>(divisors);
                                }});
  for (const Parameter* parameter : std::as_const(*model).parameters())
    for (const Segment& segment : parameter->segments()) {
      const std::string& gguf_name = names.at(segment.name);
      const std::vector<int64_t> shape = shape_in_file(*parameter, segment, /*in_family_form=*/false);
      const WeightType type =
          is_vector_or_position(gguf_name, shape) ? WeightType::f32 : weights->type_of(segment.name);
      contents.tensors.push_back(
          {gguf_name, shape, type, [=, device = device, model = model, pairs = has_pairs(family, gguf_name)] {
             return values_in_gguf(*weights, *parameter, segment, pairs);
           }});
    }
  return contents;
}

bool has_free_type(const GgufContents::Tensor& tensor) {
  return tensor.name.ends_with("weight") && !is_vector_or_position(tensor.name, tensor.shape);
}

std::vector<WeightType> plain_types(const GgufContents& contents, std::optional<WeightType> type) {
  std::vector<WeightType> types;
  for (const GgufContents::Tensor& tensor : contents.tensors)
    types.push_back(type && has_free_type(tensor) ? *type : tensor.type);
  return types;
}

void write_gguf(const std::string& path, const GgufContents& contents, const std::vector<WeightType>& types,
                std::optional<uint32_t> file_type, const WriteOptions& options) {
  require(types.size() == contents.tensors.size(), "[gguf] expected {} types, got {}", contents.tensors.size(),
          types.size());
  GgufMetadata metadata = contents.metadata;
  if (file_type) metadata.set("general.file_type", *file_type);
  metadata.set("general.quantization_version", kQuantizationVersion);
  std::vector<GgufOutput> outputs;
  for (size_t i = 0; i < types.size(); ++i) {
    const GgufContents::Tensor& tensor = contents.tensors[i];
    outputs.push_back({tensor.name, tensor.shape, types[i], [&tensor](const auto& put) { put(tensor.read()); }});
    if (types[i] == tensor.type) outputs.back().blocks = tensor.blocks;
  }
  write_gguf(path, metadata, outputs, options);
}

}  // namespace fude
