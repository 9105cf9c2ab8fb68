// The state of a run in one file: named raw tensors and a JSON header, written atomically, refused unless every byte is
// as it was written.
//
//     "FUDESTAT" · u32 version · u32 zero · u64 header length · header (JSON) · zeros to 64
//     · data, each tensor at a multiple of 64 · XXH3-128 of everything before (16 bytes)
//
// All numbers little-endian. Header: {"tensors": [{"name", "dtype", "count", "offset"}, …], "user": …}; offsets count
// from the start of the data and are exactly those that the counts imply. `user` is the caller's: step, loader state,
// hashes of tokenizer, text and configuration, "numerics".
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "tensor/tensor.h"

namespace fude {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

inline constexpr const char* kCheckpointName = "state.fude";  // in a checkpoint's folder

// One tensor of a file that was checked: `bytes` lie inside the file.
struct CheckpointEntry {
  std::string name;
  DType type;
  int64_t count;
  std::span<const std::byte> bytes;
};

struct CheckpointContents {
  std::vector<CheckpointEntry> entries;
  Json user;
};

// Checks the bytes of a file and points into them. Error, naming `where`, at anything unexpected. Without
// `verify_checksum` the structure alone is checked (for fuzzing).
CheckpointContents parse_checkpoint(std::span<const std::byte> bytes, std::string_view where,
                                    bool verify_checksum = true);

// Writes folder/state.fude; the folder is made if it is missing. Names must be distinct.
void save_checkpoint(const std::string& folder, const NamedTensors& tensors, Json user);

// An open checkpoint: mapped, checked, ready to be copied from.
class Checkpoint {
 public:
  explicit Checkpoint(const std::string& folder);

  const Json& user() const { return contents_.user; }
  const std::vector<CheckpointEntry>& entries() const { return contents_.entries; }
  // Copies into tensors of the same names, types and sizes. All are checked before the first is changed; Error names
  // the first that differs. Entries that nobody asked for are left alone.
  void restore(const NamedTensors& tensors) const;

 private:
  std::string path_;
  MappedFile file_;
  CheckpointContents contents_;
  std::unordered_map<std::string, size_t> by_name_;
};

}  // namespace fude
