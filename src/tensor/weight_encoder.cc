#include "tensor/weight_encoder.h"

#include <algorithm>

#include "base/error.h"

namespace fude {
namespace {

constexpr size_t kAtOnce = size_t(1) << 21;  // values
constexpr int64_t kGrain = 8192;             // values that a thread takes

}  // namespace

void WeightEncoder::add(std::span<const float> values) {
  while (!values.empty()) {
    const size_t count = std::min(values.size(), kAtOnce);
    waiting_.insert(waiting_.end(), values.begin(), values.begin() + std::ptrdiff_t(count));
    values = values.subspan(count);
    encode_whole_blocks();
  }
}

void WeightEncoder::encode_whole_blocks() {
  const int64_t blocks = int64_t(waiting_.size()) / format_.block, whole = blocks * format_.block;
  encoded_.resize(size_t(blocks * format_.block_bytes));
  check_weights(format_, {waiting_.data(), size_t(whole)}, place_);
  const auto encode = [&](int64_t begin, int64_t end) {
    format_.encode(waiting_.data() + begin * format_.block, end - begin, encoded_.data() + begin * format_.block_bytes);
  };
  if (threads_ == nullptr)
    encode(0, blocks);
  else
    threads_->parallel_for(blocks, std::max<int64_t>(1, kGrain / format_.block), encode);
  put_({reinterpret_cast<const char*>(encoded_.data()), encoded_.size()});
  written_ += encoded_.size();
  waiting_.erase(waiting_.begin(), waiting_.begin() + whole);
}

uint64_t WeightEncoder::finish() const {
  require(waiting_.empty(), "[format] {}: {} values are no whole block of {}", place_, waiting_.size(), format_.name);
  return written_;
}

}  // namespace fude
