// A folder of a fuzz target's own, in memory where the system has one there, for readers that ask for files.
#pragma once

#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.h"

namespace fude {

class FuzzFolder {
 public:
  FuzzFolder() {
    std::error_code none;
    const auto shared = std::filesystem::path("/dev/shm");
    const auto home = std::filesystem::is_directory(shared, none) ? shared : std::filesystem::temp_directory_path();
    path_ = (home / "fude-fuzz-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~FuzzFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace fude
