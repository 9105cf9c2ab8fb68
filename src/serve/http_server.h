// HTTP/1.1 for a handler: one thread for all connections, each a coroutine, and one for what takes long to begin.
//
// The thread of the connections never waits: a client that reads slowly holds up only itself. Each wait has an end (for
// a request to begin, to be read whole, for a reply to be taken), and a connection that passes it is closed. While a
// reply is being made the connection is watched: when its client goes, the source is cancelled. POSTs begin on a worker
// thread, since a long prompt or a new schema takes a tenth of a second in which streams would stand still; they stand
// in line for it, and one whose client goes, or whom the server's end finds there, is not begun. Streams are told 50
// times a second what is new: faster than anyone reads, and half of what a send for each token would take away from the
// model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "serve/http.h"

namespace fude {

struct HttpOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;  // 0: any that is free
  uint64_t body_bytes = 1 << 20;
  size_t header_bytes = 16 << 10, header_count = 100;
  size_t connections = 1024;                      // or fewer, if there are not as many descriptors
  size_t waiting = 256;                           // POSTs in line for the worker
  double header_seconds = 10, body_seconds = 30;  // from the first byte; from the end of the headers
  double idle_seconds = 60;                       // between requests
  double write_seconds = 30;                      // for a write without progress
  double news_seconds = 0.02;                     // between two deltas of a stream, at least
  double ping_seconds = 15;                       // a stream that has nothing to say says so
  double farewell_seconds = 5;                    // for what is left when the server stops
};

class HttpServer {
 public:
  // Listens at once; Error if it cannot. Raises the process's limit of descriptors, if it is too low for the
  // connections. The handler must outlive the server.
  HttpServer(HttpHandler& handler, HttpOptions options);
  // stop().
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // "127.0.0.1:8080".
  std::string address() const;
  uint16_t port() const;
  // Accepts nobody more, ends replies under way and those not yet begun with an error server_shutdown, and waits for
  // that.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Whether only programs of this machine reach the host.
bool is_loopback(const std::string& host);
// Error unless the host is an address or a name that has one. Asks the network for names.
void require_address(const std::string& host);

}  // namespace fude
