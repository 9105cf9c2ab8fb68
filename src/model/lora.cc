#include "model/lora.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"
#include "model/architecture.h"
#include "model/gguf_adapter.h"
#include "model/peft_folder.h"

namespace fude {
namespace {

// What an adapter may stand beside: the matrices of the blocks, and the head.
std::map<std::string, AdapterPlace> places_of(const Transformer& model, const std::string& head) {
  std::map<std::string, AdapterPlace> places;
  for (const AdapterPlace& place : block_places(model)) places[place.tensor] = place;
  places[head] = {head, &model.classifier(), 0, model.classifier().rows()};
  return places;
}

std::string text_of_shape(const std::vector<int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

const char* kind_of(bool is_embedding) { return is_embedding ? "an embedding" : "a product"; }

Parameter matrix_of(Device& device, const std::string& name, const std::vector<int64_t>& shape,
                    const std::function<std::vector<float>()>& values) {
  Parameter matrix(device, name, Parameter::Layout::panels, {{name, shape[0]}}, shape[1]);
  if (!device.only_counts()) matrix.set_rows(0, shape[0], values().data());
  return matrix;
}

// PEFT loads the weight that a file has in place of the model's. Here the model's stays, so they have to be the same,
// up to the rounding of either: of 16 bits, or of blocks of a few.
void check_base(const AdapterPlace& place, const std::string& source, const LoraPair& pair) {
  const Parameter& weight = *place.weight;
  const std::vector<int64_t> shape{place.rows, weight.cols()};
  require(pair.base_shape == shape, "[lora] {}: {}: expected the model's own weight {}, got {}", source, pair.weight,
          text_of_shape(shape), text_of_shape(pair.base_shape));
  const double limit = weight.is_in_blocks() ? 0.5 : 0x1p-7;
  std::vector<float> own(size_t(kPanel * weight.cols()));
  for (int64_t first = 0; first < place.rows; first += kPanel) {
    const int64_t count = std::min(kPanel, place.rows - first);
    weight.get_rows(place.first + first, count, own.data());
    const std::vector<float> base = pair.read_base(first, count);
    for (int64_t row = 0; row < count; ++row) {
      double difference = 0, size = 0;
      for (int64_t i = row * weight.cols(); i < (row + 1) * weight.cols(); ++i) {
        const double x = double(base[size_t(i)]), apart = x - double(own[size_t(i)]);
        difference += apart * apart, size += x * x;
      }
      require(difference <= limit * limit * size,
              "[lora] {}: {}: expected an adapter beside the model's own weight, got one whose row {} was changed",
              source, pair.weight, first + row);
    }
  }
}

}  // namespace

std::string AdapterPlace::module() const {
  const std::string path = tensor.substr(0, tensor.rfind('.'));
  return path.substr(path.rfind('.') + 1);
}

std::vector<AdapterPlace> block_places(const Transformer& model) {
  std::vector<AdapterPlace> places;
  for (const Parameter* parameter : model.block_matrices()) {
    int64_t row = 0;
    for (const Segment& segment : parameter->segments()) {
      places.push_back({segment.name, parameter, row, segment.rows});
      row += segment.rows;
    }
  }
  return places;
}

const LowRank* part_at(const Adapter& adapter, const AdapterPlace& place) {
  const auto parts = adapter.parts.find(place.weight);
  if (parts == adapter.parts.end()) return nullptr;
  for (const LowRank& part : parts->second)
    if (part.first == place.first) return &part;
  return nullptr;
}

std::shared_ptr<Adapter> make_adapter(const Transformer& model, const std::string& source,
                                      const std::vector<LoraPair>& pairs) {
  require(!pairs.empty(), "[lora] {}: expected matrices of at least one module, got none", source);
  const TensorNames& names = architecture_of(model.config().family).names;
  const std::map<std::string, AdapterPlace> places = places_of(model, names.head);
  const Parameter& table = model.token_table();
  auto adapter = std::make_shared<Adapter>();
  adapter->home = std::make_unique<Device>(1, model.device().only_counts());
  std::set<std::string> names_seen;
  for (const LoraPair& pair : pairs) {
    const auto found = places.find(pair.weight);
    const bool is_embedding = pair.weight == names.embedding;
    require(is_embedding || found != places.end(),
            "[lora] {}: expected a module of the model's attention or MLP, as {}, its embedding or its head, got {}",
            source, places.begin()->first, pair.weight);
    require(pair.is_embedding == is_embedding, "[lora] {}: {}: expected an adapter of {}, got one of {}", source,
            pair.weight, kind_of(is_embedding), kind_of(pair.is_embedding));
    const AdapterPlace place = is_embedding ? AdapterPlace{pair.weight, &table, 0, table.rows()} : found->second;
    const int64_t rank = pair.b_shape.size() < 2 ? 0 : pair.b_shape[1];
    require(rank > 0 && rank <= kLargestRank, "[lora] {}: {}: expected a rank from 1 to {}, got {}", source,
            pair.weight, kLargestRank, rank);
    const std::vector<int64_t> a_shape = is_embedding ? std::vector{table.rows(), rank}
                                                      : std::vector{rank, place.weight->cols()},
                               b_shape{is_embedding ? table.cols() : place.rows, rank};
    require(pair.a_shape == a_shape && pair.b_shape == b_shape, "[lora] {}: {}: expected A {} and B {}, got {} and {}",
            source, pair.weight, text_of_shape(a_shape), text_of_shape(b_shape), text_of_shape(pair.a_shape),
            text_of_shape(pair.b_shape));
    require(std::isfinite(float(pair.scale)), "[lora] {}: {}: expected a scale that is a number, got {}", source,
            pair.weight, pair.scale);
    require(names_seen.insert(pair.weight).second, "[lora] {}: {}: expected each module once, got it twice", source,
            pair.weight);
    if (pair.read_base && !model.device().only_counts()) check_base(place, source, pair);
    const PeftNames tensors = peft_names(pair.weight, is_embedding);
    Parameter a = matrix_of(*adapter->home, tensors.a, a_shape, pair.read_a),
              b = matrix_of(*adapter->home, tensors.b, b_shape, pair.read_b);
    if (is_embedding)
      adapter->tables[&table] = {std::move(a), std::move(b), float(pair.scale)};
    else
      adapter->parts[place.weight].push_back({std::move(a), std::move(b), float(pair.scale), place.first});
  }
  return adapter;
}

std::shared_ptr<Adapter> load_adapter(const Transformer& model, const std::string& path) {
  const bool is_file = std::filesystem::is_regular_file(path);
  return make_adapter(model, path, is_file ? read_gguf_adapter(path, model.config()) : read_peft_folder(path));
}

}  // namespace fude
