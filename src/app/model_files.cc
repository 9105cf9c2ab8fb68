#include "app/model_files.h"

#include <filesystem>
#include <functional>
#include <future>

#include "app/gguf_tokenizer_keys.h"
#include "fetch/pull.h"
#include "model/folder.h"
#include "model/gguf_model.h"
#include "text/tokenizer_file.h"

namespace fude {

namespace {

// The tokenizer is made when it is called for.
struct Opened {
  std::shared_ptr<const GgufFile> gguf;
  std::unique_ptr<WeightSource> weights;
  std::function<Tokenizer()> tokenizer;
};

Opened open_parts(const std::string& name) {
  const std::string model = find_model(name);
  if (!std::filesystem::is_regular_file(model))
    return {nullptr, open_folder(model), [model] { return Tokenizer::load(model); }};
  auto file = std::make_shared<const GgufFile>(model);
  return {file, open_gguf(file), [=] { return Tokenizer(read_gguf_tokenizer(tokenizer_in(file->metadata()), model)); }};
}

}  // namespace

ModelFiles open_model(const std::string& model) {
  Opened parts = open_parts(model);
  return {std::move(parts.gguf), std::move(parts.weights), parts.tokenizer()};
}

LoadedModel load_for_use(Device& device, const std::string& model, Precision precision) {
  Opened parts = open_parts(model);
  parts.gguf.reset();
  // Made beside the weights where there are threads for it: it takes as long as a small model.
  const auto how = device.threads().count() > 1 ? std::launch::async : std::launch::deferred;
  auto tokenizer = std::async(how, std::exchange(parts.tokenizer, nullptr));
  auto loaded = load_model(device, std::move(parts.weights), precision);
  return {tokenizer.get(), std::move(loaded)};
}

std::shared_ptr<const Adapter> load_adapter_if_given(const Transformer& model, const std::string& path) {
  return path.empty() ? nullptr : load_adapter(model, path);
}

std::vector<TokenId> sequence_of(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<TokenId> tokens;
  if (tokenizer.data().prepends_begin) tokens.push_back(tokenizer.data().begin_token);
  tokenizer.encode_into(text, tokens);
  return tokens;
}

}  // namespace fude
