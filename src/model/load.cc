#include "model/load.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "model/file_layout.h"
#include "model/folder.h"
#include "model/gguf_model.h"

namespace fude {
namespace {

// Rows [first, first + count) of a matrix that the file has as [columns, rows], as they are multiplied. A number takes
// `width` bytes.
const std::byte* turn_rows(std::span<const std::byte> file, int64_t rows, int64_t cols, int64_t width, int64_t first,
                           int64_t count, std::byte* to) {
  for (int64_t col = 0; col < cols; ++col)
    for (int64_t row = 0; row < count; ++row)
      std::memcpy(to + (row * cols + col) * width, file.data() + (col * rows + first + row) * width, size_t(width));
  return to;
}

// Some rows at a time, and the memory that they took in the file is let go of: no tensor is there twice.
void load_matrix(Parameter& parameter, int64_t row, const Segment& segment, const WeightSource& weights,
                 Threads& threads) {
  constexpr int64_t kValuesAtOnce = 4 << 20;
  const WeightFormat& format = weight_format(weights.type_of(segment.name));
  const int64_t cols = parameter.cols(), blocks = cols / format.block, row_bytes = blocks * format.block_bytes;
  const int64_t at_once = std::max<int64_t>(1, kValuesAtOnce / (cols * kPanel)) * kPanel;
  const bool is_turned = segment.transposed_in_file && weights.is_in_family_form();
  std::vector<std::byte> buffer, turned;
  std::vector<float> values;
  for (int64_t done = 0; done < segment.rows; done += at_once) {
    const int64_t count = std::min(at_once, segment.rows - done);
    const std::span<const std::byte> bytes =
        is_turned ? weights.rows_of(segment.name, 0, cols, buffer) : weights.rows_of(segment.name, done, count, buffer);
    if (is_turned) turned.resize(size_t(count * row_bytes));
    if (!parameter.keeps_formats()) values.resize(size_t(count * cols));
    threads.parallel_for(count, kPanel, [&](int64_t begin, int64_t end) {
      const int64_t rows = end - begin, at = row + done + begin;
      const std::byte* from = bytes.data() + begin * row_bytes;
      if (is_turned)
        from = turn_rows(bytes, segment.rows, cols, format.block_bytes, done + begin, rows,
                         turned.data() + begin * row_bytes);
      if (parameter.keeps_formats()) return parameter.set_encoded(at, rows, from);
      format.decode(from, rows * blocks, values.data() + begin * cols);
      parameter.set_rows(at, rows, values.data() + begin * cols);
    });
    if (!is_turned) weights.drop(segment.name, done, count);
  }
  if (is_turned) weights.drop(segment.name, 0, cols);
}

void load_vector(Parameter& parameter, int64_t row, const Segment& segment, const WeightSource& weights) {
  std::vector<float> values = weights.read(segment.name);
  if (weights.is_in_family_form()) values = from_family_form(parameter, segment, std::move(values));
  parameter.set_rows(row, segment.rows, values.data());
}

}  // namespace

void check_tensors(const WeightSource& weights, const Transformer& model) {
  std::set<std::string> used;
  for (const Parameter* parameter : model.parameters())
    for (const Segment& segment : parameter->segments()) {
      const std::vector<int64_t>* shape = weights.shape_of(segment.name);
      require(shape != nullptr, "[model] {}: the tensor {} is missing", weights.path(), segment.name);
      const std::vector<int64_t> expected = shape_in_file(*parameter, segment, weights.is_in_family_form());
      require(*shape == expected, "[model] {}: {}: expected the shape [{}] by the configuration, got [{}]",
              weights.path(), segment.name, fmt::join(expected, ", "), fmt::join(*shape, ", "));
      used.insert(segment.name);
    }
  weights.require_no_others(used);
}

bool is_gguf(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) return false;
  require(!path.ends_with(".safetensors") && !path.ends_with(".json"),
          "[model] expected a GGUF file or the folder of a model, got {}, which is a part of one: give its folder",
          path);
  return true;
}

std::unique_ptr<WeightSource> open_weights(const std::string& path) {
  return is_gguf(path) ? open_gguf(std::make_shared<GgufFile>(path)) : open_folder(path);
}

ModelConfig read_config(const std::string& path) {
  return is_gguf(path) ? config_of_gguf(GgufFile(path)) : read_folder_config(path);
}

std::unique_ptr<Transformer> make_model(Device& device, const WeightSource& weights, Precision precision) {
  KeptFormats formats;
  if (precision.keeps_formats)
    formats = [&](const std::string& name) {
      const WeightFormat& format = weight_format(weights.type_of(name));
      return format.is_half() || format.is_quantized() ? &format : nullptr;
    };
  return std::make_unique<Transformer>(device, weights.config(), precision, formats);
}

void check_tensors(const WeightSource& weights) {
  Device counting(1, /*only_counts=*/true);  // a model without memory
  check_tensors(weights, Transformer(counting, weights.config()));
}

std::unique_ptr<Transformer> load_model(Device& device, const std::string& path, Precision precision) {
  return load_model(device, open_weights(path), precision);
}

std::unique_ptr<Transformer> load_model(Device& device, std::unique_ptr<WeightSource> weights, Precision precision) {
  check_tensors(*weights);  // first: what the configuration asks for may not exist
  auto model = make_model(device, *weights, precision);
  for (Parameter* parameter : model->parameters()) {
    int64_t row = 0;
    for (const Segment& segment : parameter->segments()) {
      parameter->is_matrix() ? load_matrix(*parameter, row, segment, *weights, device.threads())
                             : load_vector(*parameter, row, segment, *weights);
      row += segment.rows;
    }
  }
  return model;
}

}  // namespace fude
