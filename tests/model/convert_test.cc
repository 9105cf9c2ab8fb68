// Models from one kind of files to another: the same bits, and the files of llama.cpp's own converter.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "model/export_folder.h"
#include "model/folder.h"
#include "model/gguf_contents.h"
#include "model/gguf_model.h"
#include "model/load.h"
#include "tensor/safetensors.h"

namespace fude {
namespace {

std::string golden_folder(const std::string& family) { return FUDE_SOURCE_DIR "/tests/goldens/" + family; }

GgufContents contents_of_folder(const std::string& folder) {
  return contents_of(std::shared_ptr<const WeightSource>(open_folder(folder)), "test");
}

void expect_same_model(const Transformer& a, const Transformer& b) {
  EXPECT_EQ(a.config(), b.config());
  const auto p = a.parameters(), q = b.parameters();
  ASSERT_EQ(p.size(), q.size());
  for (size_t i = 0; i < p.size(); ++i) {
    EXPECT_EQ(p[i]->name(), q[i]->name());
    ASSERT_EQ(p[i]->stored(), q[i]->stored());
    EXPECT_EQ(std::memcmp(p[i]->values().data<float>(), q[i]->values().data<float>(), size_t(p[i]->stored()) * 4), 0)
        << p[i]->name();
  }
}

class Convert : public testing::TestWithParam<const char*> {
 protected:
  Convert() : work_(testing::TempDir() + "fude_convert_" + GetParam()) {
    std::filesystem::remove_all(work_);
    make_directories(work_);
  }
  ~Convert() override { std::filesystem::remove_all(work_); }

