// Working memory of a kernel: one buffer per thread and purpose, kept for the thread's life and grown on
// demand, so that hot code neither allocates nor passes buffers around.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>

namespace fude {

enum class ScratchUse { rows, lanes, results, kUses };

// At least `count` floats, aligned to 64 bytes, contents undefined; valid until the thread asks again for the
// same use.
inline float* scratch(ScratchUse use, int64_t count) {
  struct Buffer {
    float* data = nullptr;
    int64_t size = 0;
    ~Buffer() { std::free(data); }
  };
  static thread_local Buffer buffers[int(ScratchUse::kUses)];
  Buffer& buffer = buffers[int(use)];
  if (buffer.size < count) {
    std::free(buffer.data);
    buffer.size = (count + 4095) / 4096 * 4096;
    buffer.data = static_cast<float*>(std::aligned_alloc(4096, size_t(buffer.size) * sizeof(float)));
    if (buffer.data == nullptr) buffer.size = 0, throw std::bad_alloc();
  }
  return buffer.data;
}

}  // namespace fude
