// What a fuzz target expects: where it is not so, the input is a finding.
#pragma once

#include <cstdlib>

namespace fude {

inline void check(bool condition) {
  if (!condition) std::abort();
}

}  // namespace fude
