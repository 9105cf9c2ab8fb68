#include "tests/support/serve_case.h"

#include <cmath>
#include <map>

#include "base/random.h"

namespace fude {
namespace {

constexpr const char* kTools = R"("tools": [
  {"type": "function", "function": {"name": "weather", "parameters": {"type": "object",
    "properties": {"city": {"enum": ["Oslo", "東京"]}, "days": {"$ref": "#/$defs/n"}}, "required": ["city", "days"],
    "additionalProperties": false, "$defs": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}}}},
  {"type": "function", "function": {"name": "clock"}}])";

std::string text_of(const Json& choice) { return choice["message"]["content"]; }

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
    EXPECT_LE(one["count"].get<int64_t>(), counts[one["answer"]]);
    told += one["count"].get<int64_t>();
  }
  EXPECT_GT(told, 40 / 2);
  EXPECT_LE(voted["usage"]["completion_tokens"], all["usage"]["completion_tokens"]);
  EXPECT_TRUE(live.becomes_idle());
  EXPECT_EQ(live.post(LiveServer::chat(R"("vote": 3, "stream": true)")).status, 400);
  EXPECT_EQ(live.post(LiveServer::chat(R"("vote": 3, "n": 2)")).status, 400);
  EXPECT_EQ(live.post(LiveServer::chat(R"("vote": 1)")).status, 400);
  EXPECT_EQ(live.post(LiveServer::chat(std::string(R"("vote": 3, )") + kTools)).status, 400);
}

