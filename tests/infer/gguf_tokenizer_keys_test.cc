#include "infer/gguf_tokenizer_keys.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>

#include "base/error.h"
#include "tensor/gguf.h"
#include "tests/support/tokenizer_vectors.h"

namespace fude {
namespace {

const std::string kKeys = "tokenizer.ggml.";

GgufMetadata unigram_keys() {
  GgufMetadata m;
  m.set(kKeys + "model", "t5");
  m.set(kKeys + "tokens", std::vector<std::string>{"<pad>", "</s>", "<unk>", "a", "\xE2\x96\x81"});
  m.set(kKeys + "scores", std::vector<float>{0, 0, 0, -2, -3});
  m.set(kKeys + "token_type", std::vector<int32_t>{3, 3, 2, 1, 1});
  m.set(kKeys + "add_space_prefix", true);
  m.set(kKeys + "remove_extra_whitespaces", true);
  return m;
}

TEST(GgufTokenizerKeys, OfUnigramModels) {
  // An empty trie, and one replacement that nothing points to.
  const std::string charsmap("\x08\0\0\0\0\x04\0\0\0\0\0\0\xFF\0", 14);
  for (const bool is_signed : {false, true}) {
    GgufMetadata m = unigram_keys();
    if (is_signed)
      m.set(kKeys + "precompiled_charsmap", std::vector<int8_t>(charsmap.begin(), charsmap.end()));
    else
      m.set(kKeys + "precompiled_charsmap", std::vector<uint8_t>(charsmap.begin(), charsmap.end()));
    const GgufTokenizer file = tokenizer_in(m);
    EXPECT_EQ(file.charsmap, charsmap);
    EXPECT_EQ(file.removes_blanks, true);
    const Tokenizer tokenizer(read_gguf_tokenizer(file, "gguf"));
    EXPECT_EQ(tokenizer.encode(" a  aa b "), (std::vector<TokenId>{4, 3, 4, 3, 3, 4, 2}));
  }
  EXPECT_EQ(tokenizer_in(unigram_keys()).charsmap, "");
  GgufMetadata m = unigram_keys();
  m.set(kKeys + "precompiled_charsmap", std::vector<int32_t>{4, 256});
  EXPECT_THROW(tokenizer_in(m), Error);
  m.set(kKeys + "precompiled_charsmap", charsmap);
  EXPECT_THROW(tokenizer_in(m), Error);
}

// Many converters leave out which token ends a turn; without it an answer goes on into turns that nobody took.
TEST(GgufTokenizerKeys, TheEndOfATurnIsFoundByItsText) {
  GgufMetadata m = unigram_keys();
  m.set(kKeys + "tokens", std::vector<std::string>{"<pad>", "</s>", "<unk>", "<end_of_turn>", "<|im_end|>"});
  m.set(kKeys + "token_type", std::vector<int32_t>{3, 3, 2, 4, 1});  // the last one is ordinary text
  m.set(kKeys + "eos_token_id", uint32_t(1));
  EXPECT_EQ(tokenizer_in(m).ends, (std::vector<int64_t>{1, 3}));
  m.set(kKeys + "eot_token_id", uint32_t(0));
  EXPECT_EQ(tokenizer_in(m).ends, (std::vector<int64_t>{1, 0}));
}

TEST(GgufTokenizerKeys, ThePaddingIsKept) {
  GgufMetadata m = unigram_keys(), again;
  EXPECT_EQ(read_gguf_tokenizer(tokenizer_in(m), "gguf").padding_token, kNoToken);
  m.set(kKeys + "padding_token_id", uint32_t(0));
  put_tokenizer(tokenizer_in(m), again);
  EXPECT_EQ(read_gguf_tokenizer(tokenizer_in(again), "gguf").padding_token, 0);
  m.set(kKeys + "padding_token_id", uint32_t(5));
  EXPECT_EQ(read_gguf_tokenizer(tokenizer_in(m), "gguf").padding_token, kNoToken);
}

// Nothing for a kind that is not read.
std::optional<Tokenizer> read_vocabulary(const std::string& path) {
  const GgufTokenizer file = tokenizer_in(GgufFile(path).metadata());
  try {
    return Tokenizer(read_gguf_tokenizer(file, path));
  } catch (const Error& error) {
    const std::string_view what = error.what();
    if (what.find("tokenizer.ggml.model to be") == what.npos && what.find("tokenizer.ggml.pre to be") == what.npos)
      throw;
    fmt::print("passed over: {} (model '{}', pre '{}')\n", path, file.model, file.pre);
    return {};
  }
}

// FUDE_LLAMA_CPP_VOCABULARIES is the folder models of llama.cpp's sources: ggml-vocab-NAME.gguf with .inp and .out.
// What is not read (BERT's kind, a way to cut that has no name here) is said, and does not count as equal.
TEST(GgufTokenizerKeys, EqualLlamaCppVectors) {
  const char* folder = std::getenv("FUDE_LLAMA_CPP_VOCABULARIES");
  if (folder == nullptr) GTEST_SKIP() << "set FUDE_LLAMA_CPP_VOCABULARIES to the folder models of llama.cpp's sources";
  std::set<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (file_exists(entry.path().string() + ".inp")) paths.insert(entry.path().string());
  int compared = 0;
  for (const std::string& path : paths) {
    if (const auto tokenizer = read_vocabulary(path)) {
      expect_tokenizer_vectors(*tokenizer, path);
      ++compared;
    }
  }
  fmt::print("compared: {} of {} vocabularies\n", compared, paths.size());
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace fude