  std::string folder_ = golden_folder(GetParam()), work_;
  Device device_{2};
};

TEST_P(Convert, KeepsEveryBit) {
  const auto original = load_model(device_, folder_);
  const std::string file = work_ + "/model.gguf", back = work_ + "/back";
  const GgufContents contents = contents_of_folder(folder_);
  int64_t last = 0, all = 0;
  Threads threads(2);
  write_gguf(file, contents, plain_types(contents, {}), 0u, {&threads, [&](int64_t done, int64_t total) {
                                                               EXPECT_GE(done, last);
                                                               last = done, all = total;
                                                             }});
  EXPECT_EQ(last, all);
  EXPECT_GT(all, 0);
  expect_same_model(*original, *load_model(device_, file));
  export_folder(*open_gguf(std::make_shared<GgufFile>(file)), back, {}, {{"eos_token_id", 2}}, {});
  expect_same_model(*original, *load_model(device_, back));
  // The tensors of the original, by their names, shapes and bits. Gemma's norms are w + 1 in GGUF, as they are used:
  // that is kept, and not what of w was lost in adding.
  const bool adds_one = contents.config.family == "gemma3_text";
  const SafetensorsFile a(folder_ + "/model.safetensors"), b(back + "/model.safetensors");
  for (const auto& [name, entry] : b.entries()) {
    EXPECT_EQ(entry.dtype, "F32");
    EXPECT_EQ(entry.shape, a.entry(name).shape) << name;
    std::vector<float> before = a.read_f32(name), after = b.read_f32(name);
    if (adds_one && name.find("norm.") != name.npos)
      for (auto* values : {&before, &after})
        for (float& value : *values) value += 1;
    EXPECT_EQ(before, after) << name;
  }
  const Json config = parse_json(read_file(back + "/config.json"), "config.json");
  EXPECT_EQ(config["eos_token_id"], 2);
  EXPECT_EQ(config["dtype"], "float32");
}

// From a folder whose matrices are BF16: they stay so, both ways.
TEST_P(Convert, KeepsTypes) {
  const std::string half = work_ + "/half", file = work_ + "/model.gguf", back = work_ + "/back";
  export_folder(*open_folder(folder_), half, WeightType::bf16, Json::object(), {});
  const GgufContents contents = contents_of_folder(half);
  write_gguf(file, contents, plain_types(contents, {}), 32u, {});
  const GgufFile written(file);
  for (const GgufContents::Tensor& tensor : contents.tensors)
    EXPECT_EQ(written.tensor(tensor.name).format->type, has_free_type(tensor) ? WeightType::bf16 : WeightType::f32)
        << tensor.name;
  export_folder(*open_gguf(std::make_shared<GgufFile>(file)), back, {}, Json::object(), {});
  EXPECT_EQ(parse_json(read_file(back + "/config.json"), "config.json")["dtype"], "bfloat16");
  expect_same_model(*load_model(device_, half), *load_model(device_, back));
  // From one such file to another.
  const GgufContents again = contents_of(std::make_shared<const GgufFile>(file));
  write_gguf(work_ + "/again.gguf", again, plain_types(again, {}), {}, {});
  expect_same_model(*load_model(device_, file), *load_model(device_, work_ + "/again.gguf"));
}

INSTANTIATE_TEST_SUITE_P(Families, Convert,
                         testing::Values("llama", "llama_linear", "llama_llama3", "llama_yarn", "qwen2", "qwen3",
                                         "qwen3_untied", "gpt2", "gpt2_untied", "gemma3_pattern"));

class LlamaCppFile : public testing::TestWithParam<const char*> {};

// The file that llama.cpp's converter makes of the same folder (tools/goldens/make_gguf_model.py), without a tokenizer.
TEST_P(LlamaCppFile, IsOurs) {
  const std::string folder = golden_folder(GetParam());
  const GgufContents ours = contents_of_folder(folder);
  const GgufFile theirs(folder + "/model.gguf");
  std::set<std::string> names;
  for (const GgufContents::Tensor& tensor : ours.tensors) {
    ASSERT_TRUE(theirs.has(tensor.name)) << tensor.name;
    EXPECT_EQ(tensor.shape, theirs.tensor(tensor.name).shape) << tensor.name;
    EXPECT_EQ(tensor.type, theirs.tensor(tensor.name).format->type) << tensor.name;
    const std::vector<float> a = tensor.read(), b = theirs.read_f32(tensor.name);
    // Llama 3's divisors are computed in f32 there and in double here.
    if (tensor.name == "rope_freqs.weight") {
      for (size_t i = 0; i < b.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5 * double(b[i]));
    } else {
      EXPECT_EQ(a, b) << tensor.name;
    }
    names.insert(tensor.name);
  }
  EXPECT_EQ(names.size(), theirs.tensors().size());

  // Not here: a size for file names; what write_gguf adds; and the name, which is the caller's. Not there: the extents
  // of heads, where config.json leaves them to be computed (Qwen2).
  const std::set<std::string> not_here = {"general.size_label", "general.file_type", "general.quantization_version"};
  const std::set<std::string> not_there = {"qwen2.attention.key_length", "qwen2.attention.value_length"};
  std::set<std::string> keys;
  for (const auto& [key, value] : ours.metadata.entries()) {
    if (key == "general.name") continue;
    keys.insert(key);
    if (not_there.contains(key)) continue;
    ASSERT_TRUE(theirs.metadata().has(key)) << key;
    for (const auto& [other_key, other] : theirs.metadata().entries()) {
      if (key != other_key) continue;
      EXPECT_EQ(value.type, other.type) << key;
      EXPECT_EQ(value.is_array, other.is_array) << key;
      EXPECT_EQ(value.bytes, other.bytes) << key;
    }
  }
  for (const auto& [key, value] : theirs.metadata().entries())
    EXPECT_TRUE(keys.contains(key) || not_here.contains(key) || key == "general.name") << key;
}

INSTANTIATE_TEST_SUITE_P(Families, LlamaCppFile,
                         testing::Values("llama", "llama_linear", "llama_llama3", "llama_yarn", "qwen2", "qwen3",
                                         "gpt2", "gemma3_pattern"));

// What other programs write of a file's float in decimal: 9.999999747378752e-06.
TEST(ConvertTakes, ANormWhoseNumberCameFromAFloat) {
  ModelConfig c = read_config(golden_folder("llama"));
  c.norm_eps = double(1e-5f);
  GgufMetadata metadata;
  EXPECT_NO_THROW(put_config(c, metadata));
}

// Three layers, of which the middle one is global: only the usual pattern of Gemma 3 is written.
TEST(ConvertRefuses, WhatGgufCannotSay) {
  try {
    contents_of_folder(golden_folder("gemma3_text"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("cannot say all"), std::string::npos) << error.what();
  }
}

// A person who stops the writing leaves no half file.
TEST(ConvertStops, WithoutAFile) {
  const std::string file = testing::TempDir() + "fude_convert_stops.gguf";
  std::filesystem::remove(file);
  const GgufContents contents = contents_of_folder(golden_folder("qwen3"));
  struct Stop {};
  const auto stop = [](int64_t done, int64_t total) {
    if (done > total / 2) throw Stop();
  };
  EXPECT_THROW(write_gguf(file, contents, plain_types(contents, {}), {}, {nullptr, stop}), Stop);
  EXPECT_FALSE(file_exists(file));
  EXPECT_FALSE(file_exists(file + ".partial"));
}

}  // namespace
}  // namespace fude
