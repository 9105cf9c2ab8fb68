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

// An object searches all its keys for each one that is added: a few megabytes would keep a reader busy for
// hours.
TEST(Json, RefusesAnObjectOfVeryManyKeysUnlessTheReaderDropsThem) {
  std::string many = "[{\"keys\":{";
  for (int i = 0; i < 100000; ++i) many += "\"k" + std::to_string(i) + "\":[0,1],";
  many.back() = '}';
  many += "}]";
  EXPECT_THROW(parse_json(many, "many"), Error);
  EXPECT_THROW(parse_json(many, "many", {.dropped_at = 1}), Error);
  int seen = 0;
  const auto drop = [&](int depth, Json::parse_event_t event, Json&) {
    if (depth != 3) return true;
    if (event == Json::parse_event_t::array_end) ++seen;
    return event != Json::parse_event_t::array_end;
  };
  EXPECT_NO_THROW(parse_json(many, "many", {.dropped_at = 2}, drop));
  EXPECT_EQ(seen, 100000);
  EXPECT_NO_THROW(parse_json("{\"times\":\"" + std::string(100000, ':') + "\"}", "colons"));
}

}  // namespace
}  // namespace fude
