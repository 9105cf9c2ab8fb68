// Longer than most files: a connection, what it reads, what it writes and how it ends are one state machine.
#include "serve/http_server.h"

#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <ctime>
#include <deque>
#include <iterator>
#include <limits>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/error.h"

namespace fude {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Parser = http::request_parser<http::string_body>;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr int kSendBuffer = 256 << 10;  // the system's own would hold megabytes for one who does not read
constexpr size_t kDrained = 4 << 20;    // of a body that is refused, so that its sender gets to read why
constexpr size_t kReserved = 64;        // descriptors that are no connection's
constexpr size_t kSurplus = 32;         // of those, for connections that are being turned away

std::chrono::steady_clock::duration seconds(double s) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(s));
}

// The engine may go on with a source when the server has ended: from here on it does not hear of it.
struct Detached {
  HttpSource& source;
  ~Detached() { source.start({}); }
};

// So many connections as were asked for, or as there are descriptors for, once their limit has been raised.
size_t affordable(size_t connections) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return connections;
  const rlim_t wanted = std::min<rlim_t>(limit.rlim_max, rlim_t(connections) + kReserved);
  if (limit.rlim_cur < wanted) {
    const rlimit raised{.rlim_cur = wanted, .rlim_max = limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return std::min<rlim_t>(connections, limit.rlim_cur > kReserved ? limit.rlim_cur - kReserved : 1);
}

ApiError shutting_down() { return {503, "[serve] the server is shutting down", "", "server_shutdown"}; }

HttpReply overloaded(const char* what) {
  ApiError error(503, fmt::format("[serve] too many {}", what), "", "server_is_overloaded");
  error.retry_after = 1;
  return reply_of(error);
}

std::string new_request_id() {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  return fmt::format("req_{:016x}{:016x}", random(), random());
}

// RFC 9110, 5.6.7; by hand, since a program's locale would change the names.
std::string date_of(std::time_t time) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm t{};
  ::gmtime_r(&time, &t);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[t.tm_wday], t.tm_mday, kMonths[t.tm_mon],
                     1900 + t.tm_year, t.tm_hour, t.tm_min, t.tm_sec);
}

std::string head_of(const HttpRequest& request, const HttpReply& reply, bool is_stream, bool keeps_alive,
                    bool is_chunked) {
  std::string head = fmt::format(
      "HTTP/1.1 {} {}\r\ndate: {}\r\ncontent-type: {}\r\nx-request-id: {}\r\nopenai-processing-ms: {}\r\n"
      "x-content-type-options: nosniff\r\n",
      reply.status, std::string(http::obsolete_reason(http::status(reply.status))), date_of(std::time(nullptr)),
      reply.content_type, request.id, int64_t((now_seconds() - request.began) * 1000));
  for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
  if (!keeps_alive) head += "connection: close\r\n";
  if (is_chunked) head += "transfer-encoding: chunked\r\n";
  if (!is_stream) head += fmt::format("content-length: {}\r\n", reply.body.size());
  return head + "\r\n";
}

HttpRequest request_of(const Parser& parser, double began) {
  const auto& message = parser.get();
  HttpRequest request{.method = std::string(message.method_string()), .id = new_request_id(), .began = began};
  std::string target(message.target()), host;
  // "http://host/path", as for a proxy: this host counts, whatever the header says (RFC 9112, 3.2.2).
  for (const std::string scheme : {"http://", "https://"}) {
    if (!boost::beast::iequals(target.substr(0, scheme.size()), scheme)) continue;
    const size_t end = std::min(target.find_first_of("/?", scheme.size()), target.size());
    host = target.substr(scheme.size(), end - scheme.size());
    target.erase(0, end);
    if (!target.starts_with('/')) target.insert(0, "/");
    break;
  }
  request.path = target.substr(0, target.find('?'));
  if (!host.empty()) request.headers.emplace_back("host", host);
  for (const auto& field : message) {
    std::string name(field.name_string());
    for (char& c : name) c = char(std::tolower(static_cast<unsigned char>(c)));
    if (name != "host" || host.empty()) request.headers.emplace_back(std::move(name), std::string(field.value()));
  }
  return request;
}

