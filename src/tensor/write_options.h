// How files of weights are written.
#pragma once

#include <cstdint>
#include <functional>

#include "backend/threads.h"

namespace fude {

struct WriteOptions {
  Threads* threads = nullptr;  // those that encode; null: the caller alone. The bytes are the same.
  // After each piece: bytes of tensors so far, and of all. What it throws ends the writing, and no file is left.
  std::function<void(int64_t done, int64_t total)> progress;
};

}  // namespace fude
