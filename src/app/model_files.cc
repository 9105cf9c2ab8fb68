#include "app/model_files.h"

#include <filesystem>

#include "model/load.h"
#include "tensor/gguf.h"
#include "text/gguf_tokenizer.h"

namespace fude {
namespace {

Tokenizer tokenizer_of_gguf(const std::string& path) {
  const GgufFile file(path);
  const GgufMetadata& m = file.metadata();
  const std::string prefix = "tokenizer.ggml.";
  GgufTokenizer t;
  t.model = m.string(prefix + "model"), t.pre = m.find_string(prefix + "pre").value_or("");
  t.pieces.texts = m.strings(prefix + "tokens");
  if (m.has(prefix + "token_type"))
    for (const int64_t type : m.integers(prefix + "token_type")) t.pieces.types.push_back(int32_t(type));
  if (m.has(prefix + "scores"))
    for (const double score : m.numbers(prefix + "scores")) t.pieces.scores.push_back(float(score));
  if (m.has(prefix + "merges")) t.merges = m.strings(prefix + "merges");
  t.begin = m.find_integer(prefix + "bos_token_id"), t.unknown = m.find_integer(prefix + "unknown_token_id");
  for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"})
    if (const auto id = m.find_integer(prefix + key)) t.ends.push_back(*id);
  t.prepends_begin = m.find_boolean(prefix + "add_bos_token");
  t.appends_end = m.find_boolean(prefix + "add_eos_token");
  t.space_prefix = m.find_boolean(prefix + "add_space_prefix");
  t.chat_template = m.find_string("tokenizer.chat_template").value_or("");
  return Tokenizer(read_gguf_tokenizer(std::move(t), path));
}

}  // namespace

Tokenizer tokenizer_of_model(const std::string& path) {
  read_config(path);
  return std::filesystem::is_regular_file(path) ? tokenizer_of_gguf(path) : Tokenizer::load(path);
}

}  // namespace fude
