#include "tensor/gguf_metadata.h"

#include <array>
#include <bit>
#include <cstring>

#include "base/error.h"

namespace fude {
namespace {

struct GgufTypeRow {
  const char* name;
  uint64_t width;
};

constexpr std::array<GgufTypeRow, 13> kGgufTypes = {{{"u8", 1},
                                                     {"i8", 1},
                                                     {"u16", 2},
                                                     {"i16", 2},
                                                     {"u32", 4},
                                                     {"i32", 4},
                                                     {"f32", 4},
                                                     {"boolean", 1},
                                                     {"string", 0},
                                                     {"array", 0},
                                                     {"u64", 8},
                                                     {"i64", 8},
                                                     {"f64", 8}}};

std::string describe(const GgufValue& value) {
  const char* name = kGgufTypes[size_t(value.type)].name;
  return value.is_array ? fmt::format("{} values of type {}", value.count, name) : name;
}

template <class T>
T load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// Calls f with the number at `from`, in its own type.
template <class F>
auto with_number(GgufType type, const char* from, F f) {
  switch (type) {
    case GgufType::u8:
      return f(load<uint8_t>(from));
    case GgufType::i8:
      return f(load<int8_t>(from));
    case GgufType::u16:
      return f(load<uint16_t>(from));
    case GgufType::i16:
      return f(load<int16_t>(from));
    case GgufType::u32:
      return f(load<uint32_t>(from));
    case GgufType::i32:
      return f(load<int32_t>(from));
    case GgufType::u64:
      return f(load<uint64_t>(from));
    case GgufType::i64:
      return f(load<int64_t>(from));
    case GgufType::f32:
      return f(load<float>(from));
    default:
      return f(load<double>(from));
  }
}

bool is_integer(GgufType type) { return type <= GgufType::i32 || type == GgufType::u64 || type == GgufType::i64; }

}  // namespace

uint64_t gguf_width(GgufType type) { return kGgufTypes[size_t(type)].width; }

const GgufValue* GgufMetadata::find(std::string_view key) const {
  const auto found = places_.find(key);
  return found == places_.end() ? nullptr : &entries_[found->second].second;
}

void GgufMetadata::fail_missing(std::string_view key) const {
  fail("[gguf] {}: expected the key '{}', there is none", source_, key);
}

// The element at `next`, which goes on behind it.
template <class T>
T GgufMetadata::element(std::string_view key, const GgufValue& value, const char*& next) const {
  const char* from = next;
  next += gguf_width(value.type);
  const auto expect = [&](bool fits, const char* what) {
    require(fits, "[gguf] {}: expected {} at '{}', got {}", source_, what, key, describe(value));
  };
  if constexpr (std::is_same_v<T, std::string_view>) {
    expect(value.type == GgufType::string, "text");
    const auto length = load<uint64_t>(from);
    next = from + 8 + length;
    return {from + 8, length};
  } else if constexpr (std::is_same_v<T, bool>) {
    expect(value.type == GgufType::boolean, "true or false");
    return *from != 0;
  } else if constexpr (std::is_same_v<T, double>) {
    expect(is_integer(value.type) || value.type == GgufType::f32 || value.type == GgufType::f64, "a number");
    return with_number(value.type, from, [](auto x) { return double(x); });
  } else {
    expect(is_integer(value.type), "an integer");
    if (value.type == GgufType::u64) expect(load<int64_t>(from) >= 0, "an integer below 2^63");
    return with_number(value.type, from, [](auto x) { return int64_t(x); });
  }
}

template <class T>
std::optional<T> GgufMetadata::one(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return {};
  require(!value->is_array, "[gguf] {}: expected a single value at '{}', got {}", source_, key, describe(*value));
  const char* next = value->bytes.data();
  return element<T>(key, *value, next);
}

template <class T>
std::vector<T> GgufMetadata::all(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) fail_missing(key);
  std::vector<T> elements;
  elements.reserve(value->count);
  const char* next = value->bytes.data();
  for (uint64_t i = 0; i < value->count; ++i) elements.push_back(element<T>(key, *value, next));
  return elements;
}

std::optional<int64_t> GgufMetadata::find_integer(std::string_view key) const { return one<int64_t>(key); }
std::optional<double> GgufMetadata::find_number(std::string_view key) const { return one<double>(key); }
std::optional<bool> GgufMetadata::find_boolean(std::string_view key) const { return one<bool>(key); }
std::optional<std::string_view> GgufMetadata::find_string(std::string_view key) const {
  return one<std::string_view>(key);
}

std::vector<int64_t> GgufMetadata::integers(std::string_view key) const { return all<int64_t>(key); }
std::vector<double> GgufMetadata::numbers(std::string_view key) const { return all<double>(key); }
std::vector<bool> GgufMetadata::booleans(std::string_view key) const { return all<bool>(key); }
std::vector<std::string_view> GgufMetadata::strings(std::string_view key) const { return all<std::string_view>(key); }

uint64_t GgufMetadata::alignment() const {
  const int64_t alignment = find_integer("general.alignment").value_or(32);
  require(alignment > 0 && alignment <= 65536 && std::has_single_bit(uint64_t(alignment)),
          "[gguf] {}: expected a power of two up to 65536 at 'general.alignment', got {}", source_, alignment);
  return uint64_t(alignment);
}

void GgufMetadata::put(const std::string& key, GgufValue value) {
  const auto [place, is_new] = places_.emplace(key, entries_.size());
  if (is_new) {
    entries_.emplace_back(key, std::move(value));
  } else {
    entries_[place->second].second = std::move(value);
  }
}

}  // namespace fude
