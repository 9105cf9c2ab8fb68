// JSON schemas: tables of what is let through and what is not, and random values both ways.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/error.h"
#include "base/json.h"
#include "infer/grammar/json_numbers.h"
#include "infer/grammar/json_schema.h"
#include "infer/grammar/matcher.h"
#include "infer/grammar/parser.h"

namespace fude::grammar {
namespace {

class SchemaTexts {
 public:
  explicit SchemaTexts(std::string_view schema) : lexers_(json_schema_grammar(schema)) {}
  bool accepts(std::string_view text) {
    Parser parser(lexers_);
    return parser.push(text) && parser.can_end();
  }

 private:
  GrammarLexers lexers_;
};

struct SchemaCase {
  const char* schema;
  std::vector<const char*> valid, invalid;
};

const SchemaCase kSchemaCases[] = {
    {"true",
     {"null", "-1.5e+3", R"("x\n\u00e9\uD83D\uDE00")", "{}", "[ 1 ]", "{\n  \"a\": [\n    1\n  ]\n}"},
     {"", "01", "+1", "1.", "\"\\x\"", "\"\\uD83D\"", "\"\n\"", "[1,]", "{a:1}", "[  1]", " 1"}},
    {R"({"type": ["integer", "null"]})", {"0", "-12", "null"}, {"1.5", "1e3", "\"1\"", "-"}},
    {R"({"type": "integer", "minimum": -12, "maximum": 105})",
     {"-12", "-9", "0", "99", "105"},
     {"-13", "-20", "106", "110", "1000", "00", "5.0"}},
    {R"({"type": "number", "exclusiveMinimum": 0.25, "maximum": 10})",
     {"0.26", "0.2500001", "1", "9.999", "10", "10.00"},
     {"0.25", "0.2", "0", "-1", "10.01", "11", "100"}},
    {R"({"type": "number", "minimum": -2.5, "exclusiveMaximum": -1})",
     {"-2.5", "-2", "-1.01"},
     {"-2.51", "-1", "0", "1"}},
    {R"({"type": "integer", "multipleOf": 12, "minimum": 1})", {"12", "120", "1200"}, {"0", "6", "-12", "13"}},
    {R"({"type": "number", "multipleOf": 0.01})", {"1", "0.5", "-3.25", "3.2500"}, {"0.001", "1.255"}},
    {R"({"type": "string", "minLength": 2, "maxLength": 3})",
     {R"("ab")", R"("é語")", R"("\n\u00e9x")", R"("\uD83D\uDE00x")"},
     {R"("a")", R"("abcd")", R"("\uD83D\uDE00")"}},
    {R"({"type": "string", "pattern": "^[a-z]+\"$", "maxLength": 3})",
     {R"("a\"")", R"("ab\"")"},
     {R"("a")", R"("abc\"")"}},
    {R"({"type": "string", "pattern": "b"})", {R"("abc")", R"("b")"}, {R"("ac")", R"("")"}},
    {R"({"type": "string", "format": "date"})",
     {R"("2024-02-29")", R"("2000-02-29")", R"("1999-12-31")"},
     {R"("2023-02-29")", R"("1900-02-29")", R"("2024-13-01")", R"("2024-04-31")"}},
    {R"({"type": "string", "format": "date-time"})",
     {R"("2024-01-01T00:00:00Z")", R"("2024-01-01T23:59:59.123+09:00")"},
     {R"("2024-01-01 00:00:00Z")", R"("2024-01-01T24:00:00Z")", R"("2024-01-01T00:00:00")"}},
    {R"({"type": "string", "format": "ipv6"})",
     {R"("::")", R"("::1")", R"("1::")", R"("1:2:3:4:5:6:7:8")", R"("fe80::1:2")", R"("1:2:3:4:5:6:7::")"},
     {R"(":")", R"("1:2:3:4:5:6:7")", R"("1:2:3:4:5:6:7:8:9")", R"("1::2::3")", R"("12345::")"}},
    {R"({"type": "string", "format": "ipv4"})", {R"("127.0.0.1")"}, {R"("256.0.0.1")", R"("1.2.3")", R"("01.2.3.4")"}},
    {R"({"type": "string", "format": "uuid"})",
     {R"("2eb8aa08-aa98-11ea-b4aa-73b441d16380")"},
     {R"("2eb8aa08aa9811eab4aa73b441d16380")"}},
    {R"({"type": "string", "format": "email"})", {R"("a.b+c@d.org")"}, {R"("a..b@c")", R"("@c")", R"("a")"}},
    {R"({"type": "string", "format": "uri"})",
     {R"("https://a.b/c?d=e#f")", R"("mailto:x@y")"},
     {R"("//a.b")", R"("a b:c")", R"("http://a b")"}},
    {R"({"enum": ["a", 1, null, {"b": [true]}, 2.5], "type": ["string", "null", "object", "number"]})",
     {"\"a\"", "1", "null", "{\"b\":[true]}", "{\"b\": [true]}", "2.5"},
     {"\"b\"", "2", "true", "{\"b\":[]}"}},
    {R"({"enum": ["a", "abc", 5, 50], "minLength": 2, "maximum": 9})", {"\"abc\"", "5"}, {"\"a\"", "50"}},
    {R"({"enum": [1, 2, "a"], "type": "integer", "format": "int32", "pattern": "("})", {"1", "2"}, {"3", "\"a\""}},
    {R"({"enum": ["a", 1], "type": "string", "minimum": "b", "multipleOf": 0.3})", {"\"a\""}, {"1"}},
    {R"({"const": "x\ny"})", {R"("x\ny")"}, {R"("x")"}},
    {R"({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3})",
     {"[1]", "[1,2]", "[1, 2, 3]"},
     {"[]", "[1,2,3,4]", "[\"a\"]"}},
    {R"({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": false})",
     {"[]", "[1]", "[1,\"a\"]"},
     {"[\"a\"]", "[1,\"a\",2]"}},
    {R"({"type": "array", "prefixItems": [{"type": "null"}], "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4})",
     {"[null,true]", "[null,true,false,true]"},
     {"[null]", "[null,null]", "[null,true,true,true,true]"}},
    {R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["b"],
         "additionalProperties": false})",
     {R"({"b":""})", R"({"a":1,"b":"x"})", R"({ "a": 1, "b": "x" })", "{\n  \"b\": \"x\"\n}"},
     {R"({})", R"({"a":1})", R"({"a":"x","b":""})", R"({"a":1,"b":"","c":1})", R"({"a":1,"a":1,"b":""})"}},
    {R"({"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "integer"}})",
     {"{}", R"({"a":"x"})", R"({"a":"x","b":1,"c":2})", R"({"b":1})", R"({"aa":1})"},
     {R"({"b":"x"})", R"({"b":1,"a":"x"})"}},
    {R"({"type": "object", "patternProperties": {"^x": {"type": "integer"}, "^y": {"type": "string"}}, "properties":
         {"xa": {"minimum": 5}}, "additionalProperties": false})",
     {"{}", R"({"x":1,"y":"a"})", R"({"xa":5,"xb":1})"},
     {R"({"xa":1})", R"({"z":1})", R"({"y":1})"}},
    {R"({"type": "object", "required": ["q"], "additionalProperties": {"type": "null"}})",
     {R"({"q":null})", R"({"q":null,"r":null})"},
     {"{}", R"({"q":1})"}},
    {R"({"type": "object", "maxProperties": 2, "additionalProperties": true})",
     {"{}", R"({"a":1,"b":2})"},
     {R"({"a":1,"b":2,"c":3})"}},
    {R"({"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]},
                   {"properties": {"a": {"minimum": 3}, "b": {"type": "null"}}, "additionalProperties": false}],
         "type": "object"})",
     {R"({"a":3})", R"({"a":4,"b":null})"},
     {R"({"a":2})", R"({})", R"({"a":3,"c":1})"}},
    {R"({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 5}]})", {"\"x\"", "5"}, {"4", "null"}},
    {R"({"oneOf": [{"type": "object", "properties": {"k": {"const": "a"}, "v": {"type": "integer"}}, "required": ["k"]},
                   {"type": "object", "properties": {"k": {"const": "b"}, "v": {"type": "null"}}, "required": ["k"]},
                   {"type": "integer", "maximum": 3}, {"type": "integer", "exclusiveMinimum": 3}]})",
     {R"({"k":"a","v":1})", R"({"k":"b","v":null})", "3", "4"},
     {R"({"k":"a","v":null})", R"({"k":"c"})"}},
    {R"({"$ref": "#/$defs/list", "$defs": {"list": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"next":
         {"$ref": "#/$defs/list"}}, "required": ["next"], "additionalProperties": false}]}}})",
     {"null", R"({"next":{"next":null}})"},
     {R"({"next":1})", R"({"next":{}})"}},
    {R"({"$ref": "#/$defs/a%7E1b", "$defs": {"a/b": {"type": "null"}}})", {"null"}, {"1"}},
    {R"({"title": "t", "description": "d", "default": 1, "examples": [1], "deprecated": true, "type": "boolean"})",
     {"true", "false"},
     {"null"}},
    {R"({"type": "object", "properties": {"a": false, "b": {}}, "additionalProperties": false})",
     {"{}", R"({"b":1})"},
     {R"({"a":1})"}},
};

