#include "backend/memory.h"

#include <sys/resource.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "backend/control_groups.h"

namespace fude {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

// The number at the beginning of a file; `otherwise` if there is none ("max").
int64_t number_in(const std::string& path, int64_t otherwise) {
  std::ifstream file(path);
  int64_t number = 0;
  return file >> number ? number : otherwise;
}

// The number behind a word at the beginning of a line, as in "MemAvailable: 123 kB".
int64_t number_after(const std::string& path, const std::string& word) {
  std::ifstream file(path);
  for (std::string name; file >> name; file.ignore(1 << 10, '\n')) {
    int64_t number = 0;
    if (name == word && file >> number) return number;
  }
  return 0;
}

int64_t room_of(const std::string& folder, const char* limit_name, const char* usage_name, const char* cached) {
  const int64_t limit = number_in(folder + "/" + limit_name, kUnlimited);
  if (limit == kUnlimited) return kUnlimited;
  const int64_t used = number_in(folder + "/" + usage_name, 0) - number_after(folder + "/memory.stat", cached);
  return std::max<int64_t>(0, limit - std::max<int64_t>(0, used));
}

// The tightest room of the process's groups.
int64_t room_of_groups() {
  int64_t room = kUnlimited;
  for (const auto& [folder, is_v2] : control_groups("memory"))
    room = std::min(room, is_v2 ? room_of(folder, "memory.max", "memory.current", "file")
                                : room_of(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "cache"));
  return room;
}

// Three quarters of the addresses that are left to the process, where there is a limit (ulimit -v). A device's first
// arena may reserve them all; its second, stacks, libraries and files share the rest.
int64_t room_of_addresses() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnlimited;
  const int64_t used = number_in("/proc/self/statm", 0) * ::sysconf(_SC_PAGESIZE);
  return std::max<int64_t>(0, int64_t(limit.rlim_cur) - used) / 4 * 3;
}

}  // namespace

int64_t usable_memory() {
  const int64_t kilobytes = number_after("/proc/meminfo", "MemAvailable:") + number_after("/proc/meminfo", "SwapFree:");
  const int64_t system = kilobytes > 0 ? kilobytes << 10 : kUnlimited;
  return std::min({system, room_of_groups(), room_of_addresses()});
}

void return_unused_memory() {
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
}

int64_t own_memory() { return number_after("/proc/self/status", "RssAnon:") << 10; }

}  // namespace fude
