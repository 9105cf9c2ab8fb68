#include "serve/chat_request.h"

#include <gtest/gtest.h>

#include "serve/api_error.h"

namespace fude {
namespace {

constexpr const char* kMessages = R"("messages": [{"role": "user", "content": "hi"}])";

ChatRequest parse(const std::string& more) {
  return parse_chat_request(std::string("{") + kMessages + (more.empty() ? "" : ", ") + more + "}");
}

// What is said of a body that is refused: "param code".
std::string refused(const std::string& body) {
  try {
    parse_chat_request(body);
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status, 400) << body;
    return error.param + " " + error.code;
  }
  return "accepted";
}
std::string refused_with(const std::string& more) { return refused(std::string("{") + kMessages + ", " + more + "}"); }

TEST(ChatRequest, Defaults) {
  const ChatRequest request = parse("");
  EXPECT_EQ(request.messages.size(), 1u);
  EXPECT_EQ(request.sampling.temperature, 1);
  EXPECT_FALSE(request.has_seed);
  EXPECT_FALSE(request.is_stream);
  EXPECT_EQ(request.choices, 1);
  EXPECT_EQ(request.tool_choice, ChatRequest::Choice::none);
}

TEST(ChatRequest, ReadsEveryField) {
  const ChatRequest request = parse(R"("model": "m", "temperature": 0, "top_p": 0.5, "top_k": -1, "min_p": 0.1,
    "presence_penalty": 1, "frequency_penalty": -1, "seed": -3, "logit_bias": {"7": -100}, "max_tokens": 5,
    "max_completion_tokens": 6, "n": 3, "stop": ["a", "b"], "stream": true, "stream_options": {"include_usage": true},
    "logprobs": true, "top_logprobs": 2, "response_format": {"type": "json_object"}, "reasoning_effort": "none",
    "user": "whoever", "never_heard_of": {"x": []})");
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.sampling.top_k, 0);
  EXPECT_EQ(request.sampling.seed, uint64_t(-3));
  EXPECT_EQ(request.sampling.logit_bias, (std::vector<std::pair<int32_t, double>>{{7, -100}}));
  EXPECT_EQ(request.max_tokens, 6);
  EXPECT_EQ(request.stops, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(request.is_stream && request.includes_usage && request.has_logprobs);
  EXPECT_EQ(request.format, ChatRequest::Format::json_object);
  EXPECT_EQ(request.thinks, false);
}

TEST(ChatRequest, PartsAndCallsOfMessages) {
  const ChatRequest request = parse_chat_request(R"({"messages": [
    {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "42"}]})");
  EXPECT_EQ(request.messages[0].content, "a\nb");
  EXPECT_EQ(request.messages[1].calls.at(0).name, "f");
  EXPECT_EQ(request.messages[2].call_id, "c1");
}

TEST(ChatRequest, ARefusalIsWhatWasSaid) {
  const ChatRequest request = parse_chat_request(R"({"messages": [
    {"role": "assistant", "content": null, "refusal": "no"}, {"role": "assistant", "content": "a", "refusal": "b"},
    {"role": "assistant", "content": "a", "refusal": null}]})");
  EXPECT_EQ(request.messages[0].content, "no");
  EXPECT_EQ(request.messages[1].content, "a\nb");
  EXPECT_EQ(request.messages[2].content, "a");
  EXPECT_EQ(refused(R"({"messages": [{"role": "assistant", "content": null, "refusal": 3}]})"),
            "messages[0].refusal invalid_type");
}

TEST(ChatRequest, Tools) {
  const std::string tools =
      R"("tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])";
  EXPECT_EQ(parse(tools).tool_choice, ChatRequest::Choice::automatic);
  EXPECT_EQ(parse(tools + R"(, "tool_choice": "none")").tool_choice, ChatRequest::Choice::none);
  EXPECT_TRUE(parse(tools + R"(, "tool_choice": "required")").must_call());
  EXPECT_EQ(parse(tools + R"(, "tool_choice": {"type": "function", "function": {"name": "f"}})").tool, "f");
  EXPECT_EQ(refused_with(tools + R"(, "tool_choice": {"type": "function", "function": {"name": "g"}})"),
            "tool_choice invalid_value");
  EXPECT_EQ(refused_with(R"("tool_choice": "required")"), "tool_choice invalid_value");
  EXPECT_EQ(refused_with(R"("tools": [{"type": "function", "function": {"name": "a b"}}])"),
            "tools[0].function.name invalid_value");
  EXPECT_EQ(refused_with(R"("tools": [{"type": "retrieval"}])"), "tools[0].type invalid_value");
  EXPECT_TRUE(parse(tools).has_parallel_calls);
  EXPECT_FALSE(parse(tools + R"(, "parallel_tool_calls": false)").has_parallel_calls);
}

TEST(ChatRequest, ChoosingNeedsAVote) {
  EXPECT_EQ(parse(R"("vote": 3, "choose": "weighted")").choose, ChooseBy::weighted);
  EXPECT_EQ(refused_with(R"("choose": "best")"), "choose invalid_value");
  EXPECT_EQ(refused_with(R"("choose": "bogus")"), "choose invalid_value");
  EXPECT_EQ(refused_with(R"("vote": 3, "choose": "bogus")"), "choose invalid_value");
  EXPECT_EQ(refused_with(R"("vote": 3, "choose": 1)"), "choose invalid_type");
}

