// Protocol buffers, read: the fields of a message one after the other, each length checked before it is used.
//
// Only what SentencePiece's files need: numbers, 32-bit floats and bytes. Fields are told apart by number; what a
// caller does not ask for is passed over.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/error.h"

namespace fude {

class ProtobufReader {
 public:
  // `where` names the file in errors; both must outlive the reader.
  ProtobufReader(std::string_view message, std::string_view where) : rest_(message), where_(where) {}

  // Reads the next field; false at the end.
  bool next() {
    if (rest_.empty()) return false;
    const uint64_t key = read_varint();
    field_ = key >> 3;
    kind_ = Kind(key & 7);
    require(field_ > 0, "[{}] expected a protobuf field, got the number 0", where_);
    if (kind_ == Kind::varint) {
      number_ = read_varint();
    } else if (kind_ == Kind::fixed64 || kind_ == Kind::fixed32) {
      bytes_ = take(kind_ == Kind::fixed64 ? 8 : 4);
    } else {
      require(kind_ == Kind::bytes, "[{}] the protobuf field {} has the unknown wire type {}", where_, field_,
              int(kind_));
      bytes_ = take(read_varint());
    }
    return true;
  }
  uint64_t field() const { return field_; }

  // The value of the field. Error if it has another type.
  std::string_view bytes() const { return expect(Kind::bytes, "bytes"), bytes_; }
  int64_t integer() const { return expect(Kind::varint, "an integer"), int64_t(number_); }
  bool boolean() const { return integer() != 0; }
  float number() const {
    expect(Kind::fixed32, "a float");
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; ++i) bits |= uint32_t(uint8_t(bytes_[i])) << (8 * i);
    return std::bit_cast<float>(bits);
  }

 private:
  enum class Kind { varint, fixed64, bytes, fixed32 = 5 };

  void expect(Kind kind, const char* what) const {
    require(kind_ == kind, "[{}] expected {} in the protobuf field {}, got wire type {}", where_, what, field_,
            int(kind_));
  }
  uint64_t read_varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = uint8_t(take(1)[0]);
      value |= uint64_t(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    fail("[{}] a protobuf number has more than ten bytes", where_);
  }
  std::string_view take(uint64_t size) {
    require(size <= rest_.size(), "[{}] expected {} more bytes in the protobuf, got {}", where_, size, rest_.size());
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_, bytes_, where_;
  uint64_t field_ = 0, number_ = 0;
  Kind kind_ = Kind::varint;
};

}  // namespace fude
