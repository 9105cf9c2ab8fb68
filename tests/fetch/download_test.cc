#include "fetch/download.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "fetch/http.h"
#include "fetch/sha256.h"

namespace fude {
namespace {

constexpr const char* kSumOfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

// file:// stands for a server that can begin in the middle. A real one: tests/cli/pull_test.py.
class Download : public testing::Test {
 protected:
  Download() {
    std::filesystem::remove_all(folder_);
    make_directories(folder_);
    write_file(folder_ + "/source", "abc");
  }
  ~Download() override { std::filesystem::remove_all(folder_); }

  RemoteFile remote(const std::string& sha256 = kSumOfAbc, uint64_t size = 3) const {
    return {.url = "file://" + folder_ + "/source", .sha256 = sha256, .size = size, .limit = 100};
  }
  void get(const RemoteFile& from) {
    download(from, target_, [&](uint64_t done, uint64_t total) { seen_.emplace_back(done, total); });
  }

  std::string folder_ = testing::TempDir() + "fude_download_test", target_ = folder_ + "/deep/target";
  std::vector<std::pair<uint64_t, uint64_t>> seen_;
};

TEST_F(Download, PutsTheWholeFileUnderItsName) {
  get(remote());
  EXPECT_EQ(read_file(target_), "abc");
  EXPECT_FALSE(file_exists(target_ + ".part"));
  EXPECT_EQ(seen_.back(), (std::pair<uint64_t, uint64_t>(3, 3)));
  get(remote("", 0));
  EXPECT_EQ(read_file(target_), "abc");
}

TEST_F(Download, GoesOnWhereItWasCut) {
  make_directories(folder_ + "/deep");
  write_file(target_ + ".part", "ab");
  get(remote());
  EXPECT_EQ(read_file(target_), "abc");
  EXPECT_EQ(seen_.front().first, 3u);  // one piece, of one byte
  // All is there, and only the sum was not compared.
  write_file(target_ + ".part", "abc");
  get(remote());
  EXPECT_EQ(read_file(target_), "abc");
  // Without a sum nobody could tell what the first bytes are.
  write_file(target_ + ".part", "xy");
  get(remote("", 3));
  EXPECT_EQ(read_file(target_), "abc");
}

TEST_F(Download, KeepsWhatWasThereUnlessTheNewFileIsRight) {
  make_directories(folder_ + "/deep");
  write_file(target_, "good");
  EXPECT_THROW(get(remote(std::string(64, '0'))), FetchError);
  EXPECT_EQ(read_file(target_), "good");
  EXPECT_FALSE(file_exists(target_ + ".part"));  // it could never become right
  // A part that does not fit ends in another sum.
  write_file(target_ + ".part", "xx");
  EXPECT_THROW(get(remote()), FetchError);
  EXPECT_EQ(read_file(target_), "good");
  get(remote());
  EXPECT_EQ(read_file(target_), "abc");
}

TEST_F(Download, RefusesMoreThanExpected) {
  RemoteFile small = remote("", 0);
  small.limit = 2;
  for (const RemoteFile& from : {remote(kSumOfAbc, 2), small}) {
    try {
      get(from);
      FAIL();
    } catch (const FetchError& error) { EXPECT_TRUE(error.is_lasting); }
    EXPECT_FALSE(file_exists(target_));
  }
}

// A line that breaks off looks the same: what came is kept for another day.
TEST_F(Download, LessThanExpectedIsNoFileYet) {
  try {
    get(remote(kSumOfAbc, 4));
    FAIL();
  } catch (const FetchError& error) {
    EXPECT_FALSE(error.is_lasting);
    EXPECT_NE(std::string(error.what()).find("expected 4 bytes, the answer ends after 3"), std::string::npos)
        << error.what();
  }
  EXPECT_FALSE(file_exists(target_));
  EXPECT_EQ(read_file(target_ + ".part"), "abc");
  get(remote());
  EXPECT_EQ(read_file(target_), "abc");
}

TEST_F(Download, StopsAndGoesOn) {
  struct Stop {};
  EXPECT_THROW(download(remote(), target_, [](uint64_t, uint64_t) { throw Stop(); }), Stop);
  EXPECT_FALSE(file_exists(target_));
  EXPECT_EQ(read_file(target_ + ".part"), "abc");
  get(remote());
  EXPECT_EQ(read_file(target_), "abc");
}

TEST_F(Download, SaysWhatIsMissing) {
  RemoteFile gone = remote();
  gone.url += "-gone";
  try {
    get(gone);
    FAIL();
  } catch (const FetchError& error) {
    EXPECT_TRUE(error.is_lasting);
    EXPECT_NE(std::string(error.what()).find("source-gone"), std::string::npos) << error.what();
  }
  gone.url = "ftp://user:secret@example.org/x";
  try {
    get(gone);
    FAIL();
  } catch (const FetchError& error) {
    EXPECT_NE(std::string(error.what()).find("ftp://example.org/x"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
  }
}

TEST(Sha256, IsTheStandards) {
  const std::string path = testing::TempDir() + "fude_sha256_test";
  write_file(path, "abc");
  EXPECT_EQ(sha256_of_file(path), kSumOfAbc);
  write_file(path, "");
  EXPECT_EQ(sha256_of_file(path), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace fude
