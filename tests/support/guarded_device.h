// A Device whose blocks lie between guard zones and begin as NaN: a kernel that writes past its tensor, or makes use of
// what nobody wrote or of what lies beside it, is found. Under AddressSanitizer no zone may even be read.
#pragma once

#include <gtest/gtest.h>

#include <cstring>

#include "backend/device.h"
#include "backend/sanitizer.h"

namespace fude {

class GuardedDevice : public Device {
 public:
  using Device::Device;

  void* allocate(int64_t bytes, Purpose purpose, Contents contents) override {
    auto* block = static_cast<unsigned char*>(Device::allocate(bytes + 2 * kZone, purpose, contents));
    std::memset(block + kZone, contents == Contents::zero ? 0 : 0xFF, size_t(bytes));
    for (unsigned char* zone : {block, block + kZone + bytes}) {
      for (int64_t i = 0; i < kZone; ++i) zone[i] = guard(i);
      close_memory(zone, kZone);
    }
    return block + kZone;
  }

  void release(void* block, int64_t bytes, Purpose purpose) override {
    auto* begin = static_cast<unsigned char*>(block) - kZone;
    open_memory(begin, kZone);
    open_memory(begin + kZone + bytes, kZone);
    for (int64_t i = 0; i < kZone; ++i)
      if (begin[i] != guard(i) || begin[kZone + bytes + i] != guard(i)) {
        ADD_FAILURE() << "a kernel wrote outside a block of " << bytes << " bytes";
        break;
      }
    Device::release(begin, bytes + 2 * kZone, purpose);
  }

 private:
  static constexpr int64_t kZone = 256;
  // NaN in f32, bf16 and f16.
  static constexpr unsigned char guard(int64_t i) { return i % 2 == 0 ? 0xA5 : 0xFF; }
};

}  // namespace fude
