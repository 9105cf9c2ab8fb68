#include "tensor/parameter.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "base/error.h"

namespace fude {
namespace {

TEST(Parameter, PanelsKeepEveryElementAtItsPlace) {
  Device device(1);
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {31, 3}, {32, 5}, {33, 7}, {100, 17}}) {
    Parameter parameter(device, "w", Parameter::Layout::panels, {{"w", rows}}, cols);
    EXPECT_EQ(parameter.stored(), (rows + 31) / 32 * 32 * cols);
    EXPECT_EQ(parameter.count(), rows * cols);
    std::vector<float> values(size_t(rows * cols)), back(values.size());
    std::iota(values.begin(), values.end(), 1.0f);
    parameter.set_rows(0, rows, values.data());
    parameter.get_rows(0, rows, back.data());
    EXPECT_EQ(back, values);
    std::set<int64_t> places;
    const float* stored = parameter.values().data<float>();
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t col = 0; col < cols; ++col) {
        const int64_t place = parameter.position(row, col);
        ASSERT_EQ(place, row / 32 * 32 * cols + col * 32 + row % 32);
        ASSERT_EQ(stored[place], values[size_t(row * cols + col)]);
        places.insert(place);
      }
    ASSERT_EQ(int64_t(places.size()), rows * cols);
    for (int64_t place = 0; place < parameter.stored(); ++place)
      ASSERT_TRUE(places.contains(place) || stored[place] == 0.0f);
  }
}

TEST(Parameter, RowsInTheMiddle) {
  Device device(1);
  Parameter parameter(device, "qkv", Parameter::Layout::panels, {{"q", 40}, {"k", 20}, {"v", 20}}, 3);
  EXPECT_EQ(parameter.rows(), 80);
  std::vector<float> rows(60, 2.5f), all(240), part(60);
  parameter.set_rows(40, 20, rows.data());
  parameter.get_rows(0, 80, all.data());
  for (size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], i >= 120 && i < 180 ? 2.5f : 0.0f);
  parameter.get_rows(40, 20, part.data());
  EXPECT_EQ(part, rows);
  EXPECT_THROW(parameter.set_rows(70, 11, rows.data()), Error);
  EXPECT_THROW(parameter.get_rows(-1, 2, part.data()), Error);
}

TEST(Parameter, VectorsArePlain) {
  Device device(1);
  Parameter parameter(device, "b", Parameter::Layout::vector, {{"b", 35}}, 1);
  EXPECT_EQ(parameter.stored(), 35);
  for (int64_t row = 0; row < 35; ++row) EXPECT_EQ(parameter.position(row, 0), row);
  EXPECT_FALSE(parameter.is_matrix());
}

TEST(Parameter, RefusesEmptyOnes) {
  Device device(1);
  EXPECT_THROW(Parameter(device, "w", Parameter::Layout::panels, {{"w", 0}}, 3), Error);
  EXPECT_THROW(Parameter(device, "w", Parameter::Layout::panels, {}, 3), Error);
  EXPECT_THROW(Parameter(device, "w", Parameter::Layout::panels, {{"w", 3}}, 0), Error);
}

}  // namespace
}  // namespace fude
