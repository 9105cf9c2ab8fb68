// What a GGUF file says about itself: keys with typed values, in order.
//
// A value keeps its elements as the bytes of the file, and the accessors turn them into what is asked for. So a
// vocabulary of 150,000 strings is one copy, and a value goes from file to file as it is. Accessors take every width of
// integer or float; a wrong type is an Error that names file, key, what was expected and what is there.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace fude {

// The numbers are those of the file.
enum class GgufType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

// Bytes of an element; 0 for strings and arrays.
uint64_t gguf_width(GgufType type);

template <class T>
constexpr GgufType gguf_type_of() {
  constexpr bool is_signed = std::is_signed_v<T>;
  if constexpr (!std::is_arithmetic_v<T>) return GgufType::string;
  if constexpr (std::is_same_v<T, bool>) return GgufType::boolean;
  if constexpr (std::is_floating_point_v<T>) return sizeof(T) == 4 ? GgufType::f32 : GgufType::f64;
  if constexpr (sizeof(T) == 1) return is_signed ? GgufType::i8 : GgufType::u8;
  if constexpr (sizeof(T) == 2) return is_signed ? GgufType::i16 : GgufType::u16;
  if constexpr (sizeof(T) == 4) return is_signed ? GgufType::i32 : GgufType::u32;
  return is_signed ? GgufType::i64 : GgufType::u64;
}

// A number as its bytes, a string as its length (u64) and its text.
template <class T>
void append_gguf(std::string& to, const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    to.append(reinterpret_cast<const char*>(&value), sizeof(T));
  } else {
    const std::string_view text = value;
    append_gguf(to, uint64_t(text.size()));
    to += text;
  }
}

struct GgufValue {
  GgufType type = GgufType::u8;  // of the elements, never `array`: arrays of arrays are refused
  bool is_array = false;
  uint64_t count = 1;
  std::string bytes;  // the elements, as append_gguf leaves them
};

class GgufMetadata {
 public:
  // `source` is named in errors: a path.
  explicit GgufMetadata(std::string source = "new GGUF file") : source_(std::move(source)) {}

  bool has(std::string_view key) const { return places_.contains(key); }
  const std::vector<std::pair<std::string, GgufValue>>& entries() const { return entries_; }

  // Error if there is no such key. A string lives as long as the value.
  int64_t integer(std::string_view key) const { return required(key, find_integer(key)); }
  double number(std::string_view key) const { return required(key, find_number(key)); }
  bool boolean(std::string_view key) const { return required(key, find_boolean(key)); }
  std::string_view string(std::string_view key) const { return required(key, find_string(key)); }
  // Nothing if there is no such key; Error if it has another type.
  std::optional<int64_t> find_integer(std::string_view key) const;
  std::optional<double> find_number(std::string_view key) const;  // integers too
  std::optional<bool> find_boolean(std::string_view key) const;
  std::optional<std::string_view> find_string(std::string_view key) const;
  // Arrays; a single value is an array of one, as files mix them ("the heads of each layer"). Error if there is none.
  std::vector<int64_t> integers(std::string_view key) const;
  std::vector<double> numbers(std::string_view key) const;
  std::vector<bool> booleans(std::string_view key) const;
  std::vector<std::string_view> strings(std::string_view key) const;

  // Where tensors begin is a multiple of this: general.alignment, or 32. Error unless it is a power
  // of two, 65536 at most.
  uint64_t alignment() const;

  // Adds a value at the end, or replaces the one with that key.
  void put(const std::string& key, GgufValue value);
  // The type in the file is the type here: a number, a string, or a vector of them.
  template <class T>
  void set(const std::string& key, const T& value) {
    GgufValue made;
    if constexpr (std::is_arithmetic_v<T> || std::is_convertible_v<T, std::string_view>) {
      made.type = gguf_type_of<T>();
      append_gguf(made.bytes, value);
    } else {
      using Element = typename T::value_type;
      made = {gguf_type_of<Element>(), true, value.size(), {}};
      for (const Element& element : value) append_gguf(made.bytes, element);
    }
    put(key, std::move(made));
  }

 private:
  const GgufValue* find(std::string_view key) const;
  template <class T>
  T element(std::string_view key, const GgufValue& value, const char*& next) const;
  template <class T>
  std::optional<T> one(std::string_view key) const;
  template <class T>
  std::vector<T> all(std::string_view key) const;
  template <class T>
  T required(std::string_view key, const std::optional<T>& value) const {
    if (!value) fail_missing(key);
    return *value;
  }
  [[noreturn]] void fail_missing(std::string_view key) const;

  std::string source_;
  std::vector<std::pair<std::string, GgufValue>> entries_;
  std::map<std::string, size_t, std::less<>> places_;
};

}  // namespace fude
