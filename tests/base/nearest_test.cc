#include "base/nearest.h"

#include <gtest/gtest.h>

namespace fude {
namespace {

TEST(Nearest, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("width", "width"), 0u);
  EXPECT_EQ(edit_distance("widht", "width"), 1u);  // neighbours swapped
  EXPECT_EQ(edit_distance("wdth", "width"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Nearest, NamesWhatWasMeantAndNothingElse) {
  const std::vector<std::string> known = {"width", "heads", "head-size", "kv-heads"};
  EXPECT_EQ(nearest_name("widht", known), "width");
  EXPECT_EQ(nearest_name("head-sizes", known), "head-size");
  EXPECT_EQ(nearest_name("temperature", known), "");
  EXPECT_EQ(nearest_name(std::string(1000000, 'w'), known), "");
  EXPECT_EQ(did_you_mean("hads", known), "; did you mean 'heads'?");
  EXPECT_EQ(did_you_mean("x", known), "");
}

}  // namespace
}  // namespace fude
