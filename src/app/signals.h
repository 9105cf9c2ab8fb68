// Ctrl-C as a flag that long work looks at; a second Ctrl-C ends the program as usual.
#pragma once

#include <atomic>
#include <csignal>

namespace fude {

inline std::atomic<bool> interrupted{false};

inline void watch_interrupts() {
  interrupted = false;
  std::signal(SIGINT, [](int) {
    interrupted = true;
    std::signal(SIGINT, SIG_DFL);
  });
}

}  // namespace fude
