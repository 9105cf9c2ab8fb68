#include "backend/control_groups.h"

#include <fstream>

namespace fude {

std::vector<ControlGroup> control_groups(std::string_view controller) {
  std::vector<ControlGroup> found;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "4:memory:/path", "3:cpu,cpuacct:/path", "0::/path"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool is_v2 = controllers.empty();
    if (!is_v2 && ("," + controllers + ",").find("," + std::string(controller) + ",") == std::string::npos) continue;
    const std::string root = is_v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + std::string(controller);
    for (std::string path = line.substr(second + 1);; path.erase(path.rfind('/'))) {
      found.push_back({root + path, is_v2});
      if (path.find('/') == std::string::npos || path == "/") break;
    }
  }
  return found;
}

}  // namespace fude
