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
