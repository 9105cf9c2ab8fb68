// What a server refuses, and what becomes of connections: many requests, clients that go.
#include <sys/resource.h>

#include <array>
#include <atomic>
#include <map>

#include "base/clock.h"
#include "tests/support/serve_case.h"

namespace fude {
namespace {

// Takes as long to serve a POST as it is held.
class HeldHandler : public HttpHandler {
 public:
  void start(std::function<void()>) override {}
  bool refuses(const HttpRequest&, HttpReply&) override { return false; }
  HttpReply serve(const HttpRequest& request) override {
    if (request.method == "POST") ++begun;
    while (request.method == "POST" && is_held) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {.body = "{}"};
  }
  void replied(const HttpRequest&, int status) override { ++replies[size_t(status)]; }

  std::atomic<bool> is_held = true;
  std::atomic<int> begun = 0;
  std::array<std::atomic<int>, 600> replies{};  // by status
};

// Whether it comes to that in 10 s.
bool becomes(const std::atomic<int>& count, int wanted) {
  for (int i = 0; i < 1000 && count != wanted; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return count == wanted;
}

// Clients that have asked for what takes long to begin.
std::vector<std::unique_ptr<TestClient>> askers(const HttpServer& server, int count) {
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<TestClient>(server.port()));
    clients.back()->ask("POST", "/slow", "{}");
  }
  return clients;
}

TEST(Connections, Refusals) {
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
  for (const char* host : {"127.0.0.1", "[::1]:8080", "localhost:1", "127.0.0.2", "LocalHost:18099", "localhost."}) {
    TestClient here(live.server.port());
    here.send(std::string("GET /v1/models HTTP/1.1\r\nhost: ") + host + "\r\n\r\n");
    EXPECT_EQ(here.answer().status, 200) << host;
  }
  // A whole address instead of a path has the host in it.
  for (const auto& [target, status] : std::map<std::string, int>{{"http://localhost:1/health", 200},
                                                                 {"HTTP://127.0.0.1", 200},
                                                                 {"http://localhost?x", 200},
                                                                 {"http://elsewhere.example/health", 403}}) {
    TestClient absolute(live.server.port());
    absolute.send("GET " + target + " HTTP/1.1\r\nhost: localhost\r\n\r\n");
    EXPECT_EQ(absolute.answer().status, status) << target;
  }
  EXPECT_EQ(live.ask("GET", "/health", "", "x: " + std::string(20000, 'a') + "\r\n").status, 431);
  std::string many;
  for (int i = 0; i < 120; ++i) many += "x" + std::to_string(i) + ": 1\r\n";
  EXPECT_EQ(live.ask("GET", "/health", "", many).status, 431);
}

TEST(Connections, Key) {
  LiveServer live({.key = "secret"});
  for (const char* path : {"/v1/models", "/metrics", "/v1/nothing", "/v1/models/tiny"}) {
    EXPECT_EQ(live.ask("GET", path).status, 401) << path;
    EXPECT_EQ(live.ask("GET", path, "", "authorization: Bearer secreT\r\n").status, 401) << path;
    EXPECT_EQ(live.ask("GET", path, "", "authorization: Bearer \r\n").status, 401) << path;
    EXPECT_NE(live.ask("GET", path, "", "authorization: Bearer secret\r\n").status, 401) << path;
    EXPECT_NE(live.ask("GET", path, "", "authorization: bearer secret\r\n").status, 401) << path;
  }
  const HttpAnswer keyless = live.post(LiveServer::chat());
  EXPECT_EQ(keyless.json()["error"]["code"], "invalid_api_key");
  EXPECT_NE(keyless.head.find("www-authenticate: Bearer\r\n"), std::string::npos);
  EXPECT_EQ(live.ask("GET", "/health").status, 200);
  EXPECT_EQ(live.ask("GET", "/").status, 200);
}

TEST(Connections, ManyRequestsOnOneConnection) {
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
TEST(Connections, RequestsHaveOneEnd) {
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
  LiveServer with_key({.key = "secret", .is_local = false});
  for (const LiveServer* server : {&live, &with_key}) {
    TestClient hostless(server->server.port());
    hostless.send("GET /health HTTP/1.1\r\n\r\n");
    const HttpAnswer answer = hostless.answer();
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.json()["error"]["code"], "bad_http");
  }
  TestClient before_hosts(with_key.server.port());
  before_hosts.send("GET /health HTTP/1.0\r\n\r\n");
  EXPECT_EQ(before_hosts.answer().status, 200);
  TestClient old(live.server.port());
  old.send(
      "GET /health HTTP/1.0\r\nhost: localhost\r\nconnection: "
      "keep-alive\r\n\r\n");
  EXPECT_NE(old.answer().head.find("connection: close"), std::string::npos);
  EXPECT_FALSE(old.read_to("HTTP/"));
}

TEST(Connections, OnlyNewClientsAreToldToContinue) {
  LiveServer live;
  for (const char* version : {"1.0", "1.1"}) {
    TestClient client(live.server.port());
    client.send(std::string("POST /v1/chat/completions HTTP/") + version +
                "\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1\r\nexpect: "
                "100-continue\r\n\r\n");
    const bool is_new = version == std::string("1.1");
    EXPECT_TRUE(!is_new || client.read_to("100 Continue\r\n\r\n"));
    client.send("{");
    EXPECT_TRUE(client.read_to("HTTP/1.1 400 ")) << version;
    EXPECT_EQ(client.so_far().starts_with("HTTP/1.1 100 "), is_new);
  }
}

TEST(Connections, CharactersAreWholeInStreams) {
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

TEST(Connections, TooManyConnections) {
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

// They get to read why, though nothing of what they send is wanted.
TEST(Connections, SurplusClientsMaySendAll) {
  HeldHandler handler;
  HttpServer server(handler, {.connections = 1});
  TestClient first(server.port());
  first.ask("GET", "/");
  EXPECT_EQ(first.answer().status, 200);
  TestClient second(server.port());
  second.ask("POST", "/slow", std::string(2 << 20, ' '));
  const HttpAnswer answer = second.answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.json()["error"]["code"], "server_is_overloaded");
}

TEST(Connections, DescriptorsAreRaised) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  if (before.rlim_max < 2048) GTEST_SKIP() << "no more than " << before.rlim_max << " descriptors";
  const rlimit low{.rlim_cur = 512, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  HeldHandler handler;
  const HttpServer server(handler, {.connections = 1024});
  rlimit now{};
  EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &now), 0);
  EXPECT_GT(now.rlim_cur, 1024u);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(Connections, ThoseThatGoAreNotBegun) {
  HeldHandler handler;
  HttpServer server(handler, {});
  const auto first = askers(server, 1);
  EXPECT_TRUE(becomes(handler.begun, 1));
  askers(server, 20);  // gone at once
  EXPECT_TRUE(becomes(handler.replies[499], 20));
  const auto last = askers(server, 1);
  handler.is_held = false;
  EXPECT_EQ(first[0]->answer().status, 200);
  EXPECT_EQ(last[0]->answer().status, 200);
  EXPECT_EQ(handler.begun, 2);
}

TEST(Connections, ALongLineIsRefused) {
  HeldHandler handler;
  HttpServer server(handler, {.waiting = 2});
  const auto first = askers(server, 1);
  EXPECT_TRUE(becomes(handler.begun, 1));
  const auto others = askers(server, 5);
  EXPECT_TRUE(becomes(handler.replies[503], 3));
  handler.is_held = false;
  EXPECT_EQ(first[0]->answer().status, 200);
  int answered = 0;
  for (const auto& client : others) {
    const HttpAnswer answer = client->answer();
    if (answer.status == 200) ++answered;
    if (answer.status == 200) continue;
    EXPECT_EQ(answer.json()["error"]["code"], "server_is_overloaded");
    EXPECT_NE(answer.head.find("retry-after: 1"), std::string::npos);
  }
  EXPECT_EQ(answered, 2);
}

// At once, while what is under way still is.
TEST(Connections, ShutdownEndsTheLine) {
  HeldHandler handler;
  HttpServer server(handler, {.waiting = 3});
  const auto first = askers(server, 1);
  EXPECT_TRUE(becomes(handler.begun, 1));
  const auto others = askers(server, 4);
  EXPECT_TRUE(becomes(handler.replies[503], 1));  // the fourth of them: the others stand in line
  std::thread stop([&] { server.stop(); });
  int full = 0, ended = 0;
  for (const auto& client : others) {
    const std::string body = client->answer().body;
    full += body.find("server_is_overloaded") != std::string::npos;
    ended += body.find("server_shutdown") != std::string::npos;
  }
  EXPECT_EQ(full, 1);
  EXPECT_EQ(ended, 3);
  handler.is_held = false;
  EXPECT_EQ(first[0]->answer().status, 200);
  stop.join();
  EXPECT_EQ(handler.begun, 1);
}

TEST(Connections, ClientsThatGoFreeTheirSlot) {
  LiveServer live({}, {}, {.cache_tokens = 32 * 4096});  // room for all: none has to wait
  const std::string endless = R"("max_tokens": 4000, "logit_bias": {"257": -100}, "n": 16)";
  {
    TestClient stream(live.server.port()), whole(live.server.port());
    stream.ask("POST", "/v1/chat/completions", LiveServer::chat(endless + R"(, "stream": true)"));
    whole.ask("POST", "/v1/chat/completions", LiveServer::chat(endless));
    ASSERT_TRUE(stream.read_to("content\":\"\"}"));
    for (int i = 0; i < 500 && live.engine.status().running < 32; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(live.engine.status().running, 32);
  }
  EXPECT_TRUE(live.becomes_idle());
  EXPECT_LT(live.engine.status().tokens, 16 * kEndlessTokens);  // neither request went on
}

// Behind what has not been read yet, the end of a connection shows as well.
TEST(Connections, ClientsThatAskAheadAndGoFreeTheirSlot) {
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
  EXPECT_TRUE(live.becomes_idle());
  EXPECT_LT(live.engine.status().tokens, 128 * kEndlessTokens);  // it was not done
}

TEST(Connections, AFullQueueSaysWhenToComeBack) {
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

// What is said between two looks goes out as one delta, and nothing of it is lost. (A machine that is busy may look
// more rarely: there are at most as many deltas as the time has room for.)
TEST(Connections, StreamsAreToldInTurns) {
  constexpr double kNewsSeconds = 0.3;
  std::string texts[2];
  size_t events = 0;
  double seconds = 0;
  for (const bool waits : {false, true}) {
    LiveServer live({}, {.news_seconds = waits * kNewsSeconds});
    const double began = now_seconds();
    const HttpAnswer answer =
        live.post(LiveServer::chat(R"("max_tokens": 300, "logit_bias": {"257": -100}, "seed": 1, "stream": true)"));
    seconds = now_seconds() - began, events = 0;
    for (const Json& event : events_of(answer.body)) {
      if (const Json& delta = event["choices"][0]["delta"]; delta.contains("content"))
        texts[waits] += delta["content"].get<std::string>();
      ++events;
    }
  }
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_LE(double(events), seconds / kNewsSeconds + 4);  // and the first, the last, and what stands around them
}

// What may become a stop string is held back: to the client these tokens are silence.
TEST(Connections, SilenceIsBrokenWhileTokensAreHeldBack) {
  LiveServer live({}, {.news_seconds = 0.004, .ping_seconds = 0.02});
  const std::string stop(1024, 'a');
  const HttpAnswer answer = live.post(
      LiveServer::chat(R"("max_tokens": 1000, "logit_bias": {"97": 100}, "stream": true, "stop": ")" + stop + "\""));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(answer.body.find(": ping\n\n"), std::string::npos);
  std::string text;
  for (const Json& event : events_of(answer.body))
    if (const Json& delta = event["choices"][0]["delta"]; delta.contains("content"))
      text += delta["content"].get<std::string>();
  EXPECT_EQ(text, stop.substr(0, 1000));
}

TEST(Connections, ShutdownEndsStreamsWithAnError) {
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

TEST(Connections, ManyStreamsAtOnce) {
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
