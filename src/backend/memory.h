// How much memory this process may still take.
#pragma once

#include <cstdint>

namespace fude {

// Bytes: what the system has available, swap included, bounded by the process's memory cgroup (version 1 or
// 2). Cached files count as available in both. A guess of the moment: other programs come and go.
int64_t usable_memory();

}  // namespace fude