TEST(GrammarSchema, LetsThroughWhatIsValid) {
  for (const SchemaCase& one : kSchemaCases) {
    SchemaTexts texts(one.schema);
    for (const char* text : one.valid) EXPECT_TRUE(texts.accepts(text)) << one.schema << "\n" << text;
    for (const char* text : one.invalid) EXPECT_FALSE(texts.accepts(text)) << one.schema << "\n" << text;
  }
}

TEST(GrammarSchema, RefusesWhatItCannotHold) {
  const auto refused = [](const char* schema, const std::string& word) {
    try {
      json_schema_grammar(std::string_view(schema));
      ADD_FAILURE() << schema << " was not refused";
    } catch (const Error& error) { EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what(); }
  };
  refused(R"({"properties": {"a/b": {"not": {}}}})", "'not' at '#/properties/a~1b'");
  refused(R"({"items": {"uniqueItems": true}})", "'uniqueItems' at '#/items'");
  refused(R"({"if": true})", "'if'");
  refused(R"({"minlength": 3})", "'minlength'");
  refused(R"({"type": "strin"})", "unknown type 'strin' at '#/type'");
  refused(R"({"type": "string", "format": "idn-email"})", "idn-email");
  refused(R"x({"type": "string", "pattern": "(?=a)"})x", "look-around");
  refused(R"({"type": "string", "minLength": -1})", "#/minLength");
  refused(R"({"type": "string", "pattern": "\\S", "maxLength": 5000})", "'#/maxLength' is too large beside a pattern");
  refused(R"({"$ref": "http://example.org/x"})", "#/$ref");
  refused(R"({"$ref": "#/$defs/x"})", "there is no '#/$defs/x'");
  for (const char* reference : {"%zz", "%-1", "%4", "x%"})
    refused(fmt::format(R"({{"$ref": "#/$defs/{}"}})", reference).c_str(), "hexadecimal");
  refused(R"({"oneOf": [{"type": "integer"}, {"minimum": 3}]})", "'oneOf' at '#/oneOf'");
  refused(R"({"type": "number", "multipleOf": 0.3})", "multipleOf");
  refused(R"({"type": "object", "minProperties": 1})", "minProperties");
  refused(R"({"type": "array", "items": [{}]})", "prefixItems");
  refused(R"({"type": "object", "patternProperties": {"a": {}, "b": {}}})", "patternProperties");
  refused(R"({"type": "string", "enum": [1]})", "no text");
  for (const char* number : {"18446744073709551617", "[{\"a\": -1e19}]"})
    refused(fmt::format(R"({{"const": {}}})", number).c_str(), "below 2^63");
  refused("false", "no text");
  refused(R"({"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}, "minItems": 1}}})",
          "no text");
  refused("3", "expected a schema");
  refused("{", "not valid JSON");
}

