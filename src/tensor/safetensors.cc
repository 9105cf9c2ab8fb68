#include "tensor/safetensors.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/json.h"
#include "tensor/format.h"
#include "tensor/weight_encoder.h"

namespace fude {
namespace {

constexpr uint64_t kHeaderLimit = 100 << 20;

int64_t element_bytes(const std::string& dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 2;
  if (dtype == "I8" || dtype == "U8" || dtype == "BOOL" || dtype == "F8_E4M3" || dtype == "F8_E5M2") return 1;
  return 0;
}

}  // namespace

int64_t SafetensorsFile::Entry::size() const {
  int64_t size = 1;
  for (int64_t extent : shape) size *= extent;
  return size;
}

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path), file_(path) {
  const auto bytes = file_.bytes();
  require(bytes.size() >= 8, "[safetensors] {}: expected at least 8 bytes, got {}", path, bytes.size());
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  require(length <= kHeaderLimit && length <= bytes.size() - 8,
          "[safetensors] {}: the header says {} bytes, the file has {}; it is truncated or no safetensors file", path,
          length, bytes.size() - 8);
  const uint64_t start = 8 + length, room = bytes.size() - start;
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  const auto add = [&](const std::string& name, const Json& value) {
    Entry entry;
    entry.dtype = json_string(value, "dtype", path);
    const int64_t width = element_bytes(entry.dtype);
    require(width > 0, "[safetensors] {}: tensor {} has the unknown type {}", path, name, entry.dtype);
    const auto shape = value.find("shape"), offsets = value.find("data_offsets");
    require(shape != value.end() && shape->is_array() && shape->size() <= 8, "[safetensors] {}: tensor {} has no shape",
            path, name);
    uint64_t size = uint64_t(width);
    for (const Json& extent : *shape) {
      require(extent.is_number_unsigned() && extent.get<uint64_t>() <= room,
              "[safetensors] {}: tensor {} has an impossible shape", path, name);
      const uint64_t count = extent.get<uint64_t>();
      require(count == 0 || size <= room / count, "[safetensors] {}: tensor {} is larger than the file", path, name);
      size *= count;
      entry.shape.push_back(int64_t(count));
    }
    require(offsets != value.end() && offsets->is_array() && offsets->size() == 2 &&
                (*offsets)[0].is_number_unsigned() && (*offsets)[1].is_number_unsigned(),
            "[safetensors] {}: tensor {} has no offsets", path, name);
    const uint64_t begin = (*offsets)[0].get<uint64_t>(), end = (*offsets)[1].get<uint64_t>();
    require(begin <= end && end <= room && end - begin == size,
            "[safetensors] {}: tensor {} lies at {} to {} of {} bytes and should have {}; the file is "
            "truncated or damaged",
            path, name, begin, end, room, size);
    entry.begin = start + begin, entry.end = start + end;
    ranges.emplace_back(begin, end);
    require(entries_.emplace(name, std::move(entry)).second, "[safetensors] {}: the tensor {} comes twice", path, name);
  };
  const Json header = parse_json({reinterpret_cast<const char*>(bytes.data()) + 8, length}, path);
  require(header.is_object(), "[safetensors] {}: expected an object as header", path);
  for (const auto& [name, value] : header.get_ref<const Json::object_t&>())
    if (name != "__metadata__") add(name, value);
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i)
    require(ranges[i].first >= ranges[i - 1].second, "[safetensors] {}: tensors overlap", path);
}

const SafetensorsFile::Entry& SafetensorsFile::entry(const std::string& name) const {
  const auto found = entries_.find(name);
  require(found != entries_.end(), "[safetensors] {}: there is no tensor {}", path_, name);
  return found->second;
}

const WeightFormat& SafetensorsFile::format(const std::string& name) const {
  const Entry& e = entry(name);
  require(e.dtype == "F32" || e.dtype == "BF16" || e.dtype == "F16",
          "[safetensors] {}: {}: expected F32, BF16 or F16, got {}", path_, name, e.dtype);
  return weight_format(e.dtype);
}

std::span<const std::byte> SafetensorsFile::rows(const std::string& name, int64_t first, int64_t count) const {
  const Entry& e = entry(name);
  const int64_t all = e.shape.empty() ? 1 : e.shape.front();
  require(first >= 0 && count >= 0 && first <= all && count <= all - first,
          "[safetensors] {}: tensor {} has {} rows, asked for {} from {}", path_, name, all, count, first);
  const uint64_t row_bytes = all == 0 ? 0 : (e.end - e.begin) / uint64_t(all);
  return file_.bytes().subspan(e.begin + uint64_t(first) * row_bytes, uint64_t(count) * row_bytes);
}

void SafetensorsFile::drop(const std::string& name, int64_t first, int64_t count) const {
  const auto part = rows(name, first, count);
  const uint64_t begin = uint64_t(part.data() - file_.bytes().data());
  file_.drop(begin, begin + part.size());
}

std::vector<float> SafetensorsFile::read_f32(const std::string& name) const {
  const Entry& e = entry(name);
  std::vector<float> values(size_t(e.size()));
  format(name).decode(file_.bytes().data() + e.begin, e.size(), values.data());
  file_.drop(e.begin, e.end);
  return values;
}

std::vector<int32_t> SafetensorsFile::read_i32(const std::string& name) const {
  const Entry& e = entry(name);
  require(e.dtype == "I32", "[safetensors] {}: {}: expected I32, got {}", path_, name, e.dtype);
  std::vector<int32_t> values(size_t(e.size()));
  if (!values.empty()) std::memcpy(values.data(), file_.bytes().data() + e.begin, values.size() * 4);
  return values;
}

void write_safetensors(const std::string& path, const std::vector<SafetensorsOutput>& tensors,
                       const WriteOptions& options) {
  Json header;
  header["__metadata__"] = {{"format", "pt"}};
  std::vector<uint64_t> sizes;
  uint64_t offset = 0, done = 0;
  for (const auto& tensor : tensors) {
    const WeightFormat& format = weight_format(tensor.type);
    require(!format.is_quantized(), "[safetensors] {}: expected F32, F16 or BF16, got {}", tensor.name, format.name);
    uint64_t size = uint64_t(format.block_bytes);
    for (int64_t extent : tensor.shape) size *= uint64_t(extent);
    header[tensor.name] = {{"dtype", format.name}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + size}}};
    offset += size;
    sizes.push_back(size);
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  write_atomically(path, [&](const auto& put) {
    const uint64_t length = text.size();
    put({reinterpret_cast<const char*>(&length), 8});
    put(text);
    const auto put_weights = [&](std::string_view bytes) {
      put(bytes);
      done += bytes.size();
      if (options.progress) options.progress(int64_t(done), int64_t(offset));
    };
    for (size_t i = 0; i < tensors.size(); ++i) {
      WeightEncoder encoder(weight_format(tensors[i].type), tensors[i].name, options.threads, put_weights);
      tensors[i].fill([&](const std::vector<float>& values) { encoder.add(values); });
      const uint64_t written = encoder.finish();
      require(written == sizes[i], "[safetensors] {}: expected {} bytes, got {}", tensors[i].name, sizes[i], written);
    }
  });
}

}  // namespace fude
