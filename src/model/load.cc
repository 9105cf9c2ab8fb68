#include "model/load.h"

#include <filesystem>

#include "base/error.h"
#include "model/file_layout.h"
#include "model/folder.h"
#include "model/gguf_model.h"

namespace fude {
namespace {

void check_tensors(const WeightSource& weights, const Transformer& model, const std::string& path) {
  std::set<std::string> used;
  for (const Parameter* parameter : model.parameters())
    for (const Segment& segment : parameter->segments()) {
      const std::vector<int64_t>* shape = weights.shape_of(segment.name);
      require(shape != nullptr, "[model] {}: the tensor {} is missing", path, segment.name);
      require(*shape == shape_in_file(*parameter, segment, weights.is_in_family_form()),
              "[model] {}: {} has another shape than the configuration says", path, segment.name);
      used.insert(segment.name);
    }
  weights.require_no_others(used);
}

}  // namespace

std::unique_ptr<WeightSource> open_weights(const std::string& path) {
  return std::filesystem::is_regular_file(path) ? open_gguf(path) : open_folder(path);
}

ModelConfig read_config(const std::string& path) {
  return std::filesystem::is_regular_file(path) ? open_gguf(path)->config() : read_folder_config(path);
}

std::unique_ptr<Transformer> make_model(Device& device, const WeightSource& weights, Precision precision) {
  BlockFormats blocks;
  if (precision.keeps_blocks) blocks = [&](const std::string& name) { return weights.block_format_of(name); };
  return std::make_unique<Transformer>(device, weights.config(), precision, blocks);
}

std::unique_ptr<Transformer> load_model(Device& device, const std::string& path, Precision precision) {
  const std::unique_ptr<WeightSource> weights = open_weights(path);
  // Compared with a model without memory first: what the configuration asks for may not exist.
  Device counting(1, /*only_counts=*/true);
  check_tensors(*weights, Transformer(counting, weights->config()), path);
  auto model = make_model(device, *weights, precision);
  for (Parameter* parameter : model->parameters()) {
    int64_t row = 0;
    for (const Segment& segment : parameter->segments()) {
      const int64_t first = row;
      row += segment.rows;
      if (parameter->is_in_blocks()) {
        const std::vector<std::byte> blocks = weights->read_blocks(segment.name);
        const int64_t row_bytes = int64_t(blocks.size()) / segment.rows;
        device.threads().parallel_for(segment.rows, kPanel, [&](int64_t begin, int64_t end) {
          parameter->set_blocks(first + begin, end - begin, blocks.data() + begin * row_bytes);
        });
        continue;
      }
      std::vector<float> values = weights->read(segment.name);
      if (weights->is_in_family_form()) {
        if (parameter->is_matrix() && segment.transposed_in_file)
          values = transposed(values, parameter->cols(), segment.rows);
        if (segment.is_less_one_in_file)
          for (float& value : values) value += 1;
      }
      parameter->set_rows(first, segment.rows, values.data());
    }
  }
  return model;
}

}  // namespace fude