// Where a proxy in front might see another end of this request, or another host, than the parser does; empty: nowhere.
std::string ambiguity_of(const Parser& parser) {
  const auto& message = parser.get();
  const auto coding = message.equal_range(http::field::transfer_encoding);
  if (coding.first != coding.second &&
      (std::next(coding.first) != coding.second || message.version() < 11 ||
       !boost::beast::iequals(coding.first->value(), "chunked") || message.count(http::field::content_length) > 0))
    return "expected no transfer-encoding but 'chunked' alone";
  if (message.count(http::field::content_length) > 1) return "expected one content-length";
  if (message.count(http::field::host) > 1 || (message.count(http::field::host) == 0 && message.version() >= 11))
    return "expected one host";
  return {};
}

}  // namespace

bool is_loopback(const std::string& host) {
  if (boost::beast::iequals(host, "localhost") || boost::beast::iequals(host, "localhost.")) return true;
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  return !error && address.is_loopback();
}

void require_address(const std::string& host) {
  asio::io_context io;
  error_code error;
  tcp::resolver(io).resolve(host, "0", error);
  require(!error, "[serve] expected a host that has an address, got {}: {}", host, error.message());
}

class HttpServer::Impl {
 public:
  Impl(HttpHandler& handler, HttpOptions options);
  ~Impl() { stop(); }
  tcp::endpoint endpoint() const { return endpoint_; }
  void stop();

 private:
  class Connection;
  class Place;
  asio::awaitable<void> accept();
  void admit(tcp::socket socket);
  asio::awaitable<void> watch_clock();
  void begin_to_stop();
  void note_news(const std::weak_ptr<Connection>& connection);
  void flush();
  void wake_all();

  HttpHandler& handler_;
  const HttpOptions options_;
  const size_t most_;                  // connections
  std::set<Connection*> connections_;  // before io_context, as the next two: its end takes those that are left
  size_t surplus_ = 0;                 // of them, only to be turned away
  std::deque<Connection*> line_;       // for the worker; the first has it
  std::mutex mutex_;
  std::vector<std::weak_ptr<Connection>> with_news_;  // guarded by mutex_
  bool is_pacing_ = false;                            // guarded by mutex_: wake_all() will come by itself
  std::vector<std::weak_ptr<Connection>> woken_;      // used again and again by wake_all()
  bool is_stopping_ = false;
  double must_end_ = kNever;
  asio::io_context io_{1};
  asio::thread_pool workers_{1};
  tcp::acceptor acceptor_{io_};
  asio::steady_timer clock_{io_}, pause_{io_}, pace_{io_};
  tcp::endpoint endpoint_;
  std::thread thread_;
};

// One client. Everything of it happens on the server's thread.
class HttpServer::Impl::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Impl& server, tcp::socket socket, bool is_surplus)
      : server_(server), socket_(std::move(socket)), news_(socket_.get_executor()), is_surplus_(is_surplus) {
    server_.connections_.insert(this);
    server_.surplus_ += is_surplus_;
  }
  ~Connection() {
    server_.surplus_ -= is_surplus_;
    server_.connections_.erase(this);
  }

  asio::awaitable<void> run();
  void check(double now) {
    // A socket can be written to again only when a third of its buffer is free; that its client reads shows before.
    if (const int left = is_writing_ ? untaken() : left_; left < left_) {
      left_ = left;
      set_deadline(server_.options_.write_seconds);
    }
    if (now > deadline_) is_reading_ ? give_up_reading() : close();
    if (is_replying_ && !is_gone_ && has_hung_up()) leave();
  }
  // The server stops: an idle connection ends now, a reply under way says so.
  void end() { is_replying_ ? wake() : close(); }
  void close() {
    error_code ignored;
    socket_.close(ignored);
    wake();
  }
  // There is something to take, or to look at.
  void wake() {
    if (can_push() && push()) return;
    has_news_ = true;
    news_.cancel();
  }

 private:
  void leave() {
    is_gone_ = true;
    wake();
  }
  void give_up_reading() {
    is_late_ = true;
    error_code ignored;
    socket_.cancel(ignored);
  }
  // Bytes written that the client's machine has not taken yet.
  int untaken() {
    int bytes = 0;
    return ::ioctl(socket_.native_handle(), SIOCOUTQ, &bytes) == 0 ? bytes : std::numeric_limits<int>::max();
  }
  // Whether the client has ended its side, whatever of it is still unread. One that only half closes looks the same as
  // one that goes: it counts as gone, since nothing else would show that nobody waits for a reply.
  bool has_hung_up() {
    pollfd state{.fd = socket_.native_handle(), .events = POLLRDHUP, .revents = 0};
    return ::poll(&state, 1, 0) > 0;
  }
  void set_deadline(double in_seconds) { deadline_ = in_seconds == kNever ? kNever : now_seconds() + in_seconds; }
  asio::awaitable<void> serve_all();
  asio::awaitable<bool> read(Parser& parser, HttpRequest& request);
  asio::awaitable<bool> begin(const HttpRequest& request, HttpReply& reply);
  void frame(const std::string& text);
  bool can_push() const {
    return pushed_ != nullptr && !is_taken_ && !is_gone_ && !server_.is_stopping_ && socket_.is_open();
  }
  bool push();
  asio::awaitable<bool> write(std::string bytes);
  asio::awaitable<bool> reply_whole(const HttpRequest& request, const HttpReply& reply, bool keeps_alive);
  asio::awaitable<bool> reply_from(const HttpRequest& request, const HttpReply& reply, bool keeps_alive,
                                   bool has_chunks);
  asio::awaitable<void> refuse(const HttpRequest& request, HttpReply reply);
  asio::awaitable<void> watch(uint64_t exchange);

  Impl& server_;
  tcp::socket socket_;
  asio::steady_timer news_;
  boost::beast::flat_buffer buffer_{64 << 10};
  double deadline_ = kNever;
  uint64_t exchange_ = 0;  // counts requests
  const bool is_surplus_;
  bool is_replying_ = false, is_gone_ = false, has_news_ = false;
  bool is_reading_ = false, is_late_ = false;  // inside a request; it has not come in time
  bool is_writing_ = false;
  int left_ = 0;  // the least that was untaken since this write began

  // Of a stream.
  HttpSource* pushed_ = nullptr;  // while its coroutine waits for news
  bool has_chunks_ = false, is_taken_ = false;
  std::string body_, out_;
  double spoke_at_ = 0;  // when something was last said
};

