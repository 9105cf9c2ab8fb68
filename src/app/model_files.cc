#include "app/model_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>

#include "app/gguf_tokenizer_keys.h"
#include "base/file.h"
#include "fetch/pull.h"
#include "model/folder.h"
#include "model/gguf_model.h"
#include "text/tokenizer_file.h"

namespace fude {

namespace fs = std::filesystem;

namespace {

// The tokenizer is made when it is called for.
struct Opened {
  std::shared_ptr<const GgufFile> gguf;
  std::unique_ptr<WeightSource> weights;
  std::function<Tokenizer()> tokenizer;
};

Opened open_parts(const std::string& name) {
  const std::string model = find_model(name);
  if (!fs::is_regular_file(model)) return {nullptr, open_folder(model), [model] { return Tokenizer::load(model); }};
  auto file = std::make_shared<const GgufFile>(model);
  return {file, open_gguf(file), [=] { return Tokenizer(read_gguf_tokenizer(tokenizer_in(file->metadata()), model)); }};
}

}  // namespace

ModelFiles open_model(const std::string& model) {
  Opened parts = open_parts(model);
  return {std::move(parts.gguf), std::move(parts.weights), parts.tokenizer()};
}

std::string name_of_model(const std::string& model) {
  fs::path path = fs::absolute(model).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return (path.extension() == ".gguf" ? path.stem() : path.filename()).string();
}

std::string fingerprint_of(const std::string& model) {
  if (model.empty()) return {};
  constexpr uint64_t kPieces = 64, kPieceBytes = 4096;
  const std::string path = find_model(model);
  std::vector<std::string> files;
  if (fs::is_regular_file(path))
    files.push_back(path);
  else
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.path().extension() == ".safetensors") files.push_back(entry.path().string());
  std::ranges::sort(files);
  std::string seen;
  for (const std::string& file : files) {
    const uint64_t size = file_size(file);
    seen += std::to_string(size) + ' ';
    std::ifstream in(file, std::ios::binary);
    std::string piece(kPieceBytes, '\0');
    for (uint64_t i = 0; i < kPieces; ++i) {
      in.clear();
      in.seekg(std::streamoff(size / kPieces * i));
      in.read(piece.data(), std::streamsize(piece.size()));
      seen.append(piece, 0, size_t(in.gcount()));
    }
  }
  return hash_hex(seen);
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
