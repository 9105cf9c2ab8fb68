#include "train/checkpoint_file.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/json.h"

namespace fude {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is written as memory lies");

constexpr std::string_view kMagic = "FUDESTAT";
constexpr uint32_t kVersion = 1;
constexpr uint64_t kPrefixBytes = 24, kAlign = 64, kChecksum = 16;
constexpr uint64_t kLargestHeader = uint64_t(1) << 30;  // the answers of a large rollout are in it

uint64_t aligned(uint64_t x) { return (x + kAlign - 1) / kAlign * kAlign; }

template <class T>
T load(std::span<const std::byte> bytes, uint64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

DType dtype_named(std::string_view name, std::string_view where) {
  for (const DType type : {DType::f32, DType::bf16, DType::i32, DType::i16})
    if (name == name_of(type)) return type;
  fail("[{}] unknown element type '{}'", where, name);
}

std::string_view chars(const void* data, uint64_t size) { return {static_cast<const char*>(data), size_t(size)}; }

}  // namespace

CheckpointContents parse_checkpoint(std::span<const std::byte> bytes, std::string_view where, bool verify_checksum) {
  const uint64_t size = bytes.size();
  require(size >= aligned(kPrefixBytes) + kChecksum, "[{}] not a checkpoint, or cut short: only {} bytes", where, size);
  require(chars(bytes.data(), kMagic.size()) == kMagic, "[{}] not a checkpoint: it does not begin with {}", where,
          kMagic);
  const uint32_t version = load<uint32_t>(bytes, 8);
  require(version == kVersion, "[{}] checkpoint version {}, this program reads {}", where, version, kVersion);
  require(load<uint32_t>(bytes, 12) == 0, "[{}] the checkpoint is damaged: reserved bytes are set", where);
  const uint64_t header_size = load<uint64_t>(bytes, 16);
  // Both operands are small here, so nothing overflows.
  require(header_size <= kLargestHeader && aligned(kPrefixBytes + header_size) <= size - kChecksum,
          "[{}] the checkpoint is cut short or damaged: a header of {} bytes in a file of {}", where, header_size,
          size);
  if (verify_checksum) {
    XXH128_canonical_t written;
    std::memcpy(&written, bytes.data() + (size - kChecksum), kChecksum);
    require(XXH128_isEqual(XXH128_hashFromCanonical(&written), XXH3_128bits(bytes.data(), size - kChecksum)) != 0,
            "[{}] the checkpoint is cut short or damaged: the checksum differs", where);
  }

  const Json header = parse_json(chars(bytes.data() + kPrefixBytes, header_size), where, {.bytes = kLargestHeader});
  require(header.is_object() && header.contains("tensors") && header["tensors"].is_array() && header.contains("user"),
          "[{}] expected a checkpoint header with tensors and user", where);
  CheckpointContents contents;
  const uint64_t data_at = aligned(kPrefixBytes + header_size);
  const uint64_t data_size = size - kChecksum - data_at;
  std::set<std::string> names;
  uint64_t end = 0;  // of the tensors so far, aligned, never beyond data_size
  for (const Json& item : header["tensors"]) {
    CheckpointEntry entry;
    entry.name = json_string(item, "name", where);
    require(names.insert(entry.name).second, "[{}] the tensor '{}' comes twice", where, entry.name);
    entry.type = dtype_named(json_string(item, "dtype", where), where);
    entry.count = json_integer(item, "count", where);
    const int64_t offset = json_integer(item, "offset", where);
    require(offset >= 0 && uint64_t(offset) == end, "[{}] the tensor '{}' is expected at {}, got {}", where, entry.name,
            end, offset);
    const uint64_t room = (data_size - end) / uint64_t(size_of(entry.type));
    require(entry.count >= 0 && uint64_t(entry.count) <= room, "[{}] the tensor '{}' does not fit into the file", where,
            entry.name);
    const uint64_t tensor_bytes = uint64_t(entry.count) * uint64_t(size_of(entry.type));
    entry.bytes = bytes.subspan(size_t(data_at + end), size_t(tensor_bytes));
    end = aligned(end + tensor_bytes);
    require(end <= data_size, "[{}] the tensor '{}' does not fit into the file", where, entry.name);
    contents.entries.push_back(std::move(entry));
  }
  require(end == data_size, "[{}] the checkpoint has {} bytes of data, its header tells of {}", where, data_size, end);
  contents.user = header["user"];
  return contents;
}

void save_checkpoint(const std::string& folder, const NamedTensors& tensors, Json user) {
  Json header = {{"tensors", Json::array()}, {"user", std::move(user)}};
  std::set<std::string> names;
  uint64_t end = 0;
  for (const auto& [name, tensor] : tensors) {
    require(names.insert(name).second, "[checkpoint] the tensor '{}' comes twice", name);
    require(tensor.size() == 0 || tensor.raw() != nullptr, "[checkpoint] the tensor '{}' has no memory", name);
    header["tensors"].push_back(
        {{"name", name}, {"dtype", name_of(tensor.type())}, {"count", tensor.size()}, {"offset", end}});
    end = aligned(end + uint64_t(tensor.bytes()));
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception& error) {
    fail("[checkpoint] a name or the user's JSON is not valid UTF-8: {}", error.what());
  }
  require(text.size() <= kLargestHeader, "[checkpoint] the header has {} bytes, the limit is {}", text.size(),
          kLargestHeader);

  make_directories(folder);
  write_atomically(folder + "/" + kCheckpointName, [&](const auto& put) {
    const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> hash(XXH3_createState(), XXH3_freeState);
    require(hash != nullptr, "[checkpoint] not enough memory");
    XXH3_128bits_reset(hash.get());
    uint64_t written = 0;
    const auto add = [&](std::string_view piece) {
      XXH3_128bits_update(hash.get(), piece.data(), piece.size());
      put(piece);
      written += piece.size();
    };
    const auto pad = [&] {
      static constexpr char zeros[kAlign] = {};
      add({zeros, size_t(aligned(written) - written)});
    };
    const uint32_t version[2] = {kVersion, 0};
    const uint64_t header_size = text.size();
    add(kMagic);
    add(chars(version, sizeof version));
    add(chars(&header_size, sizeof header_size));
    add(text);
    pad();
    constexpr uint64_t kPiece = uint64_t(1) << 24;  // hashed and written while it is in the cache
    for (const auto& [name, tensor] : tensors) {
      const uint64_t bytes = uint64_t(tensor.bytes());
      for (uint64_t at = 0; at < bytes; at += kPiece)
        add(chars(static_cast<const char*>(tensor.raw()) + at, std::min(kPiece, bytes - at)));
      pad();
    }
    XXH128_canonical_t checksum;
    XXH128_canonicalFromHash(&checksum, XXH3_128bits_digest(hash.get()));
    put(chars(&checksum, sizeof checksum));
  });
}

Checkpoint::Checkpoint(const std::string& folder)
    : path_(folder + "/" + kCheckpointName), file_(path_), contents_(parse_checkpoint(file_.bytes(), path_)) {
  for (size_t i = 0; i < contents_.entries.size(); ++i) by_name_[contents_.entries[i].name] = i;
}

void Checkpoint::restore(const NamedTensors& tensors) const {
  for (const auto& [name, tensor] : tensors) {
    const auto found = by_name_.find(name);
    require(found != by_name_.end(), "[{}] expected the tensor '{}', it is missing", path_, name);
    const CheckpointEntry& entry = contents_.entries[found->second];
    require(entry.type == tensor.type() && entry.count == tensor.size(), "[{}] '{}': expected {} x {}, got {} x {}",
            path_, name, tensor.size(), name_of(tensor.type()), entry.count, name_of(entry.type));
  }
  for (const auto& [name, tensor] : tensors) {
    const CheckpointEntry& entry = contents_.entries[by_name_.at(name)];
    if (tensor.raw() != nullptr && !entry.bytes.empty())
      std::memcpy(tensor.raw(), entry.bytes.data(), entry.bytes.size());
  }
}

}  // namespace fude