// One request's place in the line for the worker.
class HttpServer::Impl::Place {
 public:
  Place(std::deque<Connection*>& line, Connection* mine) : line_(line), mine_(mine) { line_.push_back(mine); }
  ~Place() {
    const bool was_first = is_first();
    line_.erase(std::find(line_.begin(), line_.end(), mine_));
    if (was_first && !line_.empty()) line_.front()->wake();
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  bool is_first() const { return line_.front() == mine_; }

 private:
  std::deque<Connection*>& line_;
  Connection* mine_;
};

void HttpServer::Impl::Connection::frame(const std::string& text) {
  if (has_chunks_) fmt::format_to(std::back_inserter(out_), "{:x}\r\n", text.size());
  out_ += text;
  if (has_chunks_) out_ += "\r\n";
  spoke_at_ = now_seconds();
}

// A token's way out, without a coroutine: what is new goes into the socket's buffer. False if there is more to do: the
// buffer is full, or the stream has ended.
bool HttpServer::Impl::Connection::push() {
  try {
    body_.clear();
    is_taken_ = pushed_->take(body_);
    if (!body_.empty()) frame(body_);
    error_code error;
    const size_t written = out_.empty() ? 0 : socket_.write_some(asio::buffer(out_), error);
    if (!error) out_.erase(0, written);
  } catch (const std::exception&) { close(); }  // no memory, say
  return out_.empty() && !is_taken_ && socket_.is_open();
}

asio::awaitable<bool> HttpServer::Impl::Connection::write(std::string bytes) {
  for (size_t at = 0; at < bytes.size();) {
    set_deadline(server_.options_.write_seconds);
    left_ = untaken(), is_writing_ = true;
    const auto [error, written] =
        co_await socket_.async_write_some(asio::buffer(bytes.data() + at, bytes.size() - at), kAwait);
    is_writing_ = false;
    if (error) co_return false;
    at += written;
  }
  set_deadline(kNever);
  co_return true;
}

asio::awaitable<bool> HttpServer::Impl::Connection::reply_whole(const HttpRequest& request, const HttpReply& reply,
                                                                bool keeps_alive) {
  server_.handler_.replied(request, reply.status);
  std::string bytes = head_of(request, reply, false, keeps_alive, false);
  if (request.method != "HEAD") bytes += reply.body;
  co_return co_await write(std::move(bytes)) && keeps_alive;
}

// Says why, and reads on for a while: a socket that is closed with unread bytes takes back what it has written.
asio::awaitable<void> HttpServer::Impl::Connection::refuse(const HttpRequest& request, HttpReply reply) {
  reply.headers.emplace_back("connection", "close");
  if (!co_await reply_whole(request, reply, true)) co_return;
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  set_deadline(2);
  std::string rest(16 << 10, '\0');
  for (size_t drained = 0; drained < kDrained;) {
    const auto [error, count] = co_await socket_.async_read_some(asio::buffer(rest), kAwait);
    if (error) break;
    drained += count;
  }
}

// A whole request; false if the connection has ended with this one.
asio::awaitable<bool> HttpServer::Impl::Connection::read(Parser& parser, HttpRequest& request) {
  const HttpOptions& o = server_.options_;
  parser.header_limit(uint32_t(o.header_bytes));
  parser.body_limit(o.body_bytes);
  if (buffer_.size() == 0) {
    set_deadline(o.idle_seconds);
    if (const auto [error] = co_await socket_.async_wait(tcp::socket::wait_read, kAwait); error) co_return false;
  }
  const double began = now_seconds();
  set_deadline(o.header_seconds);
  is_reading_ = true, is_late_ = false;
  auto [error, size] = co_await http::async_read_header(socket_, buffer_, parser, kAwait);
  is_reading_ = false;
  request = request_of(parser, began);
  if (!error && request.headers.size() > o.header_count) error = http::error::header_limit;
  if (!error) {
    HttpReply reply;
    const std::string ambiguity = ambiguity_of(parser);
    if (!ambiguity.empty()) reply = reply_of(ApiError(400, "[http] " + ambiguity, "", "bad_http"));
    if (!ambiguity.empty() || server_.handler_.refuses(request, reply)) {
      co_await refuse(request, std::move(reply));
      co_return false;
    }
    if (parser.get().version() >= 11 && boost::beast::iequals(request.header("expect"), "100-continue") &&
        !co_await write("HTTP/1.1 100 Continue\r\n\r\n"))
      co_return false;
    set_deadline(o.body_seconds);
    is_reading_ = true, is_late_ = false;
    std::tie(error, size) = co_await http::async_read(socket_, buffer_, parser, kAwait);
    is_reading_ = false;
  }
  set_deadline(kNever);
  if (!error) {
    request.body = std::move(parser.get().body());
    co_return true;
  }
  const bool is_late = is_late_ && error == asio::error::operation_aborted;
  if (!is_late && (error == http::error::end_of_stream ||
                   error.category() != http::make_error_code(http::error::bad_method).category()))
    co_return false;
  const ApiError what =
      is_late ? ApiError(408, "[http] the request did not come in time", "", "request_timeout")
      : error == http::error::body_limit
          ? ApiError(413, fmt::format("[http] the body is longer than {} bytes", o.body_bytes), "", "request_too_large")
      : error == http::error::header_limit || error == http::error::buffer_overflow
          ? ApiError(431, fmt::format("[http] the headers are longer than {} bytes, or more than {}", o.header_bytes,
                                      o.header_count))
          : ApiError(400, "[http] this is no HTTP: " + error.message(), "", "bad_http");
  co_await refuse(request, reply_of(what));
  co_return false;
}

// How a request is to be replied to, from the worker thread when its turn comes; false if its client has gone by then.
asio::awaitable<bool> HttpServer::Impl::Connection::begin(const HttpRequest& request, HttpReply& reply) {
  if (server_.line_.size() > server_.options_.waiting) {
    reply = overloaded("requests wait to begin");
    co_return true;
  }
  asio::co_spawn(socket_.get_executor(), watch(exchange_), asio::detached);
  const Place place(server_.line_, this);
  while (!place.is_first() && !is_gone_ && socket_.is_open() && !server_.is_stopping_) {
    news_.expires_at(asio::steady_timer::time_point::max());
    co_await news_.async_wait(kAwait);
  }
  if (is_gone_ || !socket_.is_open() || has_hung_up()) co_return false;
  if (server_.is_stopping_)
    reply = reply_of(shutting_down());
  else
    reply = co_await asio::co_spawn(
        server_.workers_, [&]() -> asio::awaitable<HttpReply> { co_return server_.handler_.serve(request); },
        asio::use_awaitable);
  co_return true;
}

// While a reply is made: notices at once that the client has gone. check() does, a little later, where its next request
// is there already.
asio::awaitable<void> HttpServer::Impl::Connection::watch(uint64_t exchange) {
  const auto self = shared_from_this();
  const auto [error] = co_await socket_.async_wait(tcp::socket::wait_read, kAwait);
  if (exchange != exchange_ || !is_replying_) co_return;
  char byte = 0;
  const ssize_t got = error ? 0 : ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) co_return;
  leave();
}

