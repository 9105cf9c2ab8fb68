// layer: train
// The reader of state.fude on arbitrary bytes. The checksum is not asked for: it would stop nearly every input at the
// door.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "train/checkpoint_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    unsigned sum = 0;
    for (const auto& entry : fude::parse_checkpoint(bytes, "fuzz", false).entries)
      for (const std::byte byte : entry.bytes) sum += unsigned(byte);
    if (sum == 0xFFFFFFFFu) return -1;
  } catch (const fude::Error&) {}
  return 0;
}
