#include "serve/constraints.h"

#include "serve/api_error.h"
#include "tests/support/serve_case.h"

namespace fude {
namespace {

using Calls = AnswerForm::Calls;

ChatRequest request_of(const std::string& fields) { return parse_chat_request(LiveServer::chat(fields)); }

// The schema of a call that has to be made, of a function with these parameters.
Json forced_schema(const Json& parameters) {
  Json tools = Json::array();
  tools.push_back({{"type", "function"}, {"function", {{"name", "f"}, {"parameters", parameters}}}});
  const auto kinds =
      kinds_of_answer(request_of(R"("tool_choice": "required", "tools": )" + tools.dump()), Calls::tagged);
  EXPECT_EQ(kinds.size(), 1u);
  return kinds.at(0).schema;
}

Json arguments_in(const Json& schema) { return schema["anyOf"][0]["properties"]["arguments"]; }

// Members and definitions may have the names of keywords.
TEST(Constraints, NamesAreNoKeywords) {
  Constraints constraints(chat_tokenizer(), {257});
  for (const char* name :
       {"default", "enum", "const", "examples", "$id", "$schema", "id", "$ref", "properties", "$defs"}) {
    Json parameters = {{"type", "object"}, {"required", {name}}, {"additionalProperties", false}};
    parameters["properties"][name]["$ref"] = "#/$defs/" + std::string(name);
    parameters["$defs"][name]["enum"] = {"x", "y"};
    const Json schema = forced_schema(parameters);
    const Json moved = arguments_in(schema);
    EXPECT_EQ(moved["properties"][name]["$ref"], "#/anyOf/0/properties/arguments/$defs/" + std::string(name));
    EXPECT_EQ(moved["$defs"][name], parameters["$defs"][name]);
    EXPECT_NO_THROW(constraints.find({{schema, "", ""}})) << name;
  }
}

TEST(Constraints, ValuesStayAsTheyAre) {
  const Json parameters = parse_json(R"({"$schema": "s", "$id": "i", "id": "i", "type": "object", "properties": {"a": {
    "default": {"$ref": "#/x"}, "const": {"$id": "y"}, "enum": [{"$id": "y"}], "examples": [{"$ref": "#/x"}]}}})",
                                     "test");
  const Json moved = arguments_in(forced_schema(parameters));
  EXPECT_EQ(moved["properties"], parameters["properties"]);
  EXPECT_FALSE(moved.contains("$id"));
  EXPECT_FALSE(moved.contains("id"));
}

TEST(Constraints, ArgumentsAreAnObject) {
  for (const Json& type : {Json("string"), Json("array"), Json::array({"null", "string"}), Json(3)})
    EXPECT_THROW(forced_schema({{"type", type}}), ApiError) << type;
  for (const Json& type : {Json("object"), Json::array({"object", "null"})})
    EXPECT_EQ(arguments_in(forced_schema({{"type", type}}))["type"], "object");
  EXPECT_EQ(arguments_in(forced_schema({{"description", "any"}}))["type"], "object");
}

TEST(Constraints, AFormatBesideTools) {
  EXPECT_TRUE(kinds_of_answer(request_of(R"("temperature": 1)"), Calls::tagged).empty());
  const std::string both =
      R"("tools": [{"type": "function", "function": {"name": "f"}}], "response_format": {"type": "json_object"})";
  const auto kinds = kinds_of_answer(request_of(both), Calls::tagged);
  ASSERT_EQ(kinds.size(), 2u);
  EXPECT_EQ(kinds[0].schema, Json({{"type", "object"}}));
  EXPECT_EQ(kinds[1].before + "|" + kinds[1].behind, "<tool_call>\n|\n</tool_call>");
  EXPECT_TRUE(kinds[1].repeats);
  EXPECT_FALSE(kinds_of_answer(request_of(both + R"(, "parallel_tool_calls": false)"), Calls::tagged).at(1).repeats);
  const auto bare = kinds_of_answer(request_of(both), Calls::bare);
  EXPECT_TRUE(bare.at(1).before.empty() && !bare[1].repeats);
  EXPECT_TRUE(bare[1].schema["anyOf"][0]["properties"].contains("parameters"));
  EXPECT_EQ(kinds_of_answer(request_of(both + R"(, "tool_choice": "none")"), Calls::tagged).size(), 1u);
  const auto forced = kinds_of_answer(request_of(both + R"(, "tool_choice": "required")"), Calls::tagged);
  ASSERT_EQ(forced.size(), 1u);
  EXPECT_TRUE(forced[0].schema.contains("anyOf") && forced[0].before.empty());
}

}  // namespace
}  // namespace fude
