#include "model/folder.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "model/file_layout.h"
#include "tensor/safetensors_shards.h"

namespace fude {
namespace {

constexpr uint64_t kConfigLimit = 16 << 20;

// The files that an index names: {"weight_map": {tensor: file, …}, …}. Which tensor is where the files say themselves.
std::set<std::string> files_in_index(const std::string& path) {
  std::set<std::string> names;
  const Json json = parse_json(read_file(path, kConfigLimit), path);
  const auto map = json.find("weight_map");
  require(map != json.end() && map->is_object(), "[{}] expected an object at 'weight_map'", path);
  for (const auto& [tensor, file] : map->get_ref<const Json::object_t&>()) {
    require(file.is_string(), "[{}] expected names of files, got {}", path, file.type_name());
    names.insert(file.get<std::string>());
  }
  require(!names.empty(), "[{}] expected the key 'weight_map' with names of files", path);
  for (const std::string& name : names)
    require(name.find('/') == std::string::npos, "[{}] expected files beside the index, got {}", path, name);
  return names;
}

// What says nothing of text: buffers that older transformers wrote beside the weights, and what a model sees with.
bool is_beside_text(const std::string& name) {
  for (const char* buffer : {".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias"})
    if (name.ends_with(buffer)) return true;
  for (const char* part : {"vision_tower.", "multi_modal_projector."})
    if (name.starts_with(part) || name.starts_with(std::string("model.") + part)) return true;
  return false;
}

// The tensors of a folder, each in whichever of the index's files has it.
class Folder : public WeightSource {
 public:
  explicit Folder(const std::string& folder) : folder_(folder), config_(read_folder_config(folder)) {
    for (const std::string& file : weight_files(folder)) files_.emplace_back(file);
    for (const SafetensorsFile& file : files_)
      for (const auto& [name, entry] : file.entries())
        require(home_.emplace(name_in_text_model(name), Place{&file, name}).second,
                "[model] {}: the tensor {} is there twice", folder_, name);
  }

  const std::string& path() const override { return folder_; }
  const ModelConfig& config() const override { return config_; }
  bool is_in_family_form() const override { return true; }
  const std::vector<int64_t>* shape_of(const std::string& name) const override {
    const auto found = find(name);
    return found == home_.end() ? nullptr : &found->second.entry().shape;
  }
  WeightType type_of(const std::string& name) const override {
    const Place& place = at(name);
    return place.file->format(place.name).type;
  }
  std::vector<float> read(const std::string& name) const override {
    const Place& place = at(name);
    return place.file->read_f32(place.name);
  }
  std::span<const std::byte> rows_of(const std::string& name, int64_t first, int64_t count,
                                     std::vector<std::byte>&) const override {
    const Place& place = at(name);
    return place.file->rows(place.name, first, count);
  }
  void drop(const std::string& name, int64_t first, int64_t count) const override {
    const Place& place = at(name);
    place.file->drop(place.name, first, count);
  }
  void require_no_others(const std::set<std::string>& names) const override {
    std::set<std::string> used;
    for (const std::string& name : names)
      if (const auto found = find(name); found != home_.end()) used.insert(found->first);
    const TensorNames& family = architecture_of(config_.family).names;
    for (const auto& [name, place] : home_) {
      if (used.contains(name) || is_beside_text(name)) continue;
      require(config_.ties_head && name == family.head,
              "[model] {}: the tensor {} has no place in the model that config.json describes", folder_, place.name);
      require(is_copy(place, at(family.embedding)),
              "[model] {}: expected {} to be a copy of {}, as config.json says with tie_word_embeddings, got a head of "
              "its own",
              folder_, place.name, family.embedding);
    }
  }

 private:
  struct Place {
    const SafetensorsFile* file;
    std::string name;  // in the file
    const SafetensorsFile::Entry& entry() const { return file->entry(name); }
  };
  using Home = std::map<std::string, Place>;
  // Some files of base models leave the leading "model." or "transformer." out.
  Home::const_iterator find(const std::string& name) const {
    for (const std::string& prefix : {std::string(), std::string("model."), std::string("transformer.")}) {
      if (!name.starts_with(prefix)) continue;
      const auto found = home_.find(name.substr(prefix.size()));
      if (found != home_.end()) return found;
    }
    return home_.end();
  }

