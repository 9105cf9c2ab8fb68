// How much memory this process may still take.
#pragma once

#include <cstdint>

namespace fude {

// Bytes: what the system has available, swap included, bounded by the process's memory cgroup (version 1 or 2) and by
// its limit of addresses (ulimit -v). Cached files count as available. A guess of the moment: other programs come and
// go.
int64_t usable_memory();

// Bytes of this process's own pages in memory, mapped files not counted; 0 where the system does not tell.
int64_t own_memory();

// Gives the system back what free() has kept for later, where the C library can.
void return_unused_memory();

}  // namespace fude
