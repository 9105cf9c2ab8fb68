#include "base/line_program.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/error.h"

extern char** environ;

namespace fude {
namespace {

// What a program that closed its output may take to end by itself, so that its exit code can be told.
constexpr double kSecondsToEnd = 1;

// Starts the shell with this end of the socket as input and output. An errno, or 0.
int start(const std::string& command, int socket, pid_t& process) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, socket, STDOUT_FILENO);
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  for (int signal : {SIGPIPE, SIGINT, SIGTERM, SIGXFSZ}) sigaddset(&usual, signal);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string shell = "sh", option = "-c", text = command;
  char* arguments[] = {shell.data(), option.data(), text.data(), nullptr};
  const int failed = posix_spawn(&process, "/bin/sh", &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

LineProgram::LineProgram(std::string command, LineProgramLimits limits)
    : command_(std::move(command)), limits_(limits) {
  require(!command_.empty() && command_.find('\0') == command_.npos, "[program] expected a command, got none");
  require(limits_.reply_seconds > 0, "[program] expected more than 0 seconds for a reply, got {}",
          limits_.reply_seconds);
  int ends[2];
  const int status = ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
  require(status == 0, "[program] no socket pair: {}", std::strerror(errno));
  const int failed = start(command_, ends[1], process_);
  ::close(ends[1]);
  socket_ = ends[0];
  if (failed != 0) {
    process_ = -1;
    ::close(socket_);
    fail("[program] '{}' cannot be started: {}", command_, std::strerror(failed));
  }
}

LineProgram::~LineProgram() { kill_and_wait(); }

void LineProgram::kill_and_wait() {
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  if (process_ < 0) return;
  // Until it is waited for, neither its number nor that of its group can be another's.
  ::kill(-process_, SIGKILL);
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {}
  process_ = -1;
}

std::string LineProgram::how_it_ended() {
  const double until = now_seconds() + kSecondsToEnd;
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_PID, id_t(process_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == process_) {
      if (info.si_code != CLD_EXITED) return fmt::format("was ended by signal {}", info.si_status);
      return fmt::format("ended with exit code {}{}", info.si_status, info.si_status == 127 ? " (not found)" : "");
    }
    if (now_seconds() > until) return "closed its output";
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void LineProgram::give_up(const std::string& what) {
  failure_ = fmt::format("[program] '{}' {}", command_, what);
  kill_and_wait();
  throw Error(failure_);
}

std::string LineProgram::ask(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (!failure_.empty()) throw Error(failure_);
  require(line.find('\n') == line.npos, "[program] expected one line to send");
  return exchange(std::string(line) + "\n");
}

std::string LineProgram::exchange(std::string request) {
  const double until = now_seconds() + limits_.reply_seconds;
  size_t sent = 0;
  char early;
  if (::recv(socket_, &early, 1, MSG_DONTWAIT | MSG_PEEK) > 0) give_up("wrote more than one line for a request");
  for (;;) {
    if (const size_t end = unread_.find('\n'); end != unread_.npos) {
      if (sent < request.size() || end + 1 < unread_.size()) give_up("wrote more than one line for a request");
      std::string reply = unread_.substr(0, end);
      unread_.clear();
      return reply;
    }
    if (unread_.size() > limits_.reply_bytes)
      give_up(fmt::format("wrote more than {} bytes without the end of a line", limits_.reply_bytes));
    const double left = until - now_seconds();
    if (left <= 0) give_up(fmt::format("gave no reply within {} seconds", limits_.reply_seconds));
    pollfd wait{socket_, short(POLLIN | (sent < request.size() ? POLLOUT : 0)), 0};
    if (::poll(&wait, 1, int(std::min(left, 3600.0) * 1000) + 1) <= 0) continue;
    if ((wait.revents & POLLOUT) != 0) {
      const ssize_t count = ::send(socket_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count >= 0)
        sent += size_t(count);
      else if (!would_block(errno))
        give_up(how_it_ended() + " before it was asked");
    }
    if ((wait.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      char piece[1 << 14];
      const ssize_t count = ::recv(socket_, piece, sizeof piece, MSG_DONTWAIT);
      if (count > 0)
        unread_.append(piece, size_t(count));
      else if (count == 0 || !would_block(errno))
        give_up(how_it_ended() + " without a reply");
    }
  }
}

}  // namespace fude
