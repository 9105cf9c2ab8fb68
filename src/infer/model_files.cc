#include "infer/model_files.h"

#include <functional>
#include <future>
#include <utility>

#include "infer/gguf_tokenizer_keys.h"
#include "model/folder.h"
#include "model/gguf_model.h"

namespace fude {
namespace {

// The tokenizer is made when it is called for.
struct Opened {
  std::shared_ptr<const GgufFile> gguf;
  std::unique_ptr<WeightSource> weights;
  std::function<Tokenizer()> tokenizer;
};

Opened open_parts(const std::string& path) {
  if (!is_gguf(path)) return {nullptr, open_folder(path), [path] { return Tokenizer::load(path); }};
  auto file = std::make_shared<const GgufFile>(path);
  return {file, open_gguf(file), [=] { return Tokenizer(read_gguf_tokenizer(tokenizer_in(file->metadata()), path)); }};
}

}  // namespace

ModelFiles open_model(const std::string& path) {
  Opened parts = open_parts(path);
  return {std::move(parts.gguf), std::move(parts.weights), parts.tokenizer()};
}

LoadedModel load_for_use(Device& device, const std::string& path, Precision precision) {
  Opened parts = open_parts(path);
  parts.gguf.reset();
  // Made beside the weights where there are threads for it: it takes as long as a small model.
  const auto how = device.threads().count() > 1 ? std::launch::async : std::launch::deferred;
  auto tokenizer = std::async(how, std::exchange(parts.tokenizer, nullptr));
  auto loaded = load_model(device, std::move(parts.weights), precision);
  return {tokenizer.get(), std::move(loaded)};
}

}  // namespace fude