// Of answers that ended, the reply is the one of the highest score, or that which the scores vote for.
TEST(Server, ChosenByAScorer) {
  Device device(1);
  auto trunk = std::make_unique<Transformer>(device, LiveServer::config());
  trunk->initialise(7);
  ScorerModel scorer = make_scorer(std::move(trunk));
  std::vector<float> head(size_t(2 * scorer.head_2C.cols()));
  Random random{4, 0};
  for (float& x : head) x = float(random.normal());
  scorer.head_2C.set_rows(0, 2, head.data());
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
  for (const Json& event : events_of(live.post(LiveServer::chat(named + R"(, "stream": true)")).body)) {
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

TEST(Server, Refusals) {
  LiveServer live;
  const auto expect = [&](const HttpAnswer& answer, int status, const char* code) {
    EXPECT_EQ(answer.status, status) << answer.body;
    const Json error = answer.json()["error"];
    EXPECT_EQ(error["code"], code) << answer.body;
    for (const char* key : {"message", "type", "param"}) EXPECT_TRUE(error.contains(key));
  };
  expect(live.post("{"), 400, "invalid_json");
  expect(live.post(LiveServer::chat(R"("temperature": 9)")), 400, "invalid_value");
  expect(live.post(LiveServer::chat(R"("logit_bias": {"100000": 1})")), 400, "invalid_value");
  expect(live.post(R"({"model": "gpt-9", "messages": [{"role": "user", "content": "hi"}]})"), 404, "model_not_found");
  expect(live.post(LiveServer::chat("", std::string(5000, 'a'))), 400, "context_length_exceeded");
  expect(live.post(std::string((1 << 20) + 1, ' ')), 413, "request_too_large");
  expect(live.ask("GET", "/v1/threads"), 404, "unknown_url");
  const HttpAnswer method = live.ask("GET", "/v1/chat/completions");
  expect(method, 405, "method_not_allowed");
  EXPECT_NE(method.head.find("allow: POST"), std::string::npos);
  TestClient text(live.server.port());
  text.send(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ncontent-length: "
      "2\r\n\r\n{}");
  expect(text.answer(), 415, "unsupported_media_type");
  TestClient nonsense(live.server.port());
  nonsense.send("hello?\r\n\r\n");
  expect(nonsense.answer(), 400, "bad_http");
  expect(live.ask("GET", "/v1/models", "", "origin: https://elsewhere.example\r\n"), 403, "forbidden_origin");
  TestClient rebound(live.server.port());
  rebound.send("GET /v1/models HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n");
  expect(rebound.answer(), 403, "forbidden_host");
  TestClient likewise(live.server.port());
  likewise.send("GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1.elsewhere.example\r\n\r\n");
  expect(likewise.answer(), 403, "forbidden_host");
  for (const char* host : {"127.0.0.1", "[::1]:8080", "localhost:1", "127.0.0.2"}) {
    TestClient here(live.server.port());
    here.send(std::string("GET /v1/models HTTP/1.1\r\nhost: ") + host + "\r\n\r\n");
    EXPECT_EQ(here.answer().status, 200) << host;
  }
  EXPECT_EQ(live.ask("GET", "/health", "", "x: " + std::string(20000, 'a') + "\r\n").status, 431);
  std::string many;
  for (int i = 0; i < 120; ++i) many += "x" + std::to_string(i) + ": 1\r\n";
  EXPECT_EQ(live.ask("GET", "/health", "", many).status, 431);
}

TEST(Server, Key) {
  LiveServer live({.key = "secret"});
  for (const char* path : {"/v1/models", "/metrics", "/v1/nothing", "/v1/models/tiny"}) {
    EXPECT_EQ(live.ask("GET", path).status, 401) << path;
    EXPECT_EQ(live.ask("GET", path, "", "authorization: Bearer secreT\r\n").status, 401) << path;
    EXPECT_EQ(live.ask("GET", path, "", "authorization: Bearer \r\n").status, 401) << path;
    EXPECT_NE(live.ask("GET", path, "", "authorization: Bearer secret\r\n").status, 401) << path;
  }
  EXPECT_EQ(live.post(LiveServer::chat()).json()["error"]["code"], "invalid_api_key");
  EXPECT_EQ(live.ask("GET", "/health").status, 200);
  EXPECT_EQ(live.ask("GET", "/").status, 200);
}

TEST(Server, ManyRequestsOnOneConnection) {
  LiveServer live;
  TestClient client(live.server.port());
  for (int i = 0; i < 3; ++i) {
    client.ask("POST", "/v1/chat/completions",
               LiveServer::chat(R"("max_tokens": 3, "stream": )" + std::string(i % 2 ? "true" : "false")));
    EXPECT_EQ(client.answer().status, 200);
  }
  // Two at once.
  client.ask("GET", "/health");
  client.ask("GET", "/v1/models");
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(client.answer().json()["object"], "list");
}

// What a proxy in front may take for another request than the server does is no request.
TEST(Server, RequestsHaveOneEnd) {
  LiveServer live;
  for (const char* head : {
           "1.1\r\ntransfer-encoding: xchunked\r\ncontent-length: 3\r\n",
           "1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n",
           "1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n",
           "1.1\r\ntransfer-encoding: chunked, identity\r\n",
           "1.1\r\ntransfer-encoding: identity, chunked\r\n",
           "1.1\r\ntransfer-encoding: identity\r\ntransfer-encoding: "
           "chunked\r\n",
           "1.1\r\ntransfer-encoding: \r\n",
           "1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n",
           "1.1\r\ncontent-length: 3\r\ncontent-length: 0\r\n",
           "1.1\r\ncontent-length: 3\r\ncontent-length: 3\r\n",
           "1.1\r\ncontent-length: 3, 0\r\n",
           "1.1\r\ncontent-length: +3\r\n",
           "1.1\r\ncontent-length : 3\r\n",
           "1.1\r\nhost: elsewhere.example\r\n",
       }) {
    TestClient client(live.server.port());
    client.send(std::string("GET /health HTTP/") + head + "host: localhost\r\n\r\n0\r\n\r\n");
    const HttpAnswer answer = client.answer();
    EXPECT_EQ(answer.status, 400) << head;
    EXPECT_NE(answer.head.find("connection: close"), std::string::npos) << head;
    EXPECT_FALSE(client.read_to("HTTP/")) << head;
  }
  TestClient old(live.server.port());
  old.send(
      "GET /health HTTP/1.0\r\nhost: localhost\r\nconnection: "
      "keep-alive\r\n\r\n");
  EXPECT_NE(old.answer().head.find("connection: close"), std::string::npos);
  EXPECT_FALSE(old.read_to("HTTP/"));
}

TEST(Server, CharactersAreWholeInStreams) {
  LiveServer live;
  const std::string words = "東京、café 🗻";
  const HttpAnswer answer = live.post(LiveServer::chat(
      R"("stream": true, "response_format": {"type": "json_schema", "json_schema": {"name": "n",
    "schema": {"const": ")" +
      words + "\"}}}"));
  std::string text;
  for (const Json& event : events_of(answer.body))  // each is read as JSON, which is whole characters
    if (const Json& delta = event["choices"][0]["delta"]; delta.contains("content"))
      text += delta["content"].get<std::string>();
  EXPECT_EQ(text, "\"" + words + "\"");
}

TEST(Server, TooManyConnections) {
  LiveServer live({}, {.connections = 2});
  TestClient first(live.server.port());
  auto second = std::make_unique<TestClient>(live.server.port());
  for (TestClient* client : {&first, second.get()}) {
    client->ask("GET", "/health");
    EXPECT_EQ(client->answer().status, 200);
  }
  const HttpAnswer third = TestClient(live.server.port()).answer();
  EXPECT_EQ(third.status, 503);
  EXPECT_NE(third.head.find("retry-after: 1"), std::string::npos);
  second.reset();
  int status = 0;
  for (int i = 0; i < 500 && status != 200; ++i) {
    TestClient again(live.server.port());
    again.ask("GET", "/health");
    status = again.answer().status;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(status, 200);
}

TEST(Server, ClientsThatGoFreeTheirSlot) {
  LiveServer live;
  const std::string endless = R"("max_tokens": 4000, "logit_bias": {"257": -100}, "n": 2)";
  {
    TestClient stream(live.server.port()), whole(live.server.port());
    stream.ask("POST", "/v1/chat/completions", LiveServer::chat(endless + R"(, "stream": true)"));
    whole.ask("POST", "/v1/chat/completions", LiveServer::chat(endless));
    ASSERT_TRUE(stream.read_to("content\":\"\"}"));
    for (int i = 0; i < 500 && live.engine.status().running < 4; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(live.engine.status().running, 4);
  }
  EXPECT_TRUE(live.becomes_idle());
}

// Behind what has not been read yet, the end of a connection shows as well.
TEST(Server, ClientsThatAskAheadAndGoFreeTheirSlot) {
  LiveServer live;
  {
    TestClient client(live.server.port());
    client.ask("POST", "/v1/chat/completions",
               LiveServer::chat(R"("max_tokens": 4000, "logit_bias": {"257": -100}, "n": 128)"));
    for (int i = 0; i < 500 && live.engine.status().running < 1; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_GT(live.engine.status().running, 0);
    client.ask("GET", "/health");
  }
  EXPECT_TRUE(live.becomes_idle());  // long before it is done
}

TEST(Server, AFullQueueSaysWhenToComeBack) {
  LiveServer live({}, {}, {.batch = 1, .queued_requests = 1});
  TestClient first(live.server.port()), second(live.server.port());
  const std::string endless = LiveServer::chat(R"("max_tokens": 4000, "logit_bias": {"257": -100}, "stream": true)");
  first.ask("POST", "/v1/chat/completions", endless);
  for (int i = 0; i < 500 && live.engine.status().running < 1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  second.ask("POST", "/v1/chat/completions", endless);
  ASSERT_TRUE(second.read_to("\r\n\r\n"));
  const HttpAnswer third = live.post(endless);
  EXPECT_EQ(third.status, 429) << third.body;
  EXPECT_NE(third.head.find("retry-after: "), std::string::npos);
  EXPECT_EQ(third.json()["error"]["code"], "rate_limit_exceeded");
}

TEST(Server, SlowReadersAreDropped) {
  LiveServer live({}, {.write_seconds = 0.5});
  TestClient client(live.server.port());
  client.ask(
      "POST", "/v1/chat/completions",
      LiveServer::chat(
          R"("max_tokens": 4000, "logit_bias": {"257": -100}, "n": 64, "logprobs": true, "top_logprobs": 20, "stream": true)"));
  ASSERT_TRUE(client.read_to("\r\n\r\n"));
  for (int i = 0; i < 500 && live.engine.status().running < 1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(live.becomes_idle());  // long before it is done: nothing was read
}

// A reply may take as long as it likes while its reader goes on.
TEST(Server, SteadyReadersGetAll) {
  LiveServer live({}, {.write_seconds = 1});
  TestClient client(live.server.port(), 64 << 10);
  client.ask("POST", "/v1/chat/completions",
             LiveServer::chat(
                 R"("max_tokens": 120, "logit_bias": {"257": -100}, "n": 32, "logprobs": true, "top_logprobs": 20)"));
  ASSERT_TRUE(client.read_to("\r\n\r\n"));
  const std::string& begun = client.so_far();
  const size_t whole = std::stoul(begun.substr(begun.find("content-length: ") + 16)) + begun.find("\r\n\r\n") + 4;
  size_t size = begun.size();
  ASSERT_GT(whole, size_t(3 << 20));
  for (ssize_t n = 1; n > 0 && size < whole; size += size_t(std::max<ssize_t>(0, n))) {
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    n = client.skip(64 << 10);
  }
  EXPECT_EQ(size, whole);
}

TEST(Server, SlowSendersAreDropped) {
  LiveServer live({}, {.header_seconds = 0.2, .body_seconds = 0.2, .idle_seconds = 0.2});
  TestClient silent(live.server.port()), headers(live.server.port()), body(live.server.port());
  headers.send("GET /health HTTP/1.1\r\n");
  body.send(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: "
      "9\r\n\r\n{");
  EXPECT_FALSE(silent.read_to("\r\n\r\n"));
  EXPECT_FALSE(headers.read_to("\r\n\r\n"));
  EXPECT_FALSE(body.read_to("\r\n\r\n"));
}

TEST(Server, ShutdownEndsStreamsWithAnError) {
  auto live = std::make_unique<LiveServer>();
  TestClient stream(live->server.port()), whole(live->server.port()), idle(live->server.port());
  const std::string endless = R"("max_tokens": 4000, "logit_bias": {"257": -100})";
  stream.ask("POST", "/v1/chat/completions", LiveServer::chat(endless + R"(, "stream": true)"));
  whole.ask("POST", "/v1/chat/completions", LiveServer::chat(endless));
  ASSERT_TRUE(stream.read_to("content\":\"\"}"));
  for (int i = 0; i < 500 && live->engine.status().running < 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  live->server.stop();
  const HttpAnswer streamed = stream.answer(), answered = whole.answer();
  const std::vector<Json> events = events_of(streamed.body, false);
  EXPECT_EQ(events.back()["error"]["code"], "server_shutdown");
  EXPECT_EQ(answered.status, 503);
  EXPECT_FALSE(idle.read_to("x"));
}

TEST(Server, ManyStreamsAtOnce) {
  LiveServer live({}, {}, {.cache_tokens = 4096});
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(std::make_unique<TestClient>(live.server.port()));
    clients.back()->ask("POST", "/v1/chat/completions",
                        LiveServer::chat(R"("max_tokens": 20, "stream": true, "seed": )" + std::to_string(i % 2)));
  }
  std::string texts[2];
  for (size_t i = 0; i < clients.size(); ++i) {
    std::string text;
    for (const Json& event : events_of(clients[i]->answer().body))
      if (const Json& delta = event["choices"][0]["delta"]; delta.contains("content"))
        text += delta["content"].get<std::string>();
    if (i < 2) texts[i] = text;
    EXPECT_EQ(text, texts[i % 2]);
  }
}

}  // namespace
}  // namespace fude