asio::awaitable<bool> HttpServer::Impl::Connection::reply_from(const HttpRequest& request, const HttpReply& reply,
                                                               bool keeps_alive, bool has_chunks) {
  HttpSource& source = *reply.source;
  const bool is_stream = source.is_stream();
  const Detached at_the_end{source};
  source.start([&server = server_, weak = weak_from_this()] { server.note_news(weak); });
  has_chunks_ = has_chunks, is_taken_ = false, spoke_at_ = now_seconds();
  out_.clear();
  if (is_stream) {
    server_.handler_.replied(request, reply.status);
    out_ = head_of(request, reply, true, keeps_alive, has_chunks);
  }
  for (;;) {
    has_news_ = false;
    if (is_gone_ || !socket_.is_open()) {
      if (!is_taken_) source.cancel();
      if (!is_stream) server_.handler_.replied(request, 499);
      co_return false;
    }
    if (server_.is_stopping_ && !is_taken_) {
      const ApiError shutdown = shutting_down();
      const std::string last = source.cancel_with(shutdown);
      if (!is_stream) co_return co_await reply_whole(request, reply_of(shutdown), false);
      frame(last);
      is_taken_ = true, keeps_alive = false;
    } else if (!is_taken_) {
      pushed_ = &source;
      push();
      pushed_ = nullptr;
    }
    if (!is_stream && is_taken_) co_return co_await reply_whole(request, source.whole(), keeps_alive);
    const bool is_done = is_taken_;
    if (is_done && has_chunks) out_ += "0\r\n\r\n";
    if (!out_.empty() && !co_await write(std::exchange(out_, {}))) {
      if (!is_done) source.cancel();
      co_return false;
    }
    if (is_done) co_return keeps_alive;
    if (has_news_) continue;
    if (is_stream) pushed_ = &source;
    const double silent = is_stream ? now_seconds() - spoke_at_ : 0;
    news_.expires_after(seconds(std::max(0.0, server_.options_.ping_seconds - silent)));
    const auto [was_woken] = co_await news_.async_wait(kAwait);
    pushed_ = nullptr;
    if (!was_woken && is_stream && now_seconds() - spoke_at_ >= server_.options_.ping_seconds) frame(": ping\n\n");
  }
}

