// A program of the user's that answers lines with lines: one line to its standard input, one from its standard output.
//
// Both are one end of a socket pair, not pipes: writing to a program that has ended is then an error code and no
// SIGPIPE, and one poll waits for both directions, so that neither side can block the other. The program runs in a
// process group of its own, with what it started itself, and all of that is killed and waited for in the end. It has
// the user's rights and the user's standard error; it is a tool of theirs and in no sandbox.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace fude {

struct LineProgramLimits {
  double reply_seconds = 10;
  size_t reply_bytes = size_t(1) << 20;
};

class LineProgram {
 public:
  // Starts `sh -c command`.
  explicit LineProgram(std::string command, LineProgramLimits limits = {});
  ~LineProgram();
  LineProgram(const LineProgram&) = delete;

  // Sends a line and returns the one that comes back, without its end. One thread at a time; others wait. Error if the
  // program ends, is late, writes too much or writes what it was not asked for. It is then killed, since nobody knows
  // any more what it answers to, and each further call fails with the same error.
  std::string ask(std::string_view line);

  const std::string& command() const { return command_; }

 private:
  std::string exchange(std::string request);
  [[noreturn]] void give_up(const std::string& what);
  void kill_and_wait();
  std::string how_it_ended();

  std::string command_;
  LineProgramLimits limits_;
  std::mutex mutex_;
  pid_t process_ = -1;  // and its group; −1: gone
  int socket_ = -1;
  std::string unread_;
  std::string failure_;
};

}  // namespace fude