TEST(ChatRequest, MistakesNameTheirField) {
  EXPECT_EQ(refused("{"), " invalid_json");
  EXPECT_EQ(refused("[]"), " invalid_type");
  EXPECT_EQ(refused("{}"), "messages missing_required_parameter");
  EXPECT_EQ(refused(R"({"messages": []})"), "messages invalid_value");
  EXPECT_EQ(refused(R"({"messages": [{"role": "robot", "content": ""}]})"), "messages[0].role invalid_value");
  EXPECT_EQ(refused(R"({"messages": [{"role": "user"}]})"), "messages[0].content missing_required_parameter");
  EXPECT_EQ(refused(R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})"),
            "messages[0].content[0].type invalid_value");
  EXPECT_EQ(refused(R"({"messages": [{"role": "tool", "content": "x"}]})"),
            "messages[0].tool_call_id missing_required_parameter");
  for (const char* field :
       {R"("temperature": 2.5)", R"("temperature": "1")", R"("n": 129)", R"("n": 0)", R"("n": 1.5)",
        R"("max_tokens": -1)", R"("stop": ["1","2","3","4","5"])", R"("stop": "")", R"("stop": 3)",
        R"("top_logprobs": 21)", R"("top_logprobs": 1)", R"("logit_bias": {"x": 1})", R"("logit_bias": {"1": 101})",
        R"("seed": 0.5)", R"("stream": "yes")", R"("top_p": 1.1)", R"("response_format": {"type": "xml"})",
        R"("response_format": {"type": "json_schema"})", R"("max_tokens": 99999999999999999999)"})
    EXPECT_NE(refused_with(field), "accepted") << field;
}

TEST(ChatRequest, TypesAndValues) {
  EXPECT_EQ(refused_with(R"("temperature": "1")"), "temperature invalid_type");
  EXPECT_EQ(refused_with(R"("temperature": 3)"), "temperature invalid_value");
  EXPECT_EQ(refused_with(R"("stream": "true")"), "stream invalid_type");
  EXPECT_EQ(refused_with(R"("n": 1.5)"), "n invalid_type");
  EXPECT_EQ(refused_with(R"("n": 0)"), "n invalid_value");
  EXPECT_EQ(refused_with(R"("stop": 3)"), "stop invalid_type");
  EXPECT_EQ(refused_with(R"("seed": 0.5)"), "seed invalid_type");
  EXPECT_EQ(refused_with(R"("logit_bias": {"1": "1"})"), "logit_bias invalid_type");
  EXPECT_EQ(refused_with(R"("tools": {})"), "tools invalid_type");
}

TEST(ChatRequest, NamesTheFieldThatWasMeant) {
  try {
    parse_chat_request(R"({"mesages": []})");
    FAIL();
  } catch (const ApiError& error) {
    EXPECT_NE(std::string(error.what()).find("'mesages'"), std::string::npos) << error.what();
  }
}

TEST(ChatRequest, AMemberThatIsNullIsNotMisspelt) {
  try {
    parse_chat_request(R"({"messages": null, "message": 1})");
    FAIL();
  } catch (const ApiError& error) {
    EXPECT_STREQ(error.what(), "[request] expected 'messages', it is null");
    EXPECT_EQ(error.code, "missing_required_parameter");
  }
}

TEST(ChatRequest, Limits) {
  ChatLimits limits;
  limits.body_bytes = 100;
  EXPECT_THROW(parse_chat_request("{\"x\": \"" + std::string(100, 'a') + "\"}", limits), ApiError);
  EXPECT_EQ(refused(std::string(100, '[')), " invalid_json");
  const std::string five_values = std::string("{") + kMessages + "}";
  limits.values = 5;
  EXPECT_NO_THROW(parse_chat_request(five_values, limits));
  limits.values = 4;
  EXPECT_THROW(parse_chat_request(five_values, limits), ApiError);
  std::string many = R"({"messages": [)";
  for (int i = 0; i < 3000; ++i) many += R"({"role":"user","content":""},)";
  many.back() = ']';
  EXPECT_EQ(refused(many + "}"), "messages invalid_value");
}

TEST(ApiError, Body) {
  EXPECT_EQ(
      ApiError(404, "[x] no", "model", "model_not_found").body(),
      R"({"error":{"message":"[x] no","type":"invalid_request_error","param":"model","code":"model_not_found"}})");
  EXPECT_EQ(ApiError(503, "a").body(), R"({"error":{"message":"a","type":"server_error","param":null,"code":null}})");
}

TEST(ApiError, LongMessagesAreCutBetweenCharacters) {
  const auto message = [](const std::string& text) { return std::string(ApiError(400, text).what()); };
  std::string letters, half;
  for (int i = 0; i < 500; ++i) letters += "京";
  for (int i = 0; i < 499; ++i) half += "京";
  EXPECT_EQ(message(std::string(500, 'a')), std::string(500, 'a'));
  EXPECT_EQ(message(std::string(501, 'a')), std::string(499, 'a') + "…");
  EXPECT_EQ(message(half), half);
  EXPECT_EQ(message(letters + letters), half + "…");
  // Bytes that are no characters count as such.
  EXPECT_EQ(message(std::string(100000, '\xff')), std::string(499, '\xff') + "…");
  const std::string name(400000, 'k');
  try {
    parse_chat_request("{\"" + name + "\": 1, \"" + name + "\": 2}");
    FAIL();
  } catch (const ApiError& error) { EXPECT_LE(error.body().size(), 1000u); }
}

}  // namespace
}  // namespace fude