asio::awaitable<void> HttpServer::Impl::Connection::run() {
  const auto self = shared_from_this();
  try {
    const HttpRequest unread{.id = new_request_id(), .began = now_seconds()};
    if (is_surplus_)
      co_await refuse(unread, overloaded("connections"));
    else
      co_await serve_all();
  } catch (const std::exception&) {}  // no memory, say: this connection ends, the server does not
  is_replying_ = false;
  close();
}

asio::awaitable<void> HttpServer::Impl::Connection::serve_all() {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(tcp::socket::send_buffer_size(kSendBuffer), ignored);
  socket_.non_blocking(true, ignored);
  for (bool goes_on = true; goes_on && !server_.is_stopping_;) {
    Parser parser;
    HttpRequest request;
    if (!co_await read(parser, request)) break;
    const bool has_chunks = parser.get().version() >= 11, keeps_alive = has_chunks && parser.get().keep_alive();
    is_replying_ = true;
    HttpReply reply;
    if (request.method != "POST") {
      reply = server_.handler_.serve(request);
    } else if (!co_await begin(request, reply)) {
      server_.handler_.replied(request, 499);
      break;
    }
    request.body = {};
    goes_on = reply.source ? co_await reply_from(request, reply, keeps_alive, has_chunks)
                           : co_await reply_whole(request, reply, keeps_alive && !server_.is_stopping_);
    is_replying_ = false;
    ++exchange_;
    socket_.cancel(ignored);  // the watch
  }
  socket_.shutdown(tcp::socket::shutdown_both, ignored);
}

