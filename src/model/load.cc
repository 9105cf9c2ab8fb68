#include "model/load.h"

#include <filesystem>

#include "base/error.h"
#include "model/file_layout.h"
#include "model/folder.h"
#include "model/gguf_model.h"

namespace fude {
namespace {

bool is_file(const std::string& path) { return std::filesystem::is_regular_file(path); }

}  // namespace

void check_tensors(const WeightSource& weights, const Transformer& model) {
  std::set<std::string> used;
  for (const Parameter* parameter : model.parameters())
    for (const Segment& segment : parameter->segments()) {
      const std::vector<int64_t>* shape = weights.shape_of(segment.name);
      require(shape != nullptr, "[model] {}: the tensor {} is missing", weights.path(), segment.name);
      require(*shape == shape_in_file(*parameter, segment, weights.is_in_family_form()),
              "[model] {}: {} has another shape than the configuration says", weights.path(), segment.name);
      used.insert(segment.name);
    }
  weights.require_no_others(used);
}

std::unique_ptr<WeightSource> open_weights(const std::string& path) {
  return is_file(path) ? open_gguf(std::make_shared<GgufFile>(path)) : open_folder(path);
}

ModelConfig read_config(const std::string& path) {
  return is_file(path) ? config_of_gguf(GgufFile(path)) : read_folder_config(path);
}

std::unique_ptr<Transformer> make_model(Device& device, const WeightSource& weights, Precision precision) {
  BlockFormats blocks;
  if (precision.keeps_blocks)
    blocks = [&](const std::string& name) {
      const WeightFormat& format = weight_format(weights.type_of(name));
      return format.is_quantized() ? &format : nullptr;
    };
  return std::make_unique<Transformer>(device, weights.config(), precision, blocks);
}

std::unique_ptr<Transformer> load_model(Device& device, const std::string& path, Precision precision) {
  return load_model(device, open_weights(path), precision);
}

std::unique_ptr<Transformer> load_model(Device& device, std::unique_ptr<WeightSource> weights, Precision precision) {
  // Compared with a model without memory first: what the configuration asks for may not exist.
  Device counting(1, /*only_counts=*/true);
  check_tensors(*weights, Transformer(counting, weights->config()));
  auto model = make_model(device, *weights, precision);
  for (Parameter* parameter : model->parameters()) {
    int64_t row = 0;
    for (const Segment& segment : parameter->segments()) {
      const int64_t first = row;
      row += segment.rows;
      if (parameter->is_in_blocks()) {
        std::vector<std::byte> buffer;
        const std::span<const std::byte> blocks = weights->blocks_of(segment.name, buffer);
        const int64_t row_bytes = int64_t(blocks.size()) / segment.rows;
        device.threads().parallel_for(segment.rows, kPanel, [&](int64_t begin, int64_t end) {
          parameter->set_blocks(first + begin, end - begin, blocks.data() + begin * row_bytes);
        });
        weights->drop(segment.name);
        continue;
      }
      std::vector<float> values = weights->read(segment.name);
      if (weights->is_in_family_form()) values = from_family_form(*parameter, segment, std::move(values));
      parameter->set_rows(first, segment.rows, values.data());
    }
  }
  return model;
}

}  // namespace fude
