#include "model/lora.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>

#include "base/error.h"
#include "model/gguf_adapter.h"
#include "model/peft_folder.h"

namespace fude {
namespace {

// Rows of a weight that have a name of their own in files.
struct WeightPlace {
  const Parameter* weight;
  int64_t first, rows;
};

// What an adapter may stand beside: the matrices of the blocks.
std::map<std::string, WeightPlace> places_of(const Transformer& model) {
  std::map<std::string, WeightPlace> places;
  for (const Parameter* parameter : model.block_matrices()) {
    int64_t row = 0;
    for (const Segment& segment : parameter->segments()) {
      places[segment.name] = {parameter, row, segment.rows};
      row += segment.rows;
    }
  }
  return places;
}

std::string text_of_shape(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t extent : shape) text += (text.empty() ? "[" : ", ") + std::to_string(extent);
  return text.empty() ? "[]" : text + "]";
}

Parameter matrix_of(Device& device, const std::string& name, const std::vector<int64_t>& shape,
                    const std::vector<float>& values) {
  Parameter matrix(device, name, Parameter::Layout::panels, {{name, shape[0]}}, shape[1]);
  matrix.set_rows(0, shape[0], values.data());
  return matrix;
}

}  // namespace

std::shared_ptr<const Adapter> make_adapter(const Transformer& model, const std::string& source,
                                            const std::vector<LoraPair>& pairs) {
  require(!pairs.empty(), "[lora] {}: expected matrices of at least one module, got none", source);
  const std::map<std::string, WeightPlace> places = places_of(model);
  const auto adapter = std::make_shared<Adapter>();
  adapter->home = std::make_unique<Device>(1, model.device().only_counts());
  for (const LoraPair& pair : pairs) {
    const auto found = places.find(pair.weight);
    require(found != places.end(), "[lora] {}: expected a module of the model's attention or MLP, as {}, got {}",
            source, places.begin()->first, pair.weight);
    const WeightPlace& place = found->second;
    const int64_t rank = pair.a_shape.empty() ? 0 : pair.a_shape[0];
    require(rank > 0 && rank <= kLargestRank, "[lora] {}: {}: expected a rank from 1 to {}, got {}", source,
            pair.weight, kLargestRank, rank);
    const std::vector<int64_t> a_shape{rank, place.weight->cols()}, b_shape{place.rows, rank};
    require(pair.a_shape == a_shape && pair.b_shape == b_shape, "[lora] {}: {}: expected A {} and B {}, got {} and {}",
            source, pair.weight, text_of_shape(a_shape), text_of_shape(b_shape), text_of_shape(pair.a_shape),
            text_of_shape(pair.b_shape));
    require(std::isfinite(float(pair.scale)), "[lora] {}: {}: expected a scale that is a number, got {}", source,
            pair.weight, pair.scale);
    std::vector<LowRank>& parts = adapter->parts[place.weight];
    require(std::ranges::none_of(parts, [&](const LowRank& part) { return part.first == place.first; }),
            "[lora] {}: {}: expected each module once, got it twice", source, pair.weight);
    parts.push_back({matrix_of(*adapter->home, pair.weight + " A", a_shape, pair.read_a()),
                     matrix_of(*adapter->home, pair.weight + " B", b_shape, pair.read_b()), float(pair.scale),
                     place.first});
  }
  return adapter;
}

std::shared_ptr<const Adapter> load_adapter(const Transformer& model, const std::string& path) {
  const bool is_file = std::filesystem::is_regular_file(path);
  return make_adapter(model, path, is_file ? read_gguf_adapter(path, model.config()) : read_peft_folder(path));
}

}  // namespace fude