HttpServer::Impl::Impl(HttpHandler& handler, HttpOptions options)
    : handler_(handler), options_(std::move(options)), most_(affordable(options_.connections)) {
  try {
    const std::string host = options_.host == "localhost" ? "127.0.0.1" : options_.host;
    const tcp::endpoint wanted = *tcp::resolver(io_).resolve(host, std::to_string(options_.port)).begin();
    acceptor_.open(wanted.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(wanted);
    acceptor_.listen();
    endpoint_ = acceptor_.local_endpoint();
  } catch (const boost::system::system_error& error) {
    const char* hint =
        error.code() == asio::error::address_in_use ? "; choose another port, or 0 for any that is free (--port)" : "";
    fail("[serve] cannot listen at {}:{}: {}{}", options_.host, options_.port, error.code().message(), hint);
  }
  handler_.start([this] { flush(); });
  asio::co_spawn(io_, accept(), asio::detached);
  asio::co_spawn(io_, watch_clock(), asio::detached);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "fude-http");
    io_.run();
  });
}

void HttpServer::Impl::admit(tcp::socket socket) {
  const bool is_surplus = connections_.size() - surplus_ >= most_;
  if (!is_surplus || surplus_ < kSurplus) {
    const auto connection = std::make_shared<Connection>(*this, std::move(socket), is_surplus);
    asio::co_spawn(
        io_, [connection] { return connection->run(); }, asio::detached);
    return;
  }
  const HttpReply reply = overloaded("connections");
  const std::string text =
      head_of({.id = new_request_id(), .began = now_seconds()}, reply, false, false, false) + reply.body;
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(text), ignored);
}

asio::awaitable<void> HttpServer::Impl::accept() {
  while (!is_stopping_) {
    auto [error, socket] = co_await acceptor_.async_accept(kAwait);
    if (is_stopping_) break;
    bool is_admitted = !error;
    try {
      if (is_admitted) admit(std::move(socket));
    } catch (const std::exception&) { is_admitted = false; }
    if (is_admitted) continue;
    // No file descriptors or no memory are left, say: they come back.
    pause_.expires_after(seconds(0.1));
    co_await pause_.async_wait(kAwait);
  }
}

// Any thread, as flush().
void HttpServer::Impl::note_news(const std::weak_ptr<Connection>& connection) {
  const std::lock_guard lock(mutex_);
  with_news_.push_back(connection);
}

// What comes after a pause goes out at once, and then what has come meanwhile, in turns.
void HttpServer::Impl::flush() {
  const std::lock_guard lock(mutex_);
  if (with_news_.empty() || is_pacing_) return;
  try {
    asio::post(io_, [this] { wake_all(); });
    is_pacing_ = true;
  } catch (const std::bad_alloc&) {}  // said again behind the next step
}

void HttpServer::Impl::wake_all() {
  woken_.clear();
  {
    const std::lock_guard lock(mutex_);
    woken_.swap(with_news_);
    is_pacing_ = !woken_.empty();
  }
  if (woken_.empty()) return;
  for (const auto& weak : woken_)
    if (const auto connection = weak.lock()) connection->wake();
  try {
    pace_.expires_after(seconds(options_.news_seconds));
    pace_.async_wait([this](error_code) { wake_all(); });
  } catch (const std::bad_alloc&) {
    const std::lock_guard lock(mutex_);
    is_pacing_ = false;
  }
}

asio::awaitable<void> HttpServer::Impl::watch_clock() {
  while (!is_stopping_ || !connections_.empty()) {
    clock_.expires_after(seconds(is_stopping_ ? 0.02 : 0.5));
    co_await clock_.async_wait(kAwait);
    const double now = now_seconds();
    // One that ends takes itself out of the set, but not while this runs.
    for (Connection* connection : connections_) now > must_end_ ? connection->close() : connection->check(now);
    if (now > must_end_ + 1) break;
  }
}

void HttpServer::Impl::begin_to_stop() {
  is_stopping_ = true;
  must_end_ = now_seconds() + options_.farewell_seconds;
  error_code ignored;
  acceptor_.close(ignored);
  for (Connection* connection : connections_) connection->end();
  clock_.cancel(), pause_.cancel();
}

void HttpServer::Impl::stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] { begin_to_stop(); });
  thread_.join();
  workers_.join();
  handler_.start({});
}

HttpServer::HttpServer(HttpHandler& handler, HttpOptions options)
    : impl_(std::make_unique<Impl>(handler, std::move(options))) {}
HttpServer::~HttpServer() = default;
void HttpServer::stop() { impl_->stop(); }
uint16_t HttpServer::port() const { return impl_->endpoint().port(); }
std::string HttpServer::address() const {
  const tcp::endpoint endpoint = impl_->endpoint();
  const std::string host = endpoint.address().to_string();
  return fmt::format("{}:{}", endpoint.address().is_v6() ? "[" + host + "]" : host, endpoint.port());
}

}  // namespace fude
