// Clients that read or send slowly: those that go on get all of their reply, those that do not are dropped.
#include "base/clock.h"
#include "tests/support/serve_case.h"

namespace fude {
namespace {

// Of a reply, by its head.
size_t whole_size(const std::string& begun) {
  return std::stoul(begun.substr(begun.find("content-length: ") + 16)) + begun.find("\r\n\r\n") + 4;
}

TEST(SlowClients, SlowReadersAreDropped) {
  LiveServer live({}, {.write_seconds = 0.5});
  TestClient client(live.server.port());
  client.ask(
      "POST", "/v1/chat/completions",
      LiveServer::chat(
          R"("max_tokens": 4000, "logit_bias": {"257": -100}, "n": 64, "logprobs": true, "top_logprobs": 20, "stream": true)"));
  ASSERT_TRUE(client.read_to("\r\n\r\n"));
  for (int i = 0; i < 500 && live.engine.status().running < 1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_GT(live.engine.status().running, 0);
  EXPECT_TRUE(client.so_far().starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(live.becomes_idle());
  EXPECT_LT(live.engine.status().tokens, 64 * kEndlessTokens);  // it was not done: nothing was read
}

// A reply may take as long as it likes while its reader goes on.
TEST(SlowClients, SteadyReadersGetAll) {
  LiveServer live({}, {.write_seconds = 10});
  TestClient client(live.server.port(), 64 << 10);
  client.ask("POST", "/v1/chat/completions",
             LiveServer::chat(
                 R"("max_tokens": 120, "logit_bias": {"257": -100}, "n": 32, "logprobs": true, "top_logprobs": 20)"));
  ASSERT_TRUE(client.read_to("\r\n\r\n"));
  const size_t whole = whole_size(client.so_far());
  size_t size = client.so_far().size();
  ASSERT_GT(whole, size_t(3 << 20));
  for (ssize_t n = 1; n > 0 && size < whole; size += size_t(std::max<ssize_t>(0, n))) {
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    n = client.skip(64 << 10);
  }
  EXPECT_EQ(size, whole);
}

// The socket is not writable in all that time: what its reader takes is too little for that.
TEST(SlowClients, SlowReadersThatGoOnGetAll) {
  LiveServer live({}, {.write_seconds = 1.5});
  TestClient client(live.server.port(), 4 << 10);
  client.ask("POST", "/v1/chat/completions",
             LiveServer::chat(
                 R"("max_tokens": 120, "logit_bias": {"257": -100}, "n": 12, "logprobs": true, "top_logprobs": 20)"));
  ASSERT_TRUE(client.read_to("\r\n\r\n"));
  const size_t whole = whole_size(client.so_far());
  size_t size = client.so_far().size();
  ASSERT_GT(whole, size_t(1 << 20));
  const double began = now_seconds();
  for (ssize_t n = 1; n > 0 && size < whole; size += size_t(std::max<ssize_t>(0, n))) {
    if (now_seconds() - began < 4) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    n = client.skip(6 << 10);
  }
  EXPECT_EQ(size, whole);
}

TEST(SlowClients, SlowSendersAreDropped) {
  LiveServer live({}, {.header_seconds = 0.2, .body_seconds = 0.2, .idle_seconds = 0.2});
  TestClient silent(live.server.port()), headers(live.server.port()), body(live.server.port());
  headers.send("GET /health HTTP/1.1\r\n");
  body.send(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: "
      "9\r\n\r\n{");
  EXPECT_FALSE(silent.read_to("\r\n\r\n"));
  for (TestClient* client : {&headers, &body}) {
    const HttpAnswer answer = client->answer();
    EXPECT_EQ(answer.status, 408);
    EXPECT_EQ(answer.json()["error"]["code"], "request_timeout");
    EXPECT_FALSE(client->read_to("HTTP/"));
  }
}

}  // namespace
}  // namespace fude
