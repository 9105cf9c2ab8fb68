#include "model/lora_training.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "model/file_layout.h"
#include "model/peft_folder.h"

namespace fude {
namespace {

// "model.layers.0.self_attn.q_proj.weight" is a tensor of the target "q_proj".
bool is_target(const std::string& tensor, const std::string& target) {
  return tensor == target + ".weight" || tensor.ends_with("." + target + ".weight");
}

std::string last_names(const std::vector<AdapterPlace>& places) {
  std::vector<std::string> names;
  for (const AdapterPlace& place : places) {
    const std::string name = place.module();
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::vector<float> uniform_matrix(int64_t rows, int64_t cols, uint64_t seed, uint64_t stream) {
  Random random{seed, stream};
  const double bound = 1 / std::sqrt(double(cols));
  std::vector<float> values(size_t(rows * cols));
  for (float& value : values) value = float(bound * (2 * random.uniform() - 1));
  return values;
}

std::vector<float> rows_of(const Parameter& matrix) {
  std::vector<float> values(size_t(matrix.count()));
  matrix.get_rows(0, matrix.rows(), values.data());
  return values;
}

// weight[first + o, k] += scale · Σ over r of left[o,r] · right[r,k]
void add_product(Parameter& weight, int64_t first, float scale, const std::vector<float>& left_OR,
                 const std::vector<float>& right_RK, Threads& threads) {
  const int64_t cols = weight.cols(), rank = int64_t(right_RK.size()) / cols, rows = int64_t(left_OR.size()) / rank;
  threads.parallel_for(rows, kPanel, [&](int64_t begin, int64_t end) {
    std::vector<float> sums(static_cast<size_t>(cols)), values(size_t((end - begin) * cols));
    weight.get_rows(first + begin, end - begin, values.data());
    for (int64_t o = begin; o < end; ++o) {
      std::ranges::fill(sums, 0.0f);
      for (int64_t r = 0; r < rank; ++r) {
        const float factor = left_OR[size_t(o * rank + r)], *from = right_RK.data() + r * cols;
        for (int64_t k = 0; k < cols; ++k) sums[size_t(k)] += factor * from[k];
      }
      float* to = values.data() + (o - begin) * cols;
      for (int64_t k = 0; k < cols; ++k) to[k] += scale * sums[size_t(k)];
    }
    weight.set_rows(first + begin, end - begin, values.data());
  });
}

}  // namespace

double LoraOptions::scale() const { return alpha / (is_rank_stabilised ? std::sqrt(double(rank)) : double(rank)); }

std::vector<AdapterPlace> targeted_places(const Transformer& model, const LoraOptions& options) {
  const std::vector<AdapterPlace> places = block_places(model);
  for (const std::string& target : options.targets)
    require(std::ranges::any_of(places, [&](const auto& place) { return is_target(place.tensor, target); }),
            "[lora] expected targets among the model's modules {}, got {}", last_names(places), target);
  std::vector<AdapterPlace> targeted;
  for (const AdapterPlace& place : places)
    if (options.targets.empty() ||
        std::ranges::any_of(options.targets, [&](const auto& target) { return is_target(place.tensor, target); }))
      targeted.push_back(place);
  return targeted;
}

LoraOptions options_of_adapter(const std::string& folder) {
  const PeftConfig config = read_peft_config(folder);
  require(config.ranks.empty() && config.alphas.empty(),
          "[lora] {}: expected one rank and one alpha for all modules of an adapter that is trained further", folder);
  return {.rank = config.rank,
          .alpha = config.alpha,
          .targets = config.targets,
          .is_rank_stabilised = config.is_rank_stabilised,
          .from = folder};
}

void require_options(const Transformer& model, const Adapter& adapter, const LoraOptions& options,
                     const std::string& where) {
  const std::vector<AdapterPlace> places = targeted_places(model, options);
  size_t parts_there = 0;
  for (const auto& [weight, parts] : adapter.parts) parts_there += parts.size();
  require(parts_there == places.size() && adapter.tables.empty(),
          "[lora] {}: expected an adapter of the {} targets alone, got one of {} products and {} embeddings", where,
          places.size(), parts_there, adapter.tables.size());
  for (const AdapterPlace& place : places) {
    const LowRank* part = part_at(adapter, place);
    require(part != nullptr, "[lora] {}: expected an adapter of {}, got none", where, place.tensor);
    require(part->a_RK.rows() == options.rank && part->scale == float(options.scale()),
            "[lora] {}: {}: expected rank {} and scale {}, got {} and {}", where, place.tensor, options.rank,
            float(options.scale()), part->a_RK.rows(), part->scale);
  }
}

std::shared_ptr<Adapter> new_adapter(const Transformer& model, const LoraOptions& options) {
  if (!options.from.empty()) {
    std::shared_ptr<Adapter> adapter = load_adapter(model, options.from);
    require_options(model, *adapter, options, options.from);
    return adapter;
  }
  require(options.rank > 0 && options.rank <= kLargestRank, "[lora] expected a rank from 1 to {}, got {}", kLargestRank,
          options.rank);
  std::vector<LoraPair> pairs;
  uint64_t stream = 0;
  const std::vector<AdapterPlace> targets = targeted_places(model, options);
  for (const AdapterPlace& place : block_places(model)) {
    ++stream;  // its own, whatever the targets are
    if (std::ranges::none_of(targets, [&](const auto& target) { return target.tensor == place.tensor; })) continue;
    const int64_t rank = options.rank, cols = place.weight->cols(), rows = place.rows;
    pairs.push_back({.weight = place.tensor,
                     .a_shape = {rank, cols},
                     .b_shape = {rows, rank},
                     .read_a = [=, seed = options.seed] { return uniform_matrix(rank, cols, seed, stream); },
                     .read_b = [=] { return std::vector<float>(size_t(rows * rank)); },
                     .scale = options.scale()});
  }
  return make_adapter(model, "new adapter", pairs);
}

std::vector<Parameter*> parameters(Adapter& adapter) {
  std::vector<Parameter*> all;
  for (auto& [weight, parts] : adapter.parts)
    for (LowRank& part : parts) all.push_back(&part.a_RK), all.push_back(&part.b_OR);
  for (auto& [table, part] : adapter.tables) all.push_back(&part.a_VR), all.push_back(&part.b_CR);
  std::ranges::sort(all, {}, [](const Parameter* p) { return p->name(); });
  return all;
}

void merge_adapter(Transformer& model, const Adapter& adapter) {
  const bool is_tied = &model.token_table() == &model.classifier();
  const std::vector<Parameter*> weights = model.parameters();
  size_t found = 0;
  for (const Parameter* weight : weights) {
    if (!adapter.parts.contains(weight) && !adapter.tables.contains(weight)) continue;
    found += adapter.parts.count(weight) + adapter.tables.count(weight);
    require(weight->has_master(), "[lora] {}: expected a weight with master values to merge an adapter into, got none",
            weight->name());
    require(
        !is_tied || weight != &model.classifier(),
        "[lora] {}: expected an adapter of blocks, or an embedding and a head of their own, got one tensor for both",
        weight->name());
  }
  require(found == adapter.parts.size() + adapter.tables.size(), "[lora] expected an adapter of this model to merge");
  Threads& threads = model.device().threads();
  for (Parameter* weight : weights) {
    if (const auto parts = adapter.parts.find(weight); parts != adapter.parts.end())
      for (const LowRank& part : parts->second)
        add_product(*weight, part.first, part.scale, rows_of(part.b_OR), rows_of(part.a_RK), threads);
    if (const auto part = adapter.tables.find(weight); part != adapter.tables.end()) {
      const Parameter& b_CR = part->second.b_CR;
      const std::vector<float> b_RC = transposed(rows_of(b_CR), b_CR.rows(), b_CR.cols());
      add_product(*weight, 0, part->second.scale, rows_of(part->second.a_VR), b_RC, threads);
    }
  }
}

}  // namespace fude
