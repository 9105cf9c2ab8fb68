// layer: data
// A shard from a stranger: as it is, and with its checksums made right so that the structure behind them is reached.
#include <string>

#include "base/error.h"
#include "data/shard.h"
#include "data/shard_format.h"

namespace {

void read_shard(const std::string& bytes) {
  using namespace fude;
  for (const ShardCheck check : {ShardCheck::everything, ShardCheck::structure}) {
    try {
      const Shard shard({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "fuzz", check);
      for (int64_t i = 0; i < shard.info().documents; ++i) {
        shard.text_bytes(i);
        shard.language(i);
        shard.document(i).to_vector();
      }
    } catch (const Error&) {}
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  read_shard(bytes);
  if (bytes.size() < sizeof(fude::ShardHeader) + 8) return 0;
  // Spare the fuzzer the magic numbers and a length of its own.
  std::memcpy(bytes.data(), fude::kShardMagic, 8);
  std::memcpy(bytes.data() + 8, &fude::kShardVersion, 4);
  fude::seal_shard(bytes);
  read_shard(bytes);
  return 0;
}
