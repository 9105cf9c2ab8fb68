#include "model/folder.h"
#include "model/load.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "tensor/safetensors_shards.h"

namespace fude {
namespace {

class FolderTest : public ::testing::Test {
 protected:
  FolderTest() : folder_(testing::TempDir() + "fude_folder_test"), device_(1) {
    std::filesystem::remove_all(folder_);
    ModelConfig c;
    c.vocabulary = 32, c.width = 16, c.layers = 1, c.heads = 2, c.kv_heads = 1, c.head_size = 8, c.feed_forward = 24,
    c.context = 8;
    Transformer model(device_, c);
    model.initialise(1);
    save_model(model, folder_);
  }
  ~FolderTest() override { std::filesystem::remove_all(folder_); }

  void configure(const char* key, const Json& value) const {
    Json config = parse_json(read_file(folder_ + "/config.json"), "config.json");
    config[key] = value;
    write_file(folder_ + "/config.json", config.dump());
  }
  // What is wrong with the folder, or nothing.
  std::string error() {
    try {
      load_model(device_, folder_);
    } catch (const Error& error) { return error.what(); }
    return "";
  }
  // The same while its file has one tensor more.
  std::string error_with(const SafetensorsOutput& more) {
    const std::string path = folder_ + "/model.safetensors", own = folder_ + "/own.safetensors";
    std::filesystem::rename(path, own);
    const SafetensorsFile file(own);
    std::vector<SafetensorsOutput> outputs = {more};
    for (const auto& [name, entry] : file.entries())
      outputs.push_back({name, entry.shape, [&file, name = name](const auto& put) { put(file.read_f32(name)); }});
    write_safetensors(path, outputs);
    const std::string message = error();
    std::filesystem::rename(own, path);
    return message;
  }

