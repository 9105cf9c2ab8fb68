// How Fude says that something is wrong.
//
// `require` guards every public door, always on: "[op] expected … got …". It throws Error; the command line prints
// it, the trainer stops cleanly, a server fails that one request. Library code never prints, exits or aborts.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>

namespace fude {

// What a run cannot go on with. The message is for the user: what was expected, what was found, what to do next.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The machine has not enough memory for what was asked.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

// Throws Error with a formatted message.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

// Throws Error with a formatted message unless `condition` holds.
template <class... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) [[unlikely]]
    throw Error(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace fude
