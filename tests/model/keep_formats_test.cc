// Models that keep F16 and BF16 as their files have them, with ==: the logits of the f32 model, from folders and from
// GGUF files, at half the memory.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/json.h"
#include "model/export_folder.h"
#include "model/folder.h"
#include "model/gguf_contents.h"
#include "model/load.h"

namespace fude {
namespace {

constexpr Precision kAsInFile{DType::f32, /*keeps_master=*/false, /*keeps_formats=*/true};

class KeepFormats : public testing::TestWithParam<const char*> {
 protected:
  KeepFormats() { std::filesystem::remove_all(work_), make_directories(work_); }
  ~KeepFormats() override { std::filesystem::remove_all(work_); }

  std::string folder_in(WeightType type) const {
    const std::string folder = work_ + "/folder";
    export_folder(*open_folder(golden_), folder, type, Json::object(), {});
    return folder;
  }
  GgufContents contents() const {
    return contents_of(std::shared_ptr<const WeightSource>(open_folder(golden_)), "test");
  }
  std::string gguf_in(const std::vector<WeightType>& types) const {
    write_gguf(work_ + "/model.gguf", contents(), types, 0u, {});
    return work_ + "/model.gguf";
  }
  std::vector<float> logits(const Transformer& model) {
    TokenBatch batch;
    for (int32_t p = 0; p < 16; ++p) batch.tokens_N.push_back(p * 7 % 31), batch.positions_N.push_back(p);
    batch.sequence_starts = {0, 16};
    BatchKv kv;
    const Pass pass{device_, default_kernels()};
    const Tensor y = model.logits(pass, model.forward(pass, batch, kv));
    return {y.data<float>(), y.data<float>() + y.size()};
  }
  // The model as its file has it has the values, bit for bit, and the logits of the f32 model. Its matrices in halves.
  int64_t expect_same_as_f32(const std::string& path) {
    const auto kept = load_model(device_, path, kAsInFile), f32 = load_model(device_, path);
    const auto a = std::as_const(*kept).parameters(), b = std::as_const(*f32).parameters();
    int64_t halves = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      std::vector<float> ours(size_t(a[i]->count())), theirs(ours.size());
      a[i]->get_rows(0, a[i]->rows(), ours.data()), b[i]->get_rows(0, b[i]->rows(), theirs.data());
      EXPECT_EQ(ours, theirs) << a[i]->name();
      EXPECT_EQ(a[i]->packed().bytes(), b[i]->packed().bytes() / (a[i]->is_in_halves() ? 2 : 1)) << a[i]->name();
      halves += a[i]->is_in_halves();
    }
    EXPECT_EQ(logits(*kept), logits(*f32));
    return halves;
  }
  int64_t matrices() const {
    Device counting(1, /*only_counts=*/true);
    const Transformer model(counting, read_config(golden_));
    int64_t count = 0;
    for (const Parameter* p : model.parameters()) count += p->is_matrix();
    return count;
  }

  const std::string golden_ = std::string(FUDE_SOURCE_DIR "/tests/goldens/") + GetParam();
  const std::string work_ = testing::TempDir() + "fude_keep_formats_" + GetParam();
  Device device_{2};
};

TEST_P(KeepFormats, Folder) {
  for (const WeightType type : {WeightType::f16, WeightType::bf16})
    EXPECT_EQ(expect_same_as_f32(folder_in(type)), matrices());
  EXPECT_EQ(expect_same_as_f32(folder_in(WeightType::f32)), 0);
}

// Learned positions are F32 in GGUF.
TEST_P(KeepFormats, Gguf) {
  const bool has_positions = !read_config(golden_).has_rope;
  for (const WeightType type : {WeightType::f16, WeightType::bf16})
    EXPECT_EQ(expect_same_as_f32(gguf_in(plain_types(contents(), type))), matrices() - has_positions);
}

// Segments of other types are f32, and so is what is multiplied in one piece with them.
TEST_P(KeepFormats, MixedTypes) {
  const GgufContents all = contents();
  std::vector<WeightType> types;
  for (size_t i = 0; i < all.tensors.size(); ++i)
    types.push_back(has_free_type(all.tensors[i]) && i % 3 < 2 ? (i % 3 ? WeightType::f16 : WeightType::bf16)
                                                               : WeightType::f32);
  const int64_t halves = expect_same_as_f32(gguf_in(types));
  EXPECT_GT(halves, 0);
  EXPECT_LT(halves, matrices());
}

// What is asked for by name is that, whatever the file has; saving writes what was loaded.
TEST_P(KeepFormats, OtherPrecisionsAndSaving) {
  const std::string folder = folder_in(WeightType::bf16), saved = work_ + "/saved";
  for (const DType compute : {DType::f32, DType::bf16}) {
    const std::unique_ptr<const Transformer> model = load_model(device_, folder, {compute, false});
    for (const Parameter* p : model->parameters()) EXPECT_EQ(p->compute(), p->is_matrix() ? compute : DType::f32);
  }
  const auto kept = load_model(device_, folder, kAsInFile);
  save_model(*kept, saved);
  EXPECT_EQ(logits(*load_model(device_, saved)), logits(*kept));
}

// Matrices of more rows than are loaded at a time, also ones that the file has turned: what was written comes back.
TEST(KeepFormatsLarge, LoadsInStretches) {
  const std::string work = testing::TempDir() + "fude_keep_formats_large";
  Device device(2);
  for (const std::string family : {"llama", "gpt2"}) {
    std::filesystem::remove_all(work);
    ModelConfig c = read_config(FUDE_SOURCE_DIR "/tests/goldens/" + family);
    (family == "gpt2" ? c.feed_forward : c.vocabulary) = 150001, c.layers = 1;
    Transformer model(device, c);
    model.initialise(1);
    save_model(model, work + "/f32");
    export_folder(*open_folder(work + "/f32"), work + "/bf16", WeightType::bf16, Json::object(), {});
    const GgufContents contents = contents_of(std::shared_ptr<const WeightSource>(open_folder(work + "/bf16")), "test");
    write_gguf(work + "/model.gguf", contents, plain_types(contents, {}), 0u, {});
    for (const char* path : {"/bf16", "/model.gguf"})
      for (const Precision precision : {kAsInFile, Precision()}) {
        const auto loaded = load_model(device, work + path, precision);
        for (size_t i = 0; i < loaded->parameters().size(); ++i) {
          const Parameter &a = *loaded->parameters()[i], &b = *model.parameters()[i];
          std::vector<float> ours(size_t(a.count())), written(ours.size());
          a.get_rows(0, a.rows(), ours.data()), b.get_rows(0, b.rows(), written.data());
          for (float& value : written) value = float(BFloat16(value));
          EXPECT_TRUE(ours == written) << family << path << ' ' << a.name();
        }
      }
  }
  std::filesystem::remove_all(work);
}

INSTANTIATE_TEST_SUITE_P(Families, KeepFormats, testing::Values("qwen3", "llama", "gpt2", "qwen2", "gemma3_pattern"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace fude
