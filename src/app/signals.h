// Ctrl-C and SIGTERM as a flag that long work looks at; a second one ends the program as usual.
#pragma once

#include <atomic>
#include <csignal>

namespace fude {

inline std::atomic<bool> interrupted{false};
inline std::atomic<int> interrupted_by{0};  // the signal

// From here on a signal ends the program at once.
inline void end_at_interrupts() { std::signal(SIGINT, SIG_DFL), std::signal(SIGTERM, SIG_DFL); }

inline void watch_interrupts() {
  const auto note = [](int signal) {
    interrupted_by = signal;
    interrupted = true;
    end_at_interrupts();
  };
  interrupted = false;
  std::signal(SIGINT, note), std::signal(SIGTERM, note);
}

}  // namespace fude
