// All that a GGUF file of a model is to hold, before it is decided in which types: the way from a Hugging Face folder,
// or from another GGUF file, to a GGUF file.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/weight_source.h"
#include "tensor/gguf.h"

namespace fude {

struct GgufContents {
  struct Tensor {
    std::string name;            // llama.cpp's
    std::vector<int64_t> shape;  // row-major
    WeightType type;             // in which it lies now
    std::function<std::vector<float>()> read;
    std::span<const std::byte> blocks = {};  // as it lies, where that could be copied
    int64_t size() const;
  };

  ModelConfig config;
  GgufMetadata metadata;  // of the model; what a file says of its tokenizer is there too if it is a GGUF file
  std::vector<Tensor> tensors;
  std::shared_ptr<const void> source;  // what is read from
};

// The tensors as they are.
GgufContents contents_of(const std::shared_ptr<const GgufFile>& file);
// The tensors under llama.cpp's names and in its order of rows. Error if llama.cpp has no such model. Norms, biases and
// learned positions are F32, as llama.cpp wants them. `name` is for people.
GgufContents contents_of(const std::shared_ptr<const WeightSource>& weights, const std::string& name);

// Whether a tensor's type is free to choose: a matrix that rows are multiplied with, or looked up in.
bool has_free_type(const GgufContents::Tensor& tensor);
// A plain type for all that are free; nothing: each as it lies.
std::vector<WeightType> plain_types(const GgufContents& contents, std::optional<WeightType> type);

// `types`: of each tensor. `file_type`: llama.cpp's number for the mixture, or nothing to leave it as it is.
void write_gguf(const std::string& path, const GgufContents& contents, const std::vector<WeightType>& types,
                std::optional<uint32_t> file_type, const WriteOptions& options);

}  // namespace fude
