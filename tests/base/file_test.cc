// What stands under a file's name is the old file or the new one, and a folder has one owner at a time.
#include "base/file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/line_program.h"

namespace fude {
namespace {

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
