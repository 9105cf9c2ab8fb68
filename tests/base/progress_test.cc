#include "base/progress.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fude {
namespace {

TEST(Progress, Line) {
  ProgressState state{
      .label = "train", .done = 60, .total = 100, .seconds = 30, .skipped = 0, .unit = "steps", .note = "loss 3.14"};
  EXPECT_EQ(progress_line(state, 10), "train  [######----]  60/100  60%  2 steps/s  0:20 left  loss 3.14");
  state.skipped = 30;  // resumed: half the rate
  EXPECT_EQ(progress_line(state, 10), "train  [######----]  60/100  60%  1 steps/s  0:40 left  loss 3.14");
  state.done = 100, state.note = "";
  EXPECT_EQ(progress_line(state, 4), "train  [####]  100/100  100%  2.33 steps/s  in 0:30");
  state.done = 200;
  EXPECT_NE(progress_line(state, 4).find("[####]"), std::string::npos);
  EXPECT_EQ(progress_line({.label = "read", .done = 5, .seconds = 0, .unit = "files", .note = ""}), "read  5");
}

TEST(Progress, Quantities) {
  EXPECT_EQ(duration_text(9), "0:09");
  EXPECT_EQ(duration_text(3723), "1:02:03");
  EXPECT_EQ(duration_text(3 * 86400 + 4 * 3600 + 300), "3d 04:05");
  EXPECT_EQ(duration_text(-1), "?");
  EXPECT_EQ(quantity_text(950), "950");
  EXPECT_EQ(quantity_text(12345), "12.3k");
  EXPECT_EQ(quantity_text(4.56e6), "4.56M");
  EXPECT_EQ(quantity_text(999.9), "1.00k");
}

std::string shown(bool is_terminal) {
  std::FILE* file = std::tmpfile();
  Progress progress(file, is_terminal, 10);
  for (int i = 0; i < 100; ++i) progress.update({.label = "x", .done = i, .unit = "", .note = ""}, 1000 + 0.125 * i);
  progress.finish({.label = "x", .done = 100, .unit = "", .note = ""});
  std::rewind(file);
  std::string text(100000, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

TEST(Progress, DrawsNotTooOften) {
  EXPECT_EQ(shown(false), "x  0\nx  80\nx  100\n");
  const std::string terminal = shown(true);
  EXPECT_EQ(std::count(terminal.begin(), terminal.end(), '\r'), 51);
  EXPECT_EQ(std::count(terminal.begin(), terminal.end(), '\n'), 1);
  EXPECT_TRUE(terminal.ends_with("\x1b[?7h\n"));  // the terminal wraps again
}

TEST(Progress, LogSaysTheEndOnce) {
  std::FILE* file = std::tmpfile();
  Progress progress(file, /*is_terminal=*/false, 0);
  const ProgressState end{.label = "x", .done = 2, .total = 2, .unit = "", .note = ""};
  progress.update(end, 5);
  progress.finish(end);
  EXPECT_EQ(std::ftell(file), long(progress_line(end).size() + 1));
  std::fclose(file);
}

}  // namespace
}  // namespace fude