// What such a schema says of a value is undefined: each part could be true because the other one is.
TEST(GrammarSchema, RefusesWhatReachesItselfInPlace) {
  const auto refused = [](const char* schema, const std::string& place) {
    try {
      SchemaTexts texts(schema);
      ADD_FAILURE() << schema << " was not refused";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("'" + place + "' reaches itself"), std::string::npos) << error.what();
    }
  };
  refused(R"({"allOf":[{"$ref":"#/$defs/s"},{"$ref":"#/$defs/t"}],
              "$defs":{"s":{"anyOf":[{"$ref":"#/$defs/t"},{"type":"integer"}]},
                       "t":{"anyOf":[{"$ref":"#/$defs/s"},{"type":"string"}]}}})",
          "#/$defs/s");
  refused(R"({"$ref":"#/$defs/t","$defs":{"t":{"oneOf":[{"type":"string"},{"$ref":"#/$defs/t"}]}}})", "#/$defs/t");
  refused(R"({"anyOf":[{"$ref":"#"}]})", "#");
  refused(R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"allOf":[{"$ref":"#/$defs/a"}]}}})",
          "#/$defs/a");
  refused(R"({"items":{"$ref":"#/$defs/a"},"$defs":{"a":{"$ref":"#/$defs/a"}}})", "#/$defs/a");
}

