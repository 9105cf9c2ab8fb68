// Wall-clock seconds for rates and progress; never part of a result.
#pragma once

#include <chrono>

namespace fude {

// Seconds since some fixed moment, monotonic.
inline double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace fude
