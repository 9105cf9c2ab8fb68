// A live server with a tiny random model, and a client of a page for it.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "base/json.h"
#include "serve/api.h"
#include "serve/http_server.h"
#include "tests/support/engine_case.h"
#include "text/tokenizer_file.h"

namespace fude {

// An answer of 4,000 tokens that nobody ends runs all of them but its last.
inline constexpr int64_t kEndlessTokens = 3999;

// ChatML with tools, as Qwen's templates have them.
inline constexpr const char* kChatMl = R"({%- if tools %}<|im_start|>system
<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools><|im_end|>
{% endif %}{%- for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}{% if m.tool_calls %}{% for c in m.tool_calls %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}{% endif %}<|im_end|>
{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined and not enable_thinking %}<think>

</think>

{% endif %}{% endif %})";

// A token for each byte, and what marks turns.
inline Tokenizer chat_tokenizer(const std::string& chat_template = kChatMl) {
  TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) data.vocabulary.tokens.push_back(std::string(1, char(byte)));
  data.added = {{.id = 256, .content = "<|im_start|>"}, {.id = 257, .content = "<|im_end|>"}};
  data.end_tokens = {257};
  data.chat_template = chat_template;
  return Tokenizer(data);
}

struct HttpAnswer {
  int status = 0;
  std::string head, body;
  Json json() const { return parse_json(body, "answer"); }
};

// One connection, blocking.
class TestClient {
 public:
  explicit TestClient(uint16_t port, int receive_buffer = 0) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET, address.sin_port = htons(port), address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    timeval limit{.tv_sec = 60, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~TestClient() { close(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  void send(const std::string& bytes) {
    EXPECT_EQ(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL), ssize_t(bytes.size()));
  }
  void ask(const std::string& method, const std::string& path, const std::string& body = "",
           const std::string& headers = "") {
    send(method + " " + path + " HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n" + headers +
         (body.empty() && method == "GET" ? "" : "content-length: " + std::to_string(body.size()) + "\r\n") + "\r\n" +
         body);
  }
  // Reads until `mark` has come; false at the end of the connection.
  bool read_to(const std::string& mark) {
    char bytes[4096];
    while (read_.find(mark) == std::string::npos) {
      const ssize_t n = ::recv(socket_, bytes, sizeof bytes, 0);
      if (n <= 0) return false;
      read_.append(bytes, size_t(n));
    }
    return true;
  }
  const std::string& so_far() const { return read_; }
  // Up to so many bytes, thrown away; 0 at the end.
  ssize_t skip(size_t size) {
    std::string bytes(size, '\0');
    return ::recv(socket_, bytes.data(), size, 0);
  }

  HttpAnswer answer() {
    HttpAnswer answer;
    if (!read_to("\r\n\r\n")) return answer;
    const size_t end = read_.find("\r\n\r\n") + 4;
    answer.head = read_.substr(0, end);
    read_.erase(0, end);
    answer.status = std::stoi(answer.head.substr(9));
    if (const size_t at = answer.head.find("content-length: "); at != std::string::npos) {
      const size_t size = std::stoul(answer.head.substr(at + 16));
      while (read_.size() < size && read_more()) {}
      answer.body = read_.substr(0, size);
      read_.erase(0, size);
    } else if (answer.head.find("chunked") != std::string::npos) {
      for (;;) {
        if (!read_to("\r\n")) return answer;
        const size_t line = read_.find("\r\n"), size = std::stoul(read_, nullptr, 16);
        while (read_.size() < line + 2 + size + 2 && read_more()) {}
        answer.body += read_.substr(line + 2, size);
        read_.erase(0, line + 2 + size + 2);
        if (size == 0) break;
      }
    } else {
      while (read_more()) {}
      answer.body = std::exchange(read_, {});
    }
    return answer;
  }

 private:
  bool read_more() {
    char bytes[4096];
    const ssize_t n = ::recv(socket_, bytes, sizeof bytes, 0);
    if (n > 0) read_.append(bytes, size_t(n));
    return n > 0;
  }
  int socket_;
  std::string read_;
};

struct LiveServer {
  explicit LiveServer(ApiOptions api_options = {}, HttpOptions http_options = {}, EngineOptions engine_options = {},
                      const Tokenizer& tokenizer = chat_tokenizer())
      : model(device, config()),
        engine((model.initialise(3), model), default_kernels(), std::move(engine_options)),
        api(engine, tokenizer, named(std::move(api_options))),
        server(api, std::move(http_options)) {}

  static ModelConfig config() {
    ModelConfig c = small_config("qwen3");
    c.context = 4096;
    return c;
  }
  static ApiOptions named(ApiOptions options) {
    options.model = "tiny";
    return options;
  }
  HttpAnswer ask(const std::string& method, const std::string& path, const std::string& body = "",
                 const std::string& headers = "") {
    TestClient client(server.port());
    client.ask(method, path, body, headers);
    return client.answer();
  }
  // A chat with one message of the user; `more`: further members of the body.
  static std::string chat(const std::string& more = "", const std::string& text = "hi") {
    return R"({"model": "tiny", "messages": [{"role": "user", "content": ")" + text + "\"}]" +
           (more.empty() ? "" : ", " + more) + "}";
  }
  HttpAnswer post(const std::string& body) { return ask("POST", "/v1/chat/completions", body); }
  // Waits until nothing runs; false after a while.
  bool becomes_idle() {
    for (int i = 0; i < 1000; ++i) {
      const Engine::Status s = engine.status();
      if (s.running == 0 && s.waiting == 0 && s.queued == 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  Device device{1};
  Transformer model;
  EngineThread engine;
  Api api;
  HttpServer server;
};

// The events of a stream, without [DONE], which has to be the last.
inline std::vector<Json> events_of(const std::string& body, bool is_done = true) {
  std::vector<Json> events;
  size_t at = 0;
  bool was_done = false;
  for (size_t end; (end = body.find("\n\n", at)) != std::string::npos; at = end + 2) {
    const std::string event = body.substr(at, end - at);
    if (event.starts_with(":")) continue;
    EXPECT_TRUE(event.starts_with("data: ")) << event;
    EXPECT_FALSE(was_done);
    if (event == "data: [DONE]")
      was_done = true;
    else
      events.push_back(parse_json(event.substr(6), "event"));
  }
  EXPECT_EQ(at, body.size());
  EXPECT_EQ(was_done, is_done);
  return events;
}

}  // namespace fude
