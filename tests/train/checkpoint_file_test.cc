#include "train/checkpoint_file.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/json.h"

namespace fude {
namespace {

std::string folder_of(const char* name) { return testing::TempDir() + "/fude_checkpoint_" + name; }

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

struct Saved {
  Device device{1};
  NamedTensors tensors;
  std::string path, bytes;

  explicit Saved(const char* name) {
    for (const auto& [tensor_name, type, count] : {std::tuple{"a", DType::f32, 5},
                                                   {"b", DType::bf16, 33},
                                                   {"none", DType::f32, 0},
                                                   {"c", DType::i32, 16},
                                                   {"d", DType::i16, 7}}) {
      Tensor tensor(device, {count}, type);
      for (int64_t i = 0; i < tensor.bytes(); ++i) static_cast<char*>(tensor.raw())[i] = char(i * 31 + count);
      tensors.emplace_back(tensor_name, tensor);
    }
    save_checkpoint(folder_of(name), tensors, {{"step", 12}, {"tier", "avx2"}});
    path = folder_of(name) + "/state.fude";
    bytes = read_file(path);
  }
};

// A file with this header, right checksum and `data` zeros.
std::string forged(const std::string& header, size_t data) {
  std::string bytes = "FUDESTAT";
  bytes += std::string("\1\0\0\0\0\0\0\0", 8);
  const uint64_t size = header.size();
  bytes.append(reinterpret_cast<const char*>(&size), 8);
  bytes += header;
  bytes.resize((bytes.size() + 63) / 64 * 64 + data);
  XXH128_canonical_t sum;
  XXH128_canonicalFromHash(&sum, XXH3_128bits(bytes.data(), bytes.size()));
  return bytes.append(reinterpret_cast<const char*>(&sum), 16);
}

std::string message_of(const std::string& bytes) {
  try {
    parse_checkpoint(bytes_of(bytes), "state.fude");
    return "";
  } catch (const Error& error) { return error.what(); }
}

TEST(CheckpointFile, RestoresWhatWasSaved) {
  Saved saved("restores");
  const Checkpoint checkpoint(folder_of("restores"));
  EXPECT_EQ(checkpoint.user()["step"], 12);
  NamedTensors copies;
  for (const auto& [name, tensor] : saved.tensors)
    copies.emplace_back(name, Tensor(saved.device, tensor.shape(), tensor.type()));
  checkpoint.restore(copies);
  for (size_t i = 0; i < copies.size(); ++i) {
    const Tensor &a = saved.tensors[i].second, &b = copies[i].second;
    EXPECT_TRUE(a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), size_t(a.bytes())) == 0) << copies[i].first;
  }
}

TEST(CheckpointFile, ChangesNothingWhenOneTensorDiffers) {
  Saved saved("differs");
  const Checkpoint checkpoint(folder_of("differs"));
  Tensor a(saved.device, {5}, DType::f32), wrong(saved.device, {17}, DType::i32);
  fill_zero(a);
  EXPECT_THROW(checkpoint.restore({{"a", a}, {"c", wrong}}), Error);
  EXPECT_THROW(checkpoint.restore({{"a", a}, {"d", wrong}}), Error);
  EXPECT_THROW(checkpoint.restore({{"a", a}, {"b", Tensor(saved.device, {33}, DType::f32)}}), Error);
  EXPECT_EQ(a.data<float>()[1], 0.0f);
}

TEST(CheckpointFile, RefusesATruncationAtEveryByte) {
  Saved saved("truncated");
  ASSERT_EQ(message_of(saved.bytes), "");
  for (size_t size = 0; size < saved.bytes.size(); ++size)
    EXPECT_NE(message_of(saved.bytes.substr(0, size)), "") << size;
  EXPECT_NE(message_of(saved.bytes + "x"), "");
}

TEST(CheckpointFile, RefusesAChangeOfEveryByte) {
  Saved saved("changed");
  for (size_t at = 0; at < saved.bytes.size(); ++at)
    for (const int change : {1, 128}) {
      std::string bytes = saved.bytes;
      bytes[at] = char(bytes[at] ^ change);
      EXPECT_NE(message_of(bytes), "") << at;
    }
}

TEST(CheckpointFile, RefusesForgedHeaders) {
  EXPECT_EQ(message_of(forged(R"({"tensors":[{"name":"a","dtype":"f32","count":3,"offset":0}],"user":{}})", 64)), "");
  for (
      const char* header :
      {R"([])", R"({"tensors":[]})", R"({"tensors":3,"user":{}})", R"({"tensors":[3],"user":{}})", "not json",
       R"({"tensors":[{"name":"a","dtype":"f64","count":3,"offset":0}],"user":{}})",
       R"({"tensors":[{"name":"a","dtype":"f32","count":-1,"offset":0}],"user":{}})",
       R"({"tensors":[{"name":"a","dtype":"f32","count":17,"offset":0}],"user":{}})",
       R"({"tensors":[{"name":"a","dtype":"f32","count":4611686018427387905,"offset":0}],"user":{}})",
       R"({"tensors":[{"name":"a","dtype":"f32","count":9223372036854775807,"offset":0}],"user":{}})",
       R"({"tensors":[{"name":"a","dtype":"f32","count":18446744073709551615,"offset":0}],"user":{}})",
       R"({"tensors":[{"name":"a","dtype":"f32","count":3,"offset":64}],"user":{}})",
       R"({"tensors":[{"name":"a","dtype":"f32","count":3,"offset":-64}],"user":{}})",
       R"({"tensors":[{"name":"a","dtype":"f32","count":0,"offset":0}],"user":{}})",
       R"({"tensors":[{"name":"a","dtype":"f32","count":3,"offset":0},{"name":"a","dtype":"f32","count":3,"offset":64}],"user":{}})"})
    EXPECT_NE(message_of(forged(header, 64)), "") << header;
  std::string bytes = forged("{}", 0);
  const uint64_t huge = std::numeric_limits<uint64_t>::max() - 20;
  std::memcpy(bytes.data() + 16, &huge, 8);
  EXPECT_NE(message_of(bytes), "");
}

TEST(CheckpointFile, AFailedSaveLeavesTheOldOne) {
  Saved saved("failed");
  Device counting(1, true);
  EXPECT_THROW(save_checkpoint(folder_of("failed"), {{"a", Tensor(counting, {3}, DType::f32)}}, {}), Error);
  EXPECT_THROW(save_checkpoint(folder_of("failed"), {saved.tensors[0], saved.tensors[0]}, {}), Error);
  EXPECT_THROW(save_checkpoint(folder_of("failed"), {}, Json("\xFF")), Error);
  EXPECT_EQ(read_file(saved.path), saved.bytes);
}

}  // namespace
}  // namespace fude
