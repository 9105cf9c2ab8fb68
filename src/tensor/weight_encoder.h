// Values that come in pieces of any length, encoded into the blocks of a format and handed on, a few megabytes at a
// time: a table of embeddings is larger than what should be held twice.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/threads.h"
#include "tensor/format.h"

namespace fude {

class WeightEncoder {
 public:
  using Put = std::function<void(std::string_view)>;
  // `place` names the tensor in errors.
  WeightEncoder(const WeightFormat& format, std::string place, Threads* threads, Put put)
      : format_(format), place_(std::move(place)), threads_(threads), put_(std::move(put)) {}

  // Error for a value that the format does not hold.
  void add(std::span<const float> values);
  // Bytes handed on. Error if values are left that make no whole block.
  uint64_t finish() const;

 private:
  void encode_whole_blocks();

  const WeightFormat& format_;
  std::string place_;
  Threads* threads_;
  Put put_;
  std::vector<float> waiting_;  // values that have not filled a block
  std::vector<std::byte> encoded_;
  uint64_t written_ = 0;
};

}  // namespace fude
