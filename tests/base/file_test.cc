// What stands under a file's name is the old file or the new one, and a folder has one owner at a time.
#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/line_program.h"

namespace fude {
namespace {

// A folder of the test's own.
class FileKinds : public testing::Test {
 protected:
  FileKinds() {
    std::filesystem::remove_all(folder_);
    make_directories(folder_);
  }
  ~FileKinds() override { std::filesystem::remove_all(folder_); }

  std::string pipe() const {
    const std::string path = folder_ + "/pipe";
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    return path;
  }

  std::string folder_ = testing::TempDir() + "fude_file_kinds_test";
};

TEST_F(FileKinds, LinksAreFollowedAndStay) {
  namespace fs = std::filesystem;
  make_directories(folder_ + "/far");
  fs::create_symlink("far/file", folder_ + "/link");
  fs::create_symlink("link", folder_ + "/second");
  for (const char* text : {"new", "newer"}) {  // the first leads to nothing yet
    write_file(folder_ + "/second", text);
    EXPECT_EQ(read_file(folder_ + "/far/file"), text);
  }
  EXPECT_TRUE(fs::is_symlink(folder_ + "/link"));
  EXPECT_TRUE(fs::is_symlink(folder_ + "/second"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ + "/far"), {}), 1);
  fs::create_symlink("around", folder_ + "/around");
  EXPECT_THROW(write_file(folder_ + "/around", "x"), Error);
}

TEST_F(FileKinds, PipesAreReadAndWrittenAsTheyAre) {
  const std::string path = pipe(), text(200000, 'a');
  for (const uint64_t limit : {uint64_t(200000), uint64_t(300000)}) {
    std::string got;
    std::thread reader([&] { got = read_file(path, limit); });
    write_file(path, text);
    reader.join();
    EXPECT_EQ(got, text);
  }
  EXPECT_TRUE(std::filesystem::is_fifo(path));
  EXPECT_FALSE(file_exists(path + ".partial"));
  EXPECT_THROW(MappedFile{folder_}, Error);
  EXPECT_THROW(read_file(folder_), Error);
  EXPECT_THROW(write_file(folder_, "x"), Error);
  EXPECT_THROW(write_file(folder_ + "/none/file", "x"), Error);
}

TEST_F(FileKinds, PipesHaveLimitsToo) {
  const std::string path = pipe();
  std::thread writer([&] { write_file(path, std::string(101, 'a')); });
  EXPECT_THROW(read_file(path, 100), Error);
  writer.join();
}

TEST_F(FileKinds, NothingMovesIntoThePlaceOfAPipe) {
  const std::string path = pipe(), from = folder_ + "/new";
  write_file(from, "new");
  EXPECT_THROW(move_into_place(from, path), Error);
  EXPECT_TRUE(std::filesystem::is_fifo(path));
  EXPECT_EQ(read_file(from), "new");
}

TEST_F(FileKinds, FilesOfAFolderAreWrittenOrTakenAway) {
  const std::string folder = folder_ + "/new/one";
  write_files(folder, {{"a", "1"}, {"b", "2"}, {"none", std::nullopt}});
  write_files(folder, {{"a", "3"}, {"b", std::nullopt}});
  EXPECT_EQ(read_file(folder + "/a"), "3");
  EXPECT_FALSE(file_exists(folder + "/b"));
}

// Writes, and says how it failed.
std::string try_to_write(const std::string& path, std::string_view bytes) {
  try {
    write_file(path, bytes);
  } catch (const Error& error) { return error.what(); }
  return "";
}

TEST_F(FileKinds, WhoComesSecondIsRefusedAndLeavesTheFirstAlone) {
  const std::string path = folder_ + "/file";
  write_atomically(path, [&](const auto& put) {
    put("first ");
    for (int tries = 0; tries < 2; ++tries)
      EXPECT_EQ(try_to_write(path, "second"), "[file] another program is writing " + path);
    EXPECT_TRUE(file_exists(path + ".partial"));
    put("and last");
  });
  EXPECT_EQ(read_file(path), "first and last");
  write_file(path, "third");
  EXPECT_EQ(read_file(path), "third");
}

TEST_F(FileKinds, WhatAKilledWriterLeftIsTakenOver) {
  const std::string path = folder_ + "/file";
  write_file(path + ".partial", "half of a longer text");
  write_file(path, "whole");
  EXPECT_EQ(read_file(path), "whole");
  EXPECT_FALSE(file_exists(path + ".partial"));
}

TEST_F(FileKinds, ManyWritersNeverMix) {
  constexpr size_t kWriters = 4, kBytes = 100000;
  const std::string path = folder_ + "/file";
  write_file(path, std::string(kBytes, 'z'));
  std::vector<std::thread> writers;
  for (size_t i = 0; i < kWriters; ++i)
    writers.emplace_back([&path, i] {
      for (int tries = 0; tries < 50; ++tries) {
        const std::string refused = try_to_write(path, std::string(kBytes, char('a' + i)));
        EXPECT_TRUE(refused.empty() || refused == "[file] another program is writing " + path) << refused;
        const std::string found = read_file(path);
        EXPECT_EQ(found, std::string(kBytes, found.empty() ? 'z' : found.front()));
      }
    });
  for (std::thread& writer : writers) writer.join();
  EXPECT_FALSE(file_exists(path + ".partial"));
}

TEST(MoveIntoPlace, ReplacesWhatIsThereOrLeavesItAlone) {
  const std::string to = testing::TempDir() + "fude_file_test", from = to + ".part";
  write_file(to, "old"), write_file(from, "new");
  move_into_place(from, to);
  EXPECT_EQ(read_file(to), "new");
  EXPECT_FALSE(file_exists(from));
  EXPECT_THROW(move_into_place(from, to), Error);
  EXPECT_EQ(read_file(to), "new");
  std::filesystem::remove(to);
}

TEST(FolderLock, HasOneOwnerAndEndsWithHim) {
  const std::string folder = testing::TempDir() + "fude_folder_lock_test";
  std::filesystem::remove_all(folder);
  EXPECT_THROW(FolderLock lock(folder), Error);
  make_directories(folder);
  auto first = std::make_unique<FolderLock>(folder);
  EXPECT_TRUE(first->is_held());
  EXPECT_FALSE(FolderLock(folder).is_held());
  LineProgram child("cat");
  EXPECT_EQ(child.ask("still there"), "still there");
  first.reset();
  EXPECT_TRUE(FolderLock(folder).is_held()) << "a child keeps it";
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace fude