  std::string folder_;
  Device device_;
};

// The folder would need terabytes if config.json were believed.
TEST_F(FolderTest, TensorsAreComparedBeforeThereIsMemoryForThem) {
  configure("vocab_size", 4 << 20);
  configure("hidden_size", 1 << 17);
  EXPECT_NE(error().find("the shape [4194304, 131072]"), std::string::npos) << error();
  configure("hidden_size", 16);
  configure("vocab_size", 32);
  configure("max_position_embeddings", 1 << 20);
  EXPECT_EQ(error(), "");
}

TEST_F(FolderTest, RotationsThatNoMemoryHoldsAreRefused) {
  configure("max_position_embeddings", 1 << 24);
  configure("head_dim", 1024);
  EXPECT_THROW(read_config(folder_), Error);
}

TEST_F(FolderTest, TensorsThatTheModelHasNoUseForAreRefused) {
  const auto with = [&](const std::string& name) {
    return error_with({name, {1}, [](const auto& put) { put({1.0f}); }});
  };
  // Buffers of older files say nothing that config.json does not; a bias does.
  EXPECT_EQ(with("model.layers.0.self_attn.rotary_emb.inv_freq"), "");
  EXPECT_NE(with("model.layers.0.self_attn.q_proj.bias").find("q_proj.bias"), std::string::npos);
}

// A copy of the table says nothing new; any other head is another model than the one that config.json describes.
TEST_F(FolderTest, AHeadBesideATableThatItIsTiedToIsACopyOfIt) {
  const std::vector<float> table = open_folder(folder_)->read("model.embed_tokens.weight");
  const auto with = [&](std::vector<int64_t> shape, std::vector<float> values, WeightType type = WeightType::f32) {
    return error_with(
        {"lm_head.weight", std::move(shape), [values = std::move(values)](const auto& put) { put(values); }, type});
  };
  EXPECT_EQ(with({32, 16}, table), "");
  std::vector<float> other = table;
  other.back() += 1;
  for (const std::string& message : {with({32, 16}, other), with({16, 32}, table), with({1}, {1.0f}),
                                     with({32, 16}, table, WeightType::bf16), with({}, {1.0f})})
    EXPECT_NE(message.find("expected lm_head.weight to be a copy of model.embed_tokens.weight"), std::string::npos)
        << message;
  configure("tie_word_embeddings", false);
  EXPECT_EQ(with({32, 16}, other), "");
}

// Transformers 4 and 5 put the model of text in different places of one that sees.
TEST_F(FolderTest, AModelThatSeesIsReadAsItsModelOfText) {
  const std::string text = FUDE_SOURCE_DIR "/tests/goldens/gemma3_text", path = folder_ + "/model.safetensors";
  const SafetensorsFile file(text + "/model.safetensors");
  const auto describe = [&](const char* type) {
    const Json config = parse_json(read_file(text + "/config.json"), "config.json");
    write_file(folder_ + "/config.json", Json{{"model_type", type}, {"text_config", config}}.dump());
  };
  const auto one = [](const std::string& name) {
    return SafetensorsOutput{name, {1}, [](const auto& put) { put({1.0f}); }};
  };
  describe("gemma3");
  EXPECT_EQ(read_config(folder_), read_config(text));
  for (const std::string inner : {"language_model.model.", "model.language_model.", "language_model."}) {
    const std::string outer = inner.starts_with("model.") ? "model." : "";
    std::vector<SafetensorsOutput> outputs = {one(outer + "vision_tower.x"), one(outer + "multi_modal_projector.x")};
    for (const auto& [name, entry] : file.entries())
      outputs.push_back({inner + name.substr(std::string("model.").size()), entry.shape,
                         [&file, name = name](const auto& put) { put(file.read_f32(name)); }});
    write_safetensors(path, outputs);
    EXPECT_EQ(error(), "");
    const auto source = open_folder(folder_);
    for (const auto& [name, entry] : file.entries()) EXPECT_EQ(source->read(name), file.read_f32(name)) << name;
  }
  write_safetensors(path, {one("model.norm.weight"), one("model.language_model.norm.weight")});
  EXPECT_NE(error().find("norm.weight is there twice"), std::string::npos) << error();
  describe("llava");
  EXPECT_NE(error().find("model_type 'llava' is not known"), std::string::npos) << error();
}

// A model in shards reads as the same numbers, and only one of the two layouts stays.
TEST_F(FolderTest, ShardsAreOneModel) {
  const std::string whole = folder_ + "/model.safetensors", index = whole + ".index.json";
  std::map<std::string, std::vector<float>> values;
  std::vector<SafetensorsOutput> outputs;
  {
    const SafetensorsFile file(whole);
    for (const auto& [name, entry] : file.entries()) {
      values[name] = file.read_f32(name);
      outputs.push_back({name, entry.shape, [&values, name = name](const auto& put) { put(values.at(name)); }});
    }
  }
  int64_t last = 0, total = 0;
  WriteOptions options;
  options.progress = [&](int64_t done, int64_t all) {
    EXPECT_GE(done, last);
    last = done, total = all;
  };
  const auto files = [&] {
    int64_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      count += entry.path().extension() == ".safetensors";
    return count;
  };
  const auto expect_same = [&] {
    const auto source = open_folder(folder_);
    for (const auto& [name, wanted] : values) EXPECT_EQ(source->read(name), wanted) << name;
  };
  // What ends halfway leaves none of its shards, and the model that was there.
  auto broken = outputs;
  broken.back().fill = [](const auto&) { fail("cannot be read"); };
  EXPECT_THROW(write_safetensors_folder(folder_, broken, {}, 3000), Error);
  EXPECT_EQ(files(), 1);
  expect_same();
  write_safetensors_folder(folder_, outputs, options, 3000);
  EXPECT_EQ(last, total);
  EXPECT_FALSE(std::filesystem::exists(whole));
  EXPECT_GE(files(), 3);
  expect_same();
  EXPECT_EQ(error(), "");
  // Nor does it touch one in as many shards.
  const int64_t shards = files();
  for (SafetensorsOutput& output : broken) {
    if (&output == &broken.back()) break;
    output.fill = [size = values.at(output.name).size()](const auto& put) { put(std::vector<float>(size, 7.0f)); };
  }
  EXPECT_THROW(write_safetensors_folder(folder_, broken, {}, 3000), Error);
  EXPECT_EQ(files(), shards);
  expect_same();
  write_file(folder_ + "/model-00001-of-00001.safetensors", "another model, whose only shard this is");
  write_safetensors_folder(folder_, outputs);
  EXPECT_FALSE(std::filesystem::exists(index));
  EXPECT_EQ(files(), 1);
  expect_same();
  EXPECT_THROW(write_safetensors_folder(folder_, outputs, {}, 0), Error);
}

TEST_F(FolderTest, ShardsHaveOneWriterAtATime) {
  const std::vector<std::string> names = {"a", "b", "c"};
  const auto filled = [&](float value) {
    std::vector<SafetensorsOutput> outputs;
    for (const std::string& name : names)
      outputs.push_back({name, {64}, [value](const auto& put) { put(std::vector<float>(64, value)); }});
    return outputs;
  };
  std::vector<SafetensorsOutput> first = filled(1);
  first.back().fill = [&](const auto& put) {  // when shards are there already
    EXPECT_THROW(write_safetensors_folder(folder_, filled(2), {}, 256), Error);
    put(std::vector<float>(64, 1.0f));
  };
  write_safetensors_folder(folder_, first, {}, 256);
  for (size_t i = 0; i < names.size(); ++i) {
    const SafetensorsFile shard(fmt::format("{}/model-{:05}-of-00003.safetensors", folder_, i + 1));
    EXPECT_EQ(shard.read_f32(names[i]), std::vector<float>(64, 1.0f));
  }
}

// As in transformers.
TEST_F(FolderTest, OneFileCountsBeforeShardsBesideIt) {
  write_file(folder_ + "/model.safetensors.index.json", R"({"weight_map": {"x": "model-00001-of-00001.safetensors"}})");
  EXPECT_EQ(weight_files(folder_), std::vector<std::string>{folder_ + "/model.safetensors"});
  EXPECT_EQ(error(), "");
}

}  // namespace
}  // namespace fude
