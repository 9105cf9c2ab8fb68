#include "app/model_files.h"

#include <filesystem>

#include "app/gguf_tokenizer_keys.h"
#include "fetch/pull.h"
#include "model/folder.h"
#include "model/gguf_model.h"
#include "text/tokenizer_file.h"

namespace fude {

ModelFiles open_model(const std::string& name) {
  const std::string model = find_model(name);
  if (!std::filesystem::is_regular_file(model)) {
    auto weights = open_folder(model);
    return {nullptr, std::move(weights), Tokenizer::load(model)};
  }
  auto file = std::make_shared<const GgufFile>(model);
  auto weights = open_gguf(file);
  return {file, std::move(weights), Tokenizer(read_gguf_tokenizer(tokenizer_in(file->metadata()), model))};
}

LoadedModel load_for_use(Device& device, const std::string& model, Precision precision) {
  ModelFiles files = open_model(model);
  files.gguf.reset();
  return {std::move(files.tokenizer), load_model(device, std::move(files.weights), precision)};
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
