// What a server answers: models, chats whole and in streams, tools, schemas, votes.
#include "tests/support/serve_case.h"

#include <cmath>
#include <ctime>
#include <map>

#include "base/random.h"
#include "tasks/task.h"

namespace fude {
namespace {

constexpr const char* kTools = R"("tools": [
  {"type": "function", "function": {"name": "weather", "parameters": {"type": "object",
    "properties": {"city": {"enum": ["Oslo", "東京"]}, "days": {"$ref": "#/$defs/n"}}, "required": ["city", "days"],
    "additionalProperties": false, "$defs": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}}}},
  {"type": "function", "function": {"name": "clock"}}])";

std::string text_of(const Json& choice) { return choice["message"]["content"]; }

ScorerModel random_scorer(Device& device, const ModelConfig& config) {
  auto trunk = std::make_unique<Transformer>(device, config);
  trunk->initialise(7);
  ScorerModel scorer = make_scorer(std::move(trunk));
  std::vector<float> head(size_t(2 * scorer.head_2C.cols()));
  Random random{4, 0};
  for (float& x : head) x = float(random.normal());
  scorer.head_2C.set_rows(0, 2, head.data());
  return scorer;
}

TEST(Server, ModelsHealthMetricsAndPage) {
  LiveServer live;
  EXPECT_EQ(live.ask("GET", "/v1/models").json()["data"][0]["id"], "tiny");
  EXPECT_EQ(live.ask("GET", "/v1/models/tiny").json()["object"], "model");
  EXPECT_EQ(live.ask("GET", "/v1/models/ti%6Ey").status, 200);
  const HttpAnswer none = live.ask("GET", "/v1/models/gpt-9");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.json()["error"]["code"], "model_not_found");
  EXPECT_EQ(live.ask("GET", "/health").status, 200);
  EXPECT_NE(live.ask("GET", "/metrics").body.find(R"(fude_http_requests_total{route="/v1/models",status="200"} 1)"),
            std::string::npos);
  const HttpAnswer page = live.ask("GET", "/");
  EXPECT_NE(page.head.find("text/html"), std::string::npos);
  EXPECT_NE(page.head.find("content-security-policy: default-src 'none'"), std::string::npos);
}

