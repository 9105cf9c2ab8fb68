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
  for (const std::string behind : {"", ",,,{]", " "}) EXPECT_THROW(parse_json("{}" + ('\0' + behind), "nul"), Error);
  EXPECT_NO_THROW(parse_json("\"[[[[\"", "string", {.bytes = 100, .depth = 2}));
}

// A value takes some twenty times the memory of its text.
TEST(Json, RefusesMoreValuesThanTheLimit) {
  const JsonLimits five{.values = 5};
  EXPECT_NO_THROW(parse_json("[[],{},0,\"\"]", "five", five));
  EXPECT_NO_THROW(parse_json(R"({"a":[null],"b":{"c":0}})", "five", five));
  for (const char* six : {"[[],[],[],[],[]]", "[{},{},{},{},{}]", "[0,0,0,0,0]", "[[[[[[]]]]]]",
                          R"({"a":0,"b":0,"c":0,"d":0,"e":0})", R"(["","","","",""])"})
    EXPECT_THROW(parse_json(six, "six", five), Error) << six;
  std::string many = "[0";
  for (uint64_t i = 1; i < JsonLimits().values; ++i) many += ",0";
  EXPECT_THROW(parse_json(many + "]", "many"), Error);
}

TEST(Json, SaysWhereTextIsBroken) {
  try {
    parse_json("{]", "config.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("[config.json] not valid JSON: parse error at line 1, column 2"))
        << error.what();
  }
}

TEST(Json, KeepsTheDigitsOfLongIntegersWhereAsked) {
  const std::string text = "[9223372036854775807,9223372036854775808,-9223372036854775808,-9223372036854775809,1e20,2]";
  EXPECT_EQ(parse_json(text, "x", {.long_integers_as_text = true}).dump(),
            "[9223372036854775807,\"9223372036854775808\",-9223372036854775808,\"-9223372036854775809\",1e+20,2]");
  EXPECT_TRUE(parse_json(text, "x")[1].is_number_unsigned());
  EXPECT_TRUE(parse_json(text, "x")[3].is_number_float());
}

// The library's own parser takes a minute for these.
TEST(Json, ReadsAnObjectOfVeryManyKeys) {
  std::string many = "[{\"keys\":{";
  for (int i = 0; i < 300000; ++i) many += "\"k" + std::to_string(i) + "\":[" + std::to_string(i) + "],";
  many.back() = '}';
  const Json json = parse_json(many + "}]", "many");
  const auto& members = json[0]["keys"].get_ref<const Json::object_t&>();
  ASSERT_EQ(members.size(), 300000u);
  const auto at = members.begin() + 777;
  EXPECT_EQ(at->first, "k777");
  EXPECT_EQ(at->second, Json::array({777}));
}

TEST(Json, RefusesAKeyThatComesTwice) {
  EXPECT_THROW(parse_json(R"({"a":1,"b":2,"a":1})", "twice"), Error);
  EXPECT_THROW(parse_json(R"([{"x":{"a":{},"a":[]}}])", "twice"), Error);
  EXPECT_NO_THROW(parse_json(R"({"a":{"a":{"a":[{"a":1},{"a":2}]}}})", "nested"));
}

TEST(Json, IsWhatTheLibraryReads) {
  for (const char* text : {"{}", "[]", "null", " true ", "-3", "18446744073709551615", "1e3", "\"\\u00e9\\n\"",
                           "[[],{},[{}]]", R"({"b":[1,-2,0.5,"x",null,true,{"c":[]}],"a":{"d":{"e":{}}}})"}) {
    EXPECT_EQ(parse_json(text, "text"), Json::parse(text)) << text;
    EXPECT_EQ(parse_json(text, "text").dump(), Json::parse(text).dump()) << text;
  }
  for (const char* text : {"", "{", "[1,]", "{\"a\"}", "nul", "1 2", "\"\xff\"", "1e999", "[1}"})
    EXPECT_THROW(parse_json(text, "text"), Error) << text;
}

}  // namespace
}  // namespace fude
