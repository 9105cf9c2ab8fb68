// layer: data
// Compressed bytes from a stranger: they end, or they are an Error; and the size of the pieces read changes nothing.
#include <string>

#include "base/error.h"
#include "data/compressed_stream.h"

namespace {

constexpr size_t kEnough = 1 << 20;  // a bomb may go on for ever, in bounded memory

std::string read_all(std::string_view bytes, size_t piece) {
  std::string all, buffer(piece, '\0');
  try {
    fude::CompressedStream stream(bytes, "fuzz");
    while (all.size() < kEnough) {
      const size_t got = stream.read(buffer.data(), std::min(piece, kEnough - all.size()));
      if (got == 0) return all + " (end)";
      all.append(buffer, 0, got);
    }
  } catch (const fude::Error&) { return "(error)"; }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (read_all(bytes, 65536) != read_all(bytes, 61)) __builtin_trap();
  return 0;
}
