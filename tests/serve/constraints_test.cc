#include "serve/constraints.h"

#include "serve/api_error.h"
#include "tests/support/serve_case.h"

namespace fude {
namespace {

// The schema of a call that has to be made, of a function with these parameters.
Json forced_schema(const Json& parameters) {
  Json tools = Json::array();
  tools.push_back({{"type", "function"}, {"function", {{"name", "f"}, {"parameters", parameters}}}});
  return schema_of_answer(
      parse_chat_request(LiveServer::chat(R"("tool_choice": "required", "tools": )" + tools.dump())), "arguments");
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
    EXPECT_NO_THROW(constraints.find(schema)) << name;
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

}  // namespace
}  // namespace fude