// In two places, and behind a step into an item.
TEST(GrammarSchema, ASchemaMayHoldTwice) {
  SchemaTexts twice(
      R"({"allOf":[{"$ref":"#/$defs/t"},{"anyOf":[{"$ref":"#/$defs/t"},{"type":"null"}]}],
          "$defs":{"t":{"anyOf":[{"type":"integer"},{"type":"array","items":{"$ref":"#/$defs/t"}}]}}})");
  for (const char* text : {"5", "[[5]]"}) EXPECT_TRUE(twice.accepts(text)) << text;
  EXPECT_FALSE(twice.accepts("null"));
}

TEST(GrammarSchema, MembersHaveNoOrderInValues) {
  EXPECT_THROW(SchemaTexts(R"({"oneOf":[{"const":{"a":1,"b":2}},{"const":{"b":2,"a":1}}]})"), Error);
  EXPECT_TRUE(
      SchemaTexts(R"({"allOf":[{"enum":[{"a":1,"b":2}]},{"const":{"b":2,"a":1}}]})").accepts(R"({"b":2,"a":1})"));
}

// As decimals, not as the bits they are kept in nor as rounded to a double.
TEST(GrammarSchema, ConstantsAreComparedExactly) {
  EXPECT_TRUE(SchemaTexts(R"({"oneOf":[{"const":18446744073709551615},{"const":-1}]})").accepts("-1"));
  EXPECT_TRUE(SchemaTexts(R"({"oneOf":[{"const":[9007199254740993]},{"const":[9007199254740992.0]}]})")
                  .accepts("[9007199254740993]"));
  EXPECT_THROW(SchemaTexts(R"({"allOf":[{"const":{"a":18446744073709551615}},{"const":{"a":-1}}]})"), Error);
  EXPECT_THROW(SchemaTexts(R"({"oneOf":[{"const":3},{"const":3.0}]})"), Error);
  EXPECT_THROW(SchemaTexts(R"({"oneOf":[{"const":{"a":3,"b":1}},{"const":{"b":1.0,"a":3}}]})"), Error);
}