TEST(Server, WholeAnswers) {
  LiveServer live;
  const HttpAnswer answer = live.post(LiveServer::chat(R"("max_tokens": 7, "temperature": 0)"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(answer.head.find("x-request-id: req_"), std::string::npos);
  EXPECT_NE(answer.head.find("openai-processing-ms: "), std::string::npos);
  const size_t date = answer.head.find("\r\ndate: ");
  ASSERT_NE(date, std::string::npos);
  std::tm time{};
  ASSERT_NE(::strptime(answer.head.c_str() + date + 8, "%a, %d %b %Y %H:%M:%S GMT\r\n", &time), nullptr);
  EXPECT_NEAR(double(::timegm(&time)), double(std::time(nullptr)), 10.0);
  const Json json = answer.json();
  EXPECT_EQ(json["object"], "chat.completion");
  EXPECT_EQ(json["choices"][0]["finish_reason"], "length");
  EXPECT_TRUE(json["choices"][0]["logprobs"].is_null());
  EXPECT_EQ(json["usage"]["completion_tokens"], 7);
  EXPECT_EQ(json["usage"]["total_tokens"], 7 + json["usage"]["prompt_tokens"].get<int>());
  // The same again: it is known from before, and says the same.
  const Json again = live.post(LiveServer::chat(R"("max_tokens": 7, "temperature": 0)")).json();
  EXPECT_EQ(again["choices"], json["choices"]);
  EXPECT_GT(again["usage"]["prompt_tokens_details"]["cached_tokens"].get<int>(), 0);
}

TEST(Server, StreamsSayTheSame) {
  LiveServer live;
  const std::string options = R"("max_tokens": 40, "seed": 5, "n": 2)";
  const Json whole = live.post(LiveServer::chat(options)).json();
  const HttpAnswer streamed =
      live.post(LiveServer::chat(options + R"(, "stream": true, "stream_options": {"include_usage": true})"));
  ASSERT_EQ(streamed.status, 200);
  EXPECT_NE(streamed.head.find("text/event-stream"), std::string::npos);
  const std::vector<Json> events = events_of(streamed.body);
  std::string texts[2], reasons[2];
  for (size_t i = 0; i + 1 < events.size(); ++i) {
    EXPECT_EQ(events[i]["object"], "chat.completion.chunk");
    EXPECT_EQ(events[i]["id"], events[0]["id"]);
    EXPECT_TRUE(events[i]["usage"].is_null());
    const Json& choice = events[i]["choices"][0];
    const auto index = choice["index"].get<size_t>();
    if (choice["delta"].contains("content")) texts[index] += choice["delta"]["content"].get<std::string>();
    if (!choice["finish_reason"].is_null()) reasons[index] = choice["finish_reason"];
  }
  EXPECT_EQ(events[0]["choices"][0]["delta"]["role"], "assistant");
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(texts[i], text_of(whole["choices"][i]));
    EXPECT_EQ(reasons[i], whole["choices"][i]["finish_reason"]);
  }
  EXPECT_EQ(events.back()["choices"].size(), 0u);
  EXPECT_EQ(events.back()["usage"]["completion_tokens"], whole["usage"]["completion_tokens"]);
}

TEST(Server, StopStringsBiasAndLogprobs) {
  LiveServer live;
  // Nothing but a and b can be said.
  const std::string ab = R"("logit_bias": {"97": 100, "98": 100}, "max_tokens": 60, "seed": 1)";
  const std::string text = text_of(live.post(LiveServer::chat(ab)).json()["choices"][0]);
  ASSERT_EQ(text.find_first_not_of("ab"), std::string::npos);
  const std::string stop = text.substr(20, 4);
  const std::string expected = text.substr(0, text.find(stop));
  const Json stopped =
      live.post(LiveServer::chat(ab + R"(, "logprobs": true, "top_logprobs": 3, "stop": ")" + stop + "\"")).json();
  const Json& choice = stopped["choices"][0];
  EXPECT_EQ(text_of(choice), expected);
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["logprobs"]["content"].size(), expected.size());
  if (!expected.empty()) {
    const Json& first = choice["logprobs"]["content"][0];
    EXPECT_EQ(first["token"], expected.substr(0, 1));
    EXPECT_EQ(first["bytes"][0], int(expected[0]));
    EXPECT_EQ(first["top_logprobs"].size(), 3u);
  }
  const std::vector<Json> events = events_of(
      live.post(LiveServer::chat(ab + R"(, "logprobs": true, "stream": true, "stop": [")" + stop + "\"]")).body);
  std::string streamed;
  size_t logprobs = 0;
  for (const Json& event : events) {
    const Json& part = event["choices"][0];
    if (part["delta"].contains("content")) streamed += part["delta"]["content"].get<std::string>();
    if (!part["logprobs"].is_null()) logprobs += part["logprobs"]["content"].size();
  }
  EXPECT_EQ(streamed, expected);
  EXPECT_EQ(logprobs, expected.size());
}

TEST(Server, JsonSchema) {
  LiveServer live;
  const Json json =
      live.post(LiveServer::chat(R"("seed": 3, "response_format": {"type": "json_schema", "json_schema": {"name": "n",
    "schema": {"type": "object", "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 99}}, "required": ["a"],
    "additionalProperties": false}}})"))
          .json();
  const Json value = parse_json(text_of(json["choices"][0]), "answer");
  EXPECT_TRUE(value.at("a").is_number_integer());
  EXPECT_EQ(json["choices"][0]["finish_reason"], "stop");
  const HttpAnswer refused =
      live.post(LiveServer::chat(R"("response_format": {"type": "json_schema", "json_schema": {"name": "n",
    "schema": {"uniqueItems": true}}})"));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.json()["error"]["param"], "response_format");
}

// A schema that is too ambiguous from its first token on is refused, and the server goes on.
TEST(Server, JsonSchemaWithTooManyBeginnings) {
  LiveServer live;
  Json schema;
  for (int i = 0; i <= 5000; ++i) schema["anyOf"].push_back({{"type", "string"}});
  const Json format = {{"type", "json_schema"}, {"json_schema", {{"name", "n"}, {"schema", schema}}}};
  const HttpAnswer answer = live.post(LiveServer::chat("\"response_format\": " + format.dump()));
  EXPECT_EQ(answer.status, 400) << answer.body;
  EXPECT_EQ(answer.json()["error"]["code"], "invalid_schema");
  EXPECT_EQ(live.ask("GET", "/health").status, 200);
}

