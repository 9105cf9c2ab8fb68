#include "app/model_files.h"

#include <algorithm>
#include <filesystem>

#include "app/command_line.h"
#include "base/file.h"
#include "data/identity.h"
#include "fetch/pull.h"

namespace fude {

namespace fs = std::filesystem;

std::string name_of_model(const std::string& model) {
  fs::path path = fs::absolute(model).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return (path.extension() == ".gguf" ? path.stem() : path.filename()).string();
}

std::string fingerprint_of(const std::string& model) {
  if (model.empty()) return {};
  const std::string path = find_model(model);
  std::vector<std::string> files;
  if (fs::is_regular_file(path))
    files.push_back(path);
  else
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.path().extension() == ".safetensors") files.push_back(entry.path().string());
  std::ranges::sort(files);
  std::string seen;
  for (const std::string& file : files) seen += fingerprint_of_file(file);
  return hash_hex(seen);
}

void add_adapter_option(CLI::App& command, std::string& adapter) {
  command.add_option("--adapter", adapter, kAdapterHelp)->check(some_text());
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
