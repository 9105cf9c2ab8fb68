#include "model/folder.h"

#include <set>

#include "base/error.h"
#include "base/json.h"
#include "tensor/safetensors.h"

namespace fude {
namespace {

constexpr uint64_t kConfigLimit = 16 << 20;

// The tensors of a folder, wherever its index says they lie.
class FolderTensors {
 public:
  explicit FolderTensors(const std::string& folder) {
    const std::string index = folder + "/model.safetensors.index.json";
    std::set<std::string> names;
    if (file_exists(index)) {
      const Json json = parse_json(read_file(index, kConfigLimit), index);
      const auto map = json.find("weight_map");
      require(map != json.end() && map->is_object(), "[{}] expected the key 'weight_map'", index);
      for (const auto& [tensor, file] : map->items()) {
        require(file.is_string(), "[{}] expected a file name for {}", index, tensor);
        const std::string name = file.get<std::string>();
        require(name.find('/') == std::string::npos, "[{}] expected a file beside the index, got {}", index, name);
        names.insert(name);
      }
    } else {
      names.insert("model.safetensors");
    }
    for (const std::string& name : names) files_.emplace_back(folder + "/" + name);
    for (size_t i = 0; i < files_.size(); ++i)
      for (const auto& [name, entry] : files_[i].entries()) home_[name] = i;
  }

  // Some files of base models leave the leading "model." or "transformer." out.
  const SafetensorsFile* find(std::string& name) const {
    for (const std::string& prefix : {std::string(), std::string("model."), std::string("transformer.")}) {
      if (!name.starts_with(prefix)) continue;
      const auto found = home_.find(name.substr(prefix.size()));
      if (found == home_.end()) continue;
      name = found->first;
      return &files_[found->second];
    }
    return nullptr;
  }

 private:
  std::vector<SafetensorsFile> files_;
  std::map<std::string, size_t> home_;
};

std::vector<int64_t> shape_in_file(const Parameter& parameter, const Segment& segment) {
  if (!parameter.is_matrix()) return {segment.rows};
  if (segment.transposed_in_file) return {parameter.cols(), segment.rows};
  return {segment.rows, parameter.cols()};
}

std::vector<float> transposed(const std::vector<float>& x, int64_t rows, int64_t cols) {
  std::vector<float> y(x.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) y[size_t(c * rows + r)] = x[size_t(r * cols + c)];
  return y;
}

}  // namespace

ModelConfig read_config(const std::string& folder) {
  const std::string path = folder + "/config.json";
  require(file_exists(path), "[model] {} has no config.json; expected a Hugging Face model folder", folder);
  const Json json = parse_json(read_file(path, kConfigLimit), path);
  ModelConfig config = architecture_of(json_string(json, "model_type", path)).read(json);
  check(config);
  return config;
}

std::unique_ptr<Transformer> load_model(Device& device, const std::string& folder, Precision precision) {
  auto model = std::make_unique<Transformer>(device, read_config(folder), precision);
  const FolderTensors tensors(folder);
  for (Parameter* parameter : model->parameters()) {
    int64_t row = 0;
    for (const Segment& segment : parameter->segments()) {
      std::string name = segment.name;
      const SafetensorsFile* file = tensors.find(name);
      require(file != nullptr, "[model] {}: the tensor {} is missing", folder, segment.name);
      const auto expected = shape_in_file(*parameter, segment);
      require(file->entry(name).shape == expected, "[model] {}: {} has another shape than config.json says", folder, name);
      std::vector<float> values = file->read_f32(name);
      if (parameter->is_matrix() && segment.transposed_in_file)
        values = transposed(values, parameter->cols(), segment.rows);
      parameter->set_rows(row, segment.rows, values.data());
      row += segment.rows;
    }
  }
  return model;
}

void save_model(const Transformer& model, const std::string& folder) {
  make_directories(folder);
  std::vector<SafetensorsOutput> outputs;
  for (const Parameter* parameter : model.parameters()) {
    int64_t row = 0;
    for (const Segment& segment : parameter->segments()) {
      outputs.push_back({segment.name, shape_in_file(*parameter, segment), [parameter, segment, row] {
                           std::vector<float> values(size_t(segment.rows * parameter->cols()));
                           parameter->get_rows(row, segment.rows, values.data());
                           return parameter->is_matrix() && segment.transposed_in_file
                                      ? transposed(values, segment.rows, parameter->cols())
                                      : values;
                         }});
      row += segment.rows;
    }
  }
  write_safetensors(folder + "/model.safetensors", outputs);
  write_file(folder + "/config.json", architecture_of(model.config().family).write(model.config()).dump(2) + "\n");
}

}  // namespace fude