// The reply is what most of the same answers say, and no more of them are made than are needed to know it.
TEST(Server, Vote) {
  LiveServer live;
  const std::string options =
      R"("seed": 5, "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": [11, 12, 13]}}})";
  const Json all = live.post(LiveServer::chat(options + R"(, "n": 40)")).json();
  std::map<std::string, int64_t> counts;
  for (const Json& choice : all["choices"]) ++counts[text_of(choice)];
  const HttpAnswer answer = live.post(LiveServer::chat(options + R"(, "vote": 40)"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json voted = answer.json();
  ASSERT_EQ(voted["choices"].size(), 1u);
  int64_t most = 0;
  for (const auto& [text, count] : counts) most = std::max(most, count);
  EXPECT_EQ(counts[text_of(voted["choices"][0])], most);
  EXPECT_EQ(voted["vote"][0]["answer"], text_of(voted["choices"][0]));
  int64_t told = 0;
  for (const Json& one : voted["vote"]) {
    EXPECT_EQ(one["count"].get<int64_t>(), counts[one["answer"]]) << "with a seed none ends early";
    told += one["count"].get<int64_t>();
  }
  EXPECT_EQ(told, 40);
  EXPECT_EQ(voted["usage"]["completion_tokens"], all["usage"]["completion_tokens"]);
  const Json early = live.post(LiveServer::chat(options.substr(options.find("\"response")) + R"(, "vote": 40)")).json();
  int64_t most_told = 0, second = 0;
  told = 0;
  for (const Json& one : early["vote"]) {
    const int64_t count = one["count"].get<int64_t>();
    second = std::max(second, std::min(count, most_told));
    most_told = std::max(most_told, count);
    told += count;
  }
  EXPECT_EQ(early["vote"][0]["count"], most_told);
  EXPECT_TRUE(told == 40 || most_told - second > 40 - told) << early["vote"];
  EXPECT_TRUE(live.becomes_idle());
  EXPECT_EQ(live.post(LiveServer::chat(R"("vote": 3, "stream": true)")).status, 400);
  EXPECT_EQ(live.post(LiveServer::chat(R"("vote": 3, "n": 2)")).status, 400);
  EXPECT_EQ(live.post(LiveServer::chat(R"("vote": 1)")).status, 400);
  const std::string long_one = R"("logprobs": true, "top_logprobs": 20, "max_tokens": 1000)";
  EXPECT_EQ(live.post(LiveServer::chat(long_one + R"(, "n": 64)")).status, 400);
  EXPECT_EQ(live.post(LiveServer::chat(long_one + R"(, "vote": 64)")).status, 400) << "keeps as much as n does";
  EXPECT_EQ(live.post(LiveServer::chat(std::string(R"("vote": 3, )") + kTools)).status, 400);
}

// Of answers that ended, the reply is the one of the highest score, or that which the scores vote for.
TEST(Server, ChosenByAScorer) {
  Device device(1);
  const ScorerModel scorer = random_scorer(device, LiveServer::config());
  AnswerJudge judge(scorer, default_kernels());
  LiveServer live({.judge = &judge});
  const std::string options =
      R"("seed": 5, "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": [11, 12, 13]}}})";
  const Json all = live.post(LiveServer::chat(options + R"(, "n": 20)")).json();
  const ChatRequest request = parse_chat_request(LiveServer::chat(options));
  const std::vector<int32_t> prompt = live.api.prompts().prompt(request, /*is_held=*/true).tokens;
  std::vector<AnswerToScore> sequences;
  for (const Json& choice : all["choices"]) {
    sequences.push_back({prompt});
    for (unsigned char byte : text_of(choice)) sequences.back().tokens.push_back(byte);
    sequences.back().tokens.push_back(257);  // the end of a turn
  }
  const std::vector<double> scores = score_sequences(scorer, default_kernels(), sequences);
  const size_t best = size_t(std::ranges::max_element(scores) - scores.begin());
  std::map<std::string, double> weights;
  for (size_t i = 0; i < scores.size(); ++i) weights[text_of(all["choices"][i])] += std::exp(scores[i]);

  const Json chosen = live.post(LiveServer::chat(options + R"(, "vote": 20, "choose": "best")")).json();
  EXPECT_EQ(text_of(chosen["choices"][0]), text_of(all["choices"][best]));
  EXPECT_EQ(chosen["usage"]["completion_tokens"], all["usage"]["completion_tokens"]);
  const Json weighted = live.post(LiveServer::chat(options + R"(, "vote": 20, "choose": "weighted")")).json();
  const std::string winner = text_of(weighted["choices"][0]);
  for (const auto& [text, weight] : weights) EXPECT_LE(weight, weights[winner] + 1e-9);
  ASSERT_EQ(weighted["vote"].size(), weights.size());
  for (const Json& one : weighted["vote"]) EXPECT_NEAR(one["weight"], weights[one["answer"]], 1e-9);

  EXPECT_EQ(live.post(LiveServer::chat(R"("vote": 3, "choose": "worst")")).status, 400);
  LiveServer without;
  EXPECT_EQ(without.post(LiveServer::chat(R"("vote": 3, "choose": "best")")).status, 400);
}

// What is scored ends with the stop string, however many tokens came before the engine heard of it.
TEST(Server, AScorerReadsUpToTheStopString) {
  Device device(1);
  const ScorerModel scorer = random_scorer(device, LiveServer::config());
  AnswerJudge judge(scorer, default_kernels());
  LiveServer live({.judge = &judge});
  // Nothing but a and b can be said.
  const std::string options = R"("logit_bias": {"97": 100, "98": 100}, "max_tokens": 200, "seed": 1, "stop": "ab")";
  const Json all = live.post(LiveServer::chat(options + R"(, "n": 20)")).json();
  const ChatRequest request = parse_chat_request(LiveServer::chat(options));
  const std::vector<int32_t> prompt = live.api.prompts().prompt(request, /*is_held=*/false).tokens;
  std::vector<AnswerToScore> sequences;
  std::vector<std::string> answers;
  for (const Json& choice : all["choices"]) {
    if (choice["finish_reason"] != "stop") continue;
    answers.push_back(committed_answer(text_of(choice)));
    sequences.push_back({prompt});
    for (unsigned char byte : text_of(choice) + "ab") sequences.back().tokens.push_back(byte);
  }
  const std::vector<double> scores = score_sequences(scorer, default_kernels(), sequences);
  std::map<std::string, double> weights;
  for (size_t i = 0; i < answers.size(); ++i)
    if (!answers[i].empty()) weights[answers[i]] += std::exp(scores[i]);
  ASSERT_GT(weights.size(), 1u);
  const Json weighted = live.post(LiveServer::chat(options + R"(, "vote": 20, "choose": "weighted")")).json();
  ASSERT_EQ(weighted["vote"].size(), weights.size());
  for (const Json& one : weighted["vote"]) EXPECT_NEAR(one["weight"], weights[one["answer"]], 1e-9);
}

TEST(Server, AScorerThatFailsSaysWhy) {
  Device device(1);
  ModelConfig config = LiveServer::config();
  config.context = 8;
  const ScorerModel scorer = random_scorer(device, config);
  AnswerJudge judge(scorer, default_kernels());
  LiveServer live({.judge = &judge});
  const HttpAnswer answer =
      live.post(LiveServer::chat(R"("logit_bias": {"97": 100}, "stop": "aa", "vote": 2, "choose": "best")"));
  EXPECT_EQ(answer.status, 422) << answer.body;
  EXPECT_NE(answer.body.find("[scorer] expected 1 to 8 tokens"), std::string::npos) << answer.body;
}

TEST(Server, ThinkingBudget) {
  LiveServer live;
  const Json json =
      live.post(LiveServer::chat(R"("max_tokens": 60, "seed": 5, "reasoning": {"max_tokens": 12, "min_tokens": 5})"))
          .json();
  const std::string thought = json["choices"][0]["message"]["reasoning_content"];
  EXPECT_GE(thought.size(), 1u);  // of random bytes, which are characters of one and more
  EXPECT_GE(json["usage"]["completion_tokens_details"]["reasoning_tokens"], 5);
  EXPECT_LE(json["usage"]["completion_tokens_details"]["reasoning_tokens"], 12 + 8 + 7);  // with both marks
  EXPECT_EQ(live.post(LiveServer::chat(R"("reasoning": {"max_tokens": 2, "min_tokens": 3})")).status, 400);
  EXPECT_EQ(live.post(LiveServer::chat(R"("reasoning": 3)")).status, 400);
}

TEST(Server, ForcedCalls) {
  LiveServer live;
  const std::string named =
      std::string(kTools) + R"(, "seed": 1, "tool_choice": {"type": "function", "function": {"name": "weather"}})";
  const Json whole = live.post(LiveServer::chat(named)).json();
  const Json& choice = whole["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "tool_calls") << whole;
  EXPECT_TRUE(choice["message"]["content"].is_null());
  const Json& call = choice["message"]["tool_calls"][0];
  EXPECT_EQ(call["function"]["name"], "weather");
  const Json arguments = parse_json(call["function"]["arguments"].get<std::string>(), "arguments");
  EXPECT_TRUE(arguments["city"] == "Oslo" || arguments["city"] == "東京");
  EXPECT_TRUE(arguments["days"].get<int>() >= 1 && arguments["days"].get<int>() <= 9);

  std::string name, streamed, id, reason;
  const std::vector<Json> events = events_of(live.post(LiveServer::chat(named + R"(, "stream": true)")).body);
  EXPECT_TRUE(events[0]["choices"][0]["delta"]["content"].is_null());
  for (const Json& event : events) {
    const Json& part = event["choices"][0];
    if (!part["finish_reason"].is_null()) reason = part["finish_reason"];
    if (!part["delta"].contains("tool_calls")) continue;
    const Json& delta = part["delta"]["tool_calls"][0];
    EXPECT_EQ(delta["index"], 0);
    if (delta.contains("id")) id = delta["id"], name = delta["function"]["name"];
    streamed += delta["function"]["arguments"].get<std::string>();
  }
  EXPECT_EQ(name, "weather");
  EXPECT_FALSE(id.empty());
  EXPECT_EQ(streamed, call["function"]["arguments"]);
  EXPECT_EQ(reason, "tool_calls");
  const Json any =
      live.post(LiveServer::chat(std::string(kTools) + R"(, "seed": 2, "tool_choice": "required")")).json();
  EXPECT_EQ(any["choices"][0]["message"]["tool_calls"].size(), 1u);
}

// The answer is one that fits the format, or calls: as many as may be made.
TEST(Server, AFormatBesideTools) {
  LiveServer live;
  const std::string both = std::string(kTools) +
                           R"(, "seed": 3, "response_format": {"type": "json_schema", "json_schema": {"name": "n",
      "schema": {"type": "object", "properties": {"a": {"enum": [1, "<tool_call>"]}}, "required": ["a"],
                 "additionalProperties": false}}})";
  const std::string open = "60", brace = "123";  // the bytes that a call and an answer begin with
  const auto ask = [&](const std::string& likely, const char* more = "") {
    return live.post(LiveServer::chat(both + R"(, "logit_bias": {")" + likely + R"(": 100})" + more));
  };
  const Json answered = ask(brace).json();
  const Json message = answered["choices"][0]["message"];
  EXPECT_EQ(answered["choices"][0]["finish_reason"], "stop") << answered;
  EXPECT_TRUE(parse_json(message["content"].get<std::string>(), "answer")["a"].is_primitive()) << answered;
  EXPECT_FALSE(message.contains("tool_calls"));
  for (const char* more : {"", R"(, "parallel_tool_calls": false)", R"(, "tool_choice": "required")"}) {
    const Json called = ask(open, more).json();
    EXPECT_EQ(called["choices"][0]["finish_reason"], "tool_calls") << called;
    EXPECT_TRUE(called["choices"][0]["message"]["content"].is_null()) << called;
    const Json calls = called["choices"][0]["message"]["tool_calls"];
    if (*more != 0) { EXPECT_EQ(calls.size(), 1u); }
    for (const Json& call : calls)
      EXPECT_TRUE(parse_json(call["function"]["arguments"].get<std::string>(), "arguments").is_object()) << called;
  }
  std::string streamed;
  for (const Json& event : events_of(ask(brace, R"(, "stream": true)").body))
    streamed += event["choices"][0]["delta"].value("content", "");
  EXPECT_EQ(streamed, message["content"]);
}

