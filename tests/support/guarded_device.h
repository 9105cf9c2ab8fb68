// A Device whose blocks lie between guard zones and begin as NaN: a kernel that writes past its tensor, or reads what
// nobody wrote, is found.
#pragma once

#include <gtest/gtest.h>

#include <cstring>

#include "backend/device.h"

namespace fude {

class GuardedDevice : public Device {
 public:
  using Device::Device;

  void* allocate(int64_t bytes, Purpose purpose, Contents contents) override {
    auto* block = static_cast<unsigned char*>(Device::allocate(bytes + 2 * kZone, purpose, contents));
    std::memset(block, kGuard, size_t(kZone));
    std::memset(block + kZone, contents == Contents::zero ? 0 : 0xFF, size_t(bytes));
    std::memset(block + kZone + bytes, kGuard, size_t(kZone));
    return block + kZone;
  }

  void release(void* block, int64_t bytes, Purpose purpose) override {
    auto* begin = static_cast<unsigned char*>(block) - kZone;
    for (int64_t i = 0; i < kZone; ++i)
      if (begin[i] != kGuard || begin[kZone + bytes + i] != kGuard) {
        ADD_FAILURE() << "a kernel wrote outside a block of " << bytes << " bytes";
        break;
      }
    Device::release(begin, bytes + 2 * kZone, purpose);
  }

 private:
  static constexpr int64_t kZone = 256;
  static constexpr unsigned char kGuard = 0xA5;
};

}  // namespace fude
