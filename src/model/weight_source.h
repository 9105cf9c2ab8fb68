// Where the weights of a model come from: a Hugging Face folder (folder.h) or a GGUF file (gguf_model.h). Tensors go by
// the names of the family's own files.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "tensor/format.h"

namespace fude {

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  virtual const std::string& path() const = 0;  // named in errors
  virtual const ModelConfig& config() const = 0;
  // Whether tensors lie as the family's own files have them (GPT-2's matrices turned, Gemma's norms less one), or as
  // they are multiplied.
  virtual bool is_in_family_form() const = 0;
  // Row-major extents; null if there is no such tensor.
  virtual const std::vector<int64_t>* shape_of(const std::string& name) const = 0;
  // What the values lie in. Error, here and below, if there is no such tensor.
  virtual WeightType type_of(const std::string& name) const = 0;
  virtual std::vector<float> read(const std::string& name) const = 0;
  // Rows [first, first + count) of a matrix as they lie: in the file, or in `buffer`. Good while both are there.
  virtual std::span<const std::byte> rows_of(const std::string& name, int64_t first, int64_t count,
                                             std::vector<std::byte>& buffer) const = 0;
  // Lets go of the memory that these rows of the file take.
  virtual void drop(const std::string& name, int64_t first, int64_t count) const = 0;
  // Error if there is a tensor that would change what the model says, and is not among these.
  virtual void require_no_others(const std::set<std::string>& names) const = 0;
};

}  // namespace fude