// A tool that may be called only with an object; a schema in the way of a member's name.
TEST(Server, ForcedCallsWithOddParameters) {
  LiveServer live;
  const auto forced = [&](const std::string& parameters) {
    return live.post(LiveServer::chat(
        R"("seed": 1, "tool_choice": "required", "tools": [{"type": "function", "function": {"name": "f", "parameters": )" +
        parameters + "}}]"));
  };
  for (const char* parameters :
       {R"({"type": "string"})", R"({"type": "array", "items": {"type": "null"}})", R"({"type": ["null", "string"]})",
        R"({"$ref": "#/$defs/s", "$defs": {"s": {"type": "string"}}})"}) {
    const HttpAnswer answer = forced(parameters);
    EXPECT_EQ(answer.status, 400) << parameters << answer.body;
    EXPECT_EQ(answer.json()["error"]["code"], "invalid_schema") << answer.body;
    EXPECT_EQ(answer.json()["error"]["param"], "tools") << answer.body;
  }
  const Json json = forced(R"({"type": ["object", "null"], "properties": {"default": {"$ref": "#/$defs/enum"}},
    "required": ["default"], "additionalProperties": false, "$defs": {"enum": {"enum": ["x", "y"]}}})")
                        .json();
  const Json& call = json["choices"][0]["message"]["tool_calls"][0];
  const Json arguments = parse_json(call["function"]["arguments"].get<std::string>(), "arguments");
  EXPECT_TRUE(arguments["default"] == "x" || arguments["default"] == "y") << json;
}