// Beside a constant, oneOf asks whether the other alternative takes it.
TEST(GrammarSchema, AConstantIsApartFromWhatDoesNotTakeIt) {
  const auto accepts = [](const char* schema, std::vector<const char*> valid) {
    SchemaTexts texts(schema);
    for (const char* text : valid) EXPECT_TRUE(texts.accepts(text)) << schema << "\n" << text;
  };
  accepts(R"({"oneOf":[{"const":"auto"},{"type":"string","pattern":"^[0-9]+px$"}]})", {"\"auto\"", "\"12px\""});
  accepts(R"({"oneOf":[{"type":"string","format":"date"},{"enum":["today","now"]}]})", {"\"now\"", "\"2024-02-29\""});
  accepts(R"({"oneOf":[{"const":"x"},{"type":"string","minLength":2}]})", {"\"x\"", "\"xy\""});
  accepts(R"({"oneOf":[{"enum":[-1,"a",null]},{"type":["number","string"],"minimum":0,"minLength":2}]})",
          {"-1", "\"a\"", "null", "0", "\"ab\""});
  for (const char* refused : {R"({"oneOf":[{"const":"12px"},{"type":"string","pattern":"^[0-9]+px$"}]})",
                              R"({"oneOf":[{"enum":[-1,5]},{"type":"number","minimum":0}]})",
                              R"({"oneOf":[{"const":"xy"},{"type":"string","minLength":2}]})",
                              R"({"oneOf":[{"const":null},{"type":["null","string"]}]})",
                              R"({"oneOf":[{"const":[]},{"type":"array","minItems":1}]})"})
    EXPECT_THROW(SchemaTexts{refused}, Error) << refused;
}

