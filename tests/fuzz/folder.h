// What fuzz targets share: a folder of their own, in memory where the system has one there, for readers that ask for
// files; and the shape of a tiny model.
#pragma once

#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "model/config.h"

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

inline ModelConfig tiny_model() {
  ModelConfig c;
  c.vocabulary = 8, c.width = 4, c.layers = 1, c.heads = 2, c.kv_heads = 1, c.head_size = 2, c.feed_forward = 4,
  c.context = 8;
  return c;
}

}  // namespace fude
