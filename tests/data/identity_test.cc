#include "data/identity.h"

#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "tests/data/corpus.h"

namespace fude {
namespace {

// Wherever a byte is changed, up to 64 MiB.
TEST(Fingerprint, SeesEveryByte) {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  for (const size_t size : {size_t(1), size_t(65536), size_t(65537), size_t(3) << 16, (size_t(5) << 16) - 1}) {
    std::string text(size, 'a');
    write_file(path, text);
    const std::string whole = fingerprint_of_file(path);
    EXPECT_EQ(fingerprint_of_file(path), whole);
    for (const size_t at : {size_t(0), size / 3, size / 2, size - 1}) {
      text[at] = 'b';
      write_file(path, text);
      EXPECT_NE(fingerprint_of_file(path), whole) << at << " of " << size;
      text[at] = 'a';
    }
    write_file(path, text + "a");
    EXPECT_NE(fingerprint_of_file(path), whole) << size;
  }
}

// Its size and both ends, at least.
TEST(Fingerprint, OfALargeFile) {
  const TemporaryFolder folder;
  const std::string path = folder / "large";
  write_file(path, "begin");
  std::filesystem::resize_file(path, uint64_t(1) << 30);
  const std::string whole = fingerprint_of_file(path);
  std::filesystem::resize_file(path, (uint64_t(1) << 30) + 1);
  const std::string longer = fingerprint_of_file(path);
  EXPECT_NE(longer, whole);
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).seekp(-1, std::ios::end).put('x');
  EXPECT_NE(fingerprint_of_file(path), longer);
}

TEST(Fingerprint, OfWhatCannotBeRead) {
  const TemporaryFolder folder;
  EXPECT_EQ(fingerprint_of_file(folder / "none"), "");
  EXPECT_EQ(fingerprint_of_file(folder.path()), "");
}

TEST(Differences, NamesAllWithBothValues) {
  const Json earlier = {
      {"rate", 0.1f}, {"lora", {{"rank", 4}, {"alpha", 8}}}, {"kl", Json()}, {"old", "x"}, {"same", 1}};
  const Json now = {{"rate", 0.25}, {"lora", {{"rank", 8}, {"alpha", 8}}}, {"kl", 2}, {"same", 1}, {"new", true}};
  EXPECT_EQ(differences(earlier, now),
            "'rate' was 0.1, now it is 0.25; 'lora.rank' was 4, now it is 8; 'kl' was absent, now it is 2; "
            "'new' was absent, now it is true; 'old' was \"x\", now it is absent");
  EXPECT_EQ(differences(now, now), "");
  EXPECT_NE(differences(Json(), now), "");
}

}  // namespace
}  // namespace fude