// An answer that breaks off inside a call has made none: by a stop string, or at its longest.
TEST(Server, CallsThatBreakOff) {
  LiveServer live;
  const std::string forced =
      R"("seed": 1, "tool_choice": "required", "tools": [{"type": "function", "function": {"name": "f", "parameters":
    {"type": "object", "properties": {"a": {"const": ")" +
      std::string(2000, 'b') + R"("}}, "required": ["a"], "additionalProperties": false}}}])";
  const std::string stopped = R"(, "stop": ["bbbb"])", cut = R"(, "max_tokens": 1200)";
  for (const std::string& end : {stopped, cut}) {
    const char* reason = end == cut ? "length" : "stop";
    const Json whole = live.post(LiveServer::chat(forced + end)).json();
    EXPECT_EQ(whole["choices"][0]["finish_reason"], reason) << whole;
    EXPECT_FALSE(whole["choices"][0]["message"].contains("tool_calls")) << whole;
    const std::vector<Json> events = events_of(live.post(LiveServer::chat(forced + end + R"(, "stream": true)")).body);
    EXPECT_EQ(events.back()["choices"][0]["finish_reason"], reason);
  }
}

// What was made for a client that left counts, taken or not.
TEST(Server, MetricsOfCancelledAnswers) {
  LiveServer live;
  for (const char* more : {"", R"(, "stream": true)"}) {
    const int64_t before = live.engine.status().steps;
    TestClient client(live.server.port());
    client.ask("POST", "/v1/chat/completions",
               LiveServer::chat(std::string(R"("logit_bias": {"97": 100}, "max_tokens": 4000, "n": 4)") + more));
    while (live.engine.status().steps < before + 4) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    client.close();
    EXPECT_TRUE(live.becomes_idle());
    const std::string told = std::string("fude_time_to_first_token_seconds_count ") + (*more == 0 ? "1\n" : "2\n");
    std::string metrics;
    for (int i = 0; i < 1000 && metrics.find(told) == std::string::npos; ++i) {
      metrics = live.ask("GET", "/metrics").body;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_NE(metrics.find(told), std::string::npos) << metrics;
    EXPECT_EQ(metrics.find("fude_completion_tokens_total 0\n"), std::string::npos) << metrics;
  }
}

TEST(Server, ABiasOfATokenThatThereIsNot) {
  LiveServer live;
  const Json error = live.post(LiveServer::chat(R"("logit_bias": {"100000": 1})")).json()["error"];
  EXPECT_EQ(error["param"], "logit_bias");
  EXPECT_EQ(error["code"], "invalid_value");
}

}  // namespace
}  // namespace fude
