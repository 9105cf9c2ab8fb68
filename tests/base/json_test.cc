#include "base/json.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace fude {
namespace {

TEST(Json, NamesThePlaceOfAnError) {
  const Json object = parse_json(R"({"width": "wide", "depth": 3})", "config.json");
  EXPECT_EQ(json_integer(object, "depth", "config.json"), 3);
  try {
    json_integer(object, "width", "config.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[config.json] expected an integer at 'width', got string");
  }
}

TEST(Json, RefusesDeepAndBrokenText) {
  EXPECT_THROW(parse_json(std::string(1000, '['), "deep"), Error);
  EXPECT_THROW(parse_json("{\"a\": ", "cut"), Error);
  EXPECT_THROW(parse_json("", "empty"), Error);
  EXPECT_NO_THROW(parse_json("\"[[[[\"", "string", {.bytes = 100, .depth = 2}));
}

}  // namespace
}  // namespace fude
