#include "tensor/safetensors.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"

namespace fude {
namespace {

// A file of this header and so many bytes of zeros.
std::string written(const std::string& header, size_t bytes) {
  const std::string path = testing::TempDir() + "fude_safetensors_test.safetensors";
  const uint64_t length = header.size();
  write_file(path, std::string(reinterpret_cast<const char*>(&length), 8) + header + std::string(bytes, '\0'));
  return path;
}

std::string tensor(const std::string& name, int64_t begin, int64_t end) {
  return "\"" + name + "\":{\"dtype\":\"U8\",\"shape\":[" + std::to_string(end - begin) + "],\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

TEST(Safetensors, RefusesTensorsThatOverlapOrLeaveTheFile) {
  EXPECT_NO_THROW(SafetensorsFile(written("{" + tensor("a", 0, 4) + "," + tensor("b", 4, 8) + "}", 8)));
  EXPECT_THROW(SafetensorsFile(written("{" + tensor("a", 0, 5) + "," + tensor("b", 4, 8) + "}", 8)), Error);
  EXPECT_THROW(SafetensorsFile(written("{" + tensor("a", 0, 9) + "}", 8)), Error);
  EXPECT_THROW(SafetensorsFile(written("{\"a\":3}", 8)), Error);
  EXPECT_THROW(SafetensorsFile(written("{\"a\":[]}", 8)), Error);
  EXPECT_THROW(SafetensorsFile(written("[]", 8)), Error);
}

TEST(Safetensors, SaysWhatItRefuses) {
  const auto expect = [](const std::string& path, const std::string& words) {
    try {
      const SafetensorsFile file(path);
      ADD_FAILURE() << words;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  const std::pair<const char*, const char*> tensors[] = {
      {R"("dtype":"U8","shape":[2],"data_offsets":[0,4])", "lies at 0 to 4 of 256 bytes and should have 2;"},
      {R"("dtype":"U8","shape":[4],"data_offsets":[4,0])", "lies at 4 to 0 of 256 bytes and should have 4;"},
      {R"("dtype":"U8","shape":[4],"data_offsets":[-1,3])", "has no offsets"},
      {R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0])", "has an impossible shape"},
      // 2^67 bytes, which are none in 64 bits.
      {R"("dtype":"F64","shape":[256,256,256,256,256,256,256,256],"data_offsets":[0,0])", "is larger than the file"},
      {R"("dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1])", "has no shape"},
      {R"("dtype":"F9","shape":[4],"data_offsets":[0,4])", "has the unknown type F9"},
  };
  for (const auto& [members, words] : tensors)
    expect(written(std::string("{\"a\":{") + members + "}}", 256), std::string("tensor a ") + words);
  const std::string path = written("{}", 0);
  write_file(path, std::string(7, '\0') + "\x80{}");
  expect(path, "the header says 9223372036854775808 bytes");
}

TEST(Safetensors, RefusesANameThatComesTwice) {
  EXPECT_THROW(SafetensorsFile(written("{" + tensor("a", 0, 4) + "," + tensor("a", 4, 8) + "}", 8)), Error);
}

TEST(Safetensors, ReadsManyTensors) {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}";
  for (int i = 0; i < 100000; ++i) header += "," + tensor("layers." + std::to_string(i) + ".weight", i, i + 1);
  EXPECT_EQ(SafetensorsFile(written(header + "}", 100000)).entries().size(), 100000u);
}

}  // namespace
}  // namespace fude
