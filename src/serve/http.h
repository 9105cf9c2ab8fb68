// What the server and the code behind it say to each other about HTTP, without a word of the library that speaks it.
//
// A reply is whole, or comes from an HttpSource: another thread makes it, tells that there is news, and the server
// takes what is ready as fast as its client reads.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/api_error.h"

namespace fude {

struct HttpRequest {
  std::string method, path;                                  // the path without a query
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::string id;    // "req_…", of x-request-id
  double began = 0;  // when its first byte was there; now_seconds()

  // The value of a header; empty if it is not there.
  std::string_view header(std::string_view name) const {
    for (const auto& [key, value] : headers)
      if (key == name) return value;
    return {};
  }
};

class HttpSource;

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers{};
  std::shared_ptr<HttpSource> source{};  // if given, the body comes from it
};

// All but what `wake` says is called by the server's thread.
class HttpSource {
 public:
  virtual ~HttpSource() = default;
  // Events as they come, under the reply's own head; otherwise one whole reply, later.
  virtual bool is_stream() const = 0;
  // First: any thread may then call `wake` when there is something new to take, and the handler's flush behind it. At
  // the end with nothing: as soon as that returns, nobody calls what was given before.
  virtual void start(std::function<void()> wake) = 0;
  // Appends what is ready of a stream; true at the end.
  virtual bool take(std::string& bytes) = 0;
  // After take() said true, if it is no stream.
  virtual HttpReply whole() = 0;
  // Ends it: nobody listens any more. take() is not called again.
  virtual void cancel() = 0;
  // The same, and what a stream still says.
  virtual std::string cancel_with(const ApiError& error) = 0;
};

// Called by several threads at once; throws nothing.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // First: `flush` is for any thread. Sources that were woken are looked at when it is called, so that a step of the
  // engine with tokens for many of them wakes the server once. At the end with nothing, as HttpSource::start.
  virtual void start(std::function<void()> flush) = 0;
  // Whether the request is to be answered before its body is read: `reply` then says how.
  virtual bool refuses(const HttpRequest& head, HttpReply& reply) = 0;
  virtual HttpReply serve(const HttpRequest& request) = 0;
  // What has been replied.
  virtual void replied(const HttpRequest& request, int status) = 0;
};

HttpReply reply_of(const ApiError& error);

}  // namespace fude
