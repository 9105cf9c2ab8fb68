// The control groups of Linux that this process is in, version 1 or 2.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fude {

struct ControlGroup {
  std::string folder;  // its files; there need not be any
  bool is_v2;
};

// Those that a controller ("cpu", "memory") may have limits in: the process's own, and all above it.
std::vector<ControlGroup> control_groups(std::string_view controller);

}  // namespace fude
