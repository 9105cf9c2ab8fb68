#include "model/gguf_model.h"

#include <map>

#include "base/error.h"
#include "model/gguf_layout.h"

namespace fude {
namespace {

class GgufWeights : public WeightSource {
 public:
  explicit GgufWeights(std::shared_ptr<const GgufFile> file) : file_(std::move(file)) {}

  const std::string& path() const override { return file_->path(); }
  const ModelConfig& config() const override { return config_; }
  bool is_in_family_form() const override { return false; }
  const std::vector<int64_t>* shape_of(const std::string& name) const override {
    const std::string* here = find(name);
    return here == nullptr ? nullptr : &file_->tensor(*here).shape;
  }
  WeightType type_of(const std::string& name) const override {
    const GgufFile::Tensor& tensor = file_->tensor(at(name));
    require(tensor.format != nullptr, "[model] {}: {} has the unknown type {}", path(), name, tensor.gguf_id);
    return tensor.format->type;
  }
  std::vector<float> read(const std::string& name) const override {
    const std::string& here = at(name);
    std::vector<float> values = file_->read_f32(here);
    if (!has_pairs(family_, here)) return values;
    // A bias is a column.
    const int64_t cols = file_->tensor(here).shape.size() == 1 ? 1 : file_->tensor(here).cols();
    return part_pairs(values, config_.head_size, cols);
  }
  std::span<const std::byte> rows_of(const std::string& name, int64_t first, int64_t count,
                                     std::vector<std::byte>& buffer) const override {
    const std::string& here = at(name);
    if (!has_pairs(family_, here)) return file_->rows(here, first, count);
    buffer.clear();
    for (int64_t row = first; row < first + count; ++row) {
      const auto one = file_->rows(here, paired_row(row, config_.head_size), 1);
      buffer.insert(buffer.end(), one.begin(), one.end());
    }
    return buffer;
  }
  void drop(const std::string& name, int64_t first, int64_t count) const override {
    file_->drop(at(name), first, count);
  }
  void require_no_others(const std::set<std::string>& names) const override {
    std::set<std::string> used = {"rope_freqs.weight"};
    for (const std::string& name : names)
      if (const std::string* here = find(name)) used.insert(*here);
    for (const auto& [name, tensor] : file_->tensors())
      require(used.contains(name), "[model] {}: the tensor {} has no place in the model that the metadata describe",
              path(), name);
  }

 private:
  const std::string* find(const std::string& name) const {
    const auto found = names_.find(name);
    return found == names_.end() || !file_->has(found->second) ? nullptr : &found->second;
  }
  const std::string& at(const std::string& name) const {
    const std::string* here = find(name);
    require(here != nullptr, "[model] {}: the tensor {} is missing", path(), name);
    return *here;
  }

  std::shared_ptr<const GgufFile> file_;
  ModelConfig config_ = config_of_gguf(*file_);
  const GgufFamily& family_ = gguf_family_of_model(config_);
  std::map<std::string, std::string> names_ = gguf_names_of(config_);  // of the family's files → of this one
};

}  // namespace

std::unique_ptr<WeightSource> open_gguf(std::shared_ptr<const GgufFile> file) {
  return std::make_unique<GgufWeights>(std::move(file));
}

}  // namespace fude