  const Place& at(const std::string& name) const {
    const auto found = find(name);
    require(found != home_.end(), "[model] {}: the tensor {} is missing", folder_, name);
    return found->second;
  }

  // All bytes: a head that was trained a little differs in few of its rows, which a sample would miss. Few files carry
  // a copy, and only they pay the pass over memory.
  static bool is_copy(const Place& a, const Place& b) {
    const SafetensorsFile::Entry &here = a.entry(), &there = b.entry();
    if (here.dtype != there.dtype || here.shape != there.shape) return false;
    const int64_t rows = here.shape.front();
    const auto bytes = a.file->rows(a.name, 0, rows);
    const bool is_same = std::memcmp(bytes.data(), b.file->rows(b.name, 0, rows).data(), bytes.size()) == 0;
    a.file->drop(a.name, 0, rows);
    return is_same;
  }

  std::string folder_;
  ModelConfig config_;
  std::vector<SafetensorsFile> files_;
  Home home_;  // by the names of the family's own files
};

// A segment that begins at this row, as files have it. Some rows at a time: an embedding table is large, and memory may
// be full of what training needs.
void put_segment(const Parameter& parameter, int64_t row, const Segment& segment, const SafetensorsOutput::Put& put) {
  const int64_t cols = parameter.cols();
  const bool is_transposed = parameter.is_matrix() && segment.transposed_in_file;
  const int64_t at_once = is_transposed ? segment.rows : std::max<int64_t>(1, (int64_t(1) << 15) / cols);
  for (int64_t done = 0; done < segment.rows; done += at_once) {
    const int64_t rows = std::min(at_once, segment.rows - done);
    std::vector<float> values(size_t(rows * cols));
    parameter.get_rows(row + done, rows, values.data());
    put(to_family_form(parameter, segment, std::move(values)));
  }
}

// Gemma 3's larger models see as well. What they make of text is a model of its own, which is described by itself.
const Json& text_model_in(const Json& json, const std::string& path) {
  const auto text = json.find("text_config");
  const bool sees = json_string(json, "model_type", path) == "gemma3" && text != json.end() && text->is_object();
  return sees ? *text : json;
}

// A training run keeps its result in a folder of its own, which is easily left out.
std::string model_within(const std::string& folder) {
  const std::string inner = (std::filesystem::path(folder) / "model").string();
  return file_exists(inner + "/config.json") ? "; did you mean " + inner + "?" : "";
}

}  // namespace

ModelConfig read_folder_config(const std::string& folder) {
  const std::string path = folder + "/config.json";
  std::error_code error;
  const bool is_there = std::filesystem::exists(path, error);
  require(!error, "[model] {} cannot be read: {}", path, error.message());
  require(is_there, "[model] {} has no config.json; expected a Hugging Face model folder{}", folder,
          model_within(folder));
  const Json whole = parse_json(read_file(path, kConfigLimit), path), &json = text_model_in(whole, path);
  try {
    ModelConfig config = architecture_of(json_string(json, "model_type", path)).read(json);
    check(config);
    return config;
  } catch (const Error& error) { fail("[model] {}: {}", folder, error.what()); }
}

std::vector<std::string> weight_files(const std::string& folder) {
  const std::string whole = folder + "/model.safetensors", index = whole + ".index.json";
  if (file_exists(whole) || !file_exists(index)) return {whole};
  std::vector<std::string> paths;
  for (const std::string& name : files_in_index(index)) paths.push_back(folder + "/" + name);
  return paths;
}

std::unique_ptr<WeightSource> open_folder(const std::string& folder) { return std::make_unique<Folder>(folder); }

void save_model(const Transformer& model, const std::string& folder, const FolderFiles& beside) {
  make_directories(folder);
  std::vector<SafetensorsOutput> outputs;
  for (const Parameter* parameter : model.parameters()) {
    int64_t row = 0;
    for (const Segment& segment : parameter->segments()) {
      outputs.push_back({segment.name, shape_in_file(*parameter, segment),
                         [=](const SafetensorsOutput::Put& put) { put_segment(*parameter, row, segment, put); }});
      row += segment.rows;
    }
  }
  write_safetensors_folder(folder, outputs);
  write_files(folder, beside);
  write_file(folder + "/config.json", architecture_of(model.config().family).write(model.config()).dump(2) + "\n");
}

}  // namespace fude