// The members of a record share what the format and the pattern are compiled to.
TEST(GrammarSchema, AFormatInManyPlacesIsKeptOnce) {
  Json schema = {{"type", "object"}, {"additionalProperties", false}};
  for (int i = 0; i < 100; ++i) {
    schema["properties"][fmt::format("email{}", i)] = {{"type", "string"}, {"format", "email"}};
    schema["properties"][fmt::format("code{}", i)] = {
        {"type", "string"}, {"pattern", "^[a-z]{1,40}$"}, {"maxLength", 30}};
  }
  EXPECT_NO_THROW(json_schema_grammar(schema, {}, {.total_states = 130'000}));
}

// Lengths are counted, not written out.
TEST(GrammarSchema, LongStringsAreCounted) {
  const auto text_of = [](size_t length, const std::string& character) {
    std::string text = "\"";
    for (size_t i = 0; i < length; ++i) text += character;
    return text + "\"";
  };
  for (const auto& [character, longest] :
       {std::pair{"x", 20'000u}, {"\\n", 20'000u}, {"語", 20'000u}, {"\\uD83D\\uDE00", 5000u}}) {
    SchemaTexts texts(fmt::format(R"({{"type":"string","minLength":20,"maxLength":{}}})", longest));
    for (const size_t length : {20u, 21u, longest}) EXPECT_TRUE(texts.accepts(text_of(length, character))) << length;
    for (const size_t length : {0u, 19u, longest + 1})
      EXPECT_FALSE(texts.accepts(text_of(length, character))) << length;
  }
  SchemaTexts open(R"({"type":"string","minLength":12000})"), never(R"({"type":"string","maxLength":0})");
  EXPECT_TRUE(open.accepts(text_of(12'000, "x")) && open.accepts(text_of(80'000, "x")));
  EXPECT_FALSE(open.accepts(text_of(11'999, "x")));
  EXPECT_TRUE(never.accepts("\"\"") && !never.accepts("\"x\""));
}

// At the deepest place only what can still be ended is offered, whatever was opened before.
TEST(GrammarSchema, NestingEndsWithoutADeadEnd) {
  std::mt19937 random(5);
  for (const int32_t depth : {3, 4, 7, 20})
    for (const char* schema : {"true", R"({"type":"object"})", R"({"type":"array","items":{"type":"object"}})"}) {
      GrammarLexers lexers(json_schema_grammar(std::string_view(schema), {}, {.depth = depth}));
      for (int round = 0; round < 20; ++round) {
        Parser parser(lexers);
        std::string text;
        for (bool is_deep = false; !parser.can_end();) {
          // Inwards for as long as it goes, then anything.
          if (!is_deep && (parser.push("{\"a\":") || parser.push("[") || parser.push("{"))) continue;
          is_deep = true;
          const auto first = uint8_t(random());
          int tried = 0;
          while (tried < 256 && !parser.push(uint8_t(first + tried))) ++tried;
          ASSERT_LT(tried, 256) << schema << ", depth " << depth << ": nothing can follow";
          if (parser.size() > 100'000) break;
        }
      }
    }
}

void expect_refused_schema(const Json& schema, const std::string& word,
                           const GrammarLimits& limits = {.lexer_work = 10'000'000}) {
  try {
    json_schema_grammar(schema, {}, limits);
    ADD_FAILURE() << "it was not refused: " << word;
  } catch (const Error& error) { EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what(); }
}

// Many patterns, each within its limit, and many choices beside many schemas: refused before they fill the memory.
TEST(GrammarSchema, WhatIsKeptTogetherHasALimit) {
  Json patterns, both, far;
  for (int i = 0; i < 1000; ++i) patterns["prefixItems"].push_back({{"pattern", fmt::format("a{{{}}}", 99'000 + i)}});
  expect_refused_schema(patterns, "2097152 states together", {});
  for (int i = 0; i < 150'000; ++i) both["allOf"].push_back(Json::object());
  for (int i = 0; i < 19'000; ++i) both["anyOf"].push_back(Json::object());
  expect_refused_schema(both, "choices beside fewer schemas", {});
  for (int i = 0; i < 300'000; ++i) far["allOf"].push_back(Json::object());
  EXPECT_NO_THROW(json_schema_grammar(far));
  far["description"] = std::string(1 << 20, 'x');
  expect_refused_schema(far, "1048576 bytes", {});
  // Neighbours behind a long name; alternatives that are nothing beside many that are.
  Json name, choices, nothing;
  for (int i = 0; i < 19'000; ++i) choices.push_back({{"const", i}});
  name["properties"][std::string(100'000, 'k')]["anyOf"] = choices;
  name["additionalProperties"] = false;
  EXPECT_NO_THROW(json_schema_grammar(name));
  for (int i = 0; i < 19'000; ++i) nothing.push_back(false);
  expect_refused_schema({{"allOf", {{{"anyOf", choices}}, {{"anyOf", nothing}}}}}, "choices beside fewer schemas", {});
}

// Every shape lists the same constant, which is kept once; as lexemes they are too many.
TEST(GrammarSchema, AConstantOfManyShapesIsKeptOnce) {
  Json schema = {{"const", std::string(10'000, 'x')}};
  for (int i = 0; i < 19'000; ++i) schema["anyOf"].push_back(Json::object());
  expect_refused_schema(schema, "states");
  schema = {{"const", std::string(100, 'x')}, {"anyOf", {Json::object(), Json::object()}}};
  EXPECT_NO_THROW(json_schema_grammar(schema));
}

// Choices that lie in the comparison of others lie as deep as all of them together.
TEST(GrammarSchema, ComparedChoicesAreNestedWithinALimit) {
  Json schema = {{"$ref", "#/$defs/d0"}};
  for (int i = 0; i < 1000; ++i) {
    Json nested = {{"$ref", fmt::format("#/$defs/d{}", i + 1)}};
    for (int depth = 0; depth < 28; ++depth) {
      Json list = Json::array();
      list.push_back(std::move(nested));
      nested = Json::object();
      nested["oneOf"] = std::move(list);
    }
    schema["$defs"][fmt::format("d{}", i)] = std::move(nested);
  }
  schema["$defs"]["d1000"] = true;
  expect_refused_schema(schema, "nested deeper than 200");
}

// All that compiling a schema takes comes from one budget: many products that are empty, and many comparisons of
// values.
TEST(GrammarSchema, WorkOfCompilingHasALimit) {
  Json patterns, products = {{"type", "array"}}, values;
  for (int i = 0; i < 21'000; ++i) patterns["patternProperties"][fmt::format("^{}$", i)] = true;
  expect_refused_schema(patterns, "at most 100 patterns at '#/patternProperties'");
  for (int i = 0; i < 1000; ++i) {
    Json both = {{"type", "string"}};
    for (const char* end : {"b", "c"})
      both["allOf"].push_back({{"pattern", fmt::format("^a{{{}}}{}$", 9000 + i, end)}});
    products["prefixItems"].push_back(both);
  }
  expect_refused_schema(products, "more work");
  for (const char* name : {"a", "b"}) {
    Json objects = Json::array();
    for (int i = 0; i < 15'000; ++i) objects.push_back({{name, i}});
    values["oneOf"].push_back({{"enum", std::move(objects)}});
  }
  expect_refused_schema(values, "more work");
}

TEST(GrammarSchema, ManyNamesAreRefusedByNumber) {
  const auto with_names = [](int count) {
    Json schema = {{"type", "object"}, {"additionalProperties", false}};
    for (int i = 0; i < count; ++i) {
      schema["properties"][fmt::format("n{}", i)] = {{"type", "null"}};
      schema["required"].push_back(fmt::format("n{}", i));
    }
    return schema;
  };
  GrammarLexers lexers(json_schema_grammar(with_names(480)));
  Parser parser(lexers);
  std::string text = "{";
  for (int i = 0; i < 480; ++i) text += fmt::format("{}\"n{}\":null", i > 0 ? "," : "", i);
  EXPECT_TRUE(parser.push(text + "}") && parser.can_end());
  expect_refused_schema(with_names(481), "at most 480 names");
}

TEST(GrammarSchema, NumbersInARangeAreExact) {
  std::mt19937 source(1);
  const auto random_decimal = [&] {
    std::string text = source() % 2 ? "-" : "";
    text += std::to_string(source() % (source() % 2 ? 10 : 1200));
    if (source() % 2) text += "." + std::to_string(source() % 100);
    return text;
  };
  const auto bound = [](const std::string& text, bool is_strict) {
    return NumberBound{decimal_of(parse_json(text, "test")), is_strict};
  };
  for (int i = 0; i < 300; ++i) {
    const std::string low = random_decimal(), high = random_decimal();
    const bool low_strict = source() % 2, high_strict = source() % 2, integers_only = source() % 2;
    NumberRange range;
    if (source() % 4) range.low = bound(low, low_strict);
    if (source() % 4) range.high = bound(high, high_strict);
    Lexer lexer(numbers_in(range, integers_only, {}), {});
    for (int n = 0; n < 60; ++n) {
      const std::string text = n == 0 ? low : n == 1 ? high : random_decimal();
      const double x = std::stod(text), from = std::stod(low), to = std::stod(high);  // short: compared exactly
      const bool is_inside = (!range.low || (low_strict ? x > from : x >= from)) &&
                             (!range.high || (high_strict ? x < to : x <= to)) &&
                             (!integers_only || text.find('.') == std::string::npos);
      if (x == 0 && text[0] == '-') continue;  // offered where nothing bounds it only
      EXPECT_EQ(lexer.matches(text), is_inside) << text << " in " << low << " … " << high;
    }
  }
}

// What can be drawn is valid: random ways through the masks of a vocabulary, against a reading of the answer.
TEST(GrammarSchema, RandomDrawsAreValid) {
  const char* schema = R"({"type": "object", "properties": {"name": {"type": "string", "maxLength": 6},
      "tags": {"type": "array", "items": {"enum": ["x", "yy"]}, "maxItems": 3}, "age": {"type": "integer", "minimum": 7,
      "maximum": 130}, "next": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}}, "required": ["name", "age"],
      "additionalProperties": false})";
  std::vector<std::string> tokens = {""};
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, char(byte));
  for (const char* more : {"{\"", "\":", "\":\"", "\",\"", "\"}",  "name", "age",  "tags", "null",  "}}",
                           "[\"", "\"]", "12",    "yy",    "x\",", ", \"", "\n  ", "é",    "\\u00", "\\n"})
    tokens.emplace_back(more);
  const auto vocabulary = std::make_shared<GrammarVocabulary>(tokens, std::vector<TokenId>{0});
  const auto grammar = std::make_shared<TokenGrammar>(json_schema_grammar(std::string_view(schema)), vocabulary);
  const auto is_valid = [](const auto& self, const Json& value) -> bool {
    if (!value.is_object() || !value.contains("name") || !value.contains("age")) return false;
    for (const auto& [key, part] : value.items()) {
      if (key == "name") {
        if (!part.is_string()) return false;
        const std::string text = part.template get<std::string>();
        if (std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }) > 6) return false;
      } else if (key == "age") {
        if (!part.is_number_integer() || part < 7 || part > 130) return false;
      } else if (key == "tags") {
        if (!part.is_array() || part.size() > 3) return false;
        for (const Json& tag : part)
          if (tag != "x" && tag != "yy") return false;
      } else if (key != "next" || (!part.is_null() && !self(self, part))) {
        return false;
      }
    }
    return true;
  };
  std::mt19937 source(2);
  int finished = 0;
  for (int run = 0; run < 200; ++run) {
    Matcher matcher(grammar);
    TokenSet mask;
    std::string text;
    for (int step = 0; step < 400 && !matcher.is_done(); ++step) {
      matcher.allowed(mask);
      std::vector<TokenId> choices;
      for (TokenId token = 0; token < vocabulary->size(); ++token)
        if (mask.has(token)) choices.push_back(token);
      ASSERT_FALSE(choices.empty()) << text;
      const TokenId token = choices[0] == 0 ? 0 : choices[source() % choices.size()];
      ASSERT_TRUE(matcher.accept(token));
      text += vocabulary->bytes_of(token);
    }
    if (!matcher.is_done()) continue;
    ++finished;
    EXPECT_TRUE(is_valid(is_valid, parse_json(text, "test"))) << text;
  }
  EXPECT_GT(finished, 50);
}

// What is valid can be drawn: every compact text of a random value passes byte by byte.
TEST(GrammarSchema, EveryCompactValuePasses) {
  std::mt19937 source(3);
  const auto random_value = [&](const auto& self, int depth) -> Json {
    switch (source() % (depth > 0 ? 7 : 5)) {
      case 0:
        return nullptr;
      case 1:
        return source() % 2 == 0;
      case 2:
        return int64_t(source()) - (int64_t(1) << 31);
      case 3:
        return double(source()) / 1e6 * std::pow(10.0, int(source() % 40) - 20);
      case 4:
        return std::string(source() % 4, char(source() % 127 + 1)) + "\"\\é語😀";
      case 5: {
        Json list = Json::array();
        for (size_t n = source() % 4; n > 0; --n) list.push_back(self(self, depth - 1));
        return list;
      }
      default: {
        Json object = Json::object();
        for (size_t n = source() % 4; n > 0; --n) object["k" + std::to_string(source() % 100)] = self(self, depth - 1);
        return object;
      }
    }
  };
  GrammarLexers any(json_grammar());
  SchemaTexts listed(R"({"type": "object", "properties": {"v": {}, "w": {"type": "array"}}, "required": ["v", "w"]})");
  for (int i = 0; i < 500; ++i) {
    const Json value = random_value(random_value, 4);
    Parser parser(any);
    EXPECT_TRUE(parser.push(value.dump()) && parser.can_end()) << value.dump();
    Parser indented(any);
    EXPECT_TRUE(indented.push(value.dump(2)) && indented.can_end()) << value.dump(2);
    const Json both = {{"v", value}, {"w", Json::array({value, value})}, {"more", value}};
    EXPECT_TRUE(listed.accepts(both.dump())) << both.dump();
  }
}

}  // namespace
}  // namespace fude::grammar
