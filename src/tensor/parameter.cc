#include "tensor/parameter.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/error.h"
#include "tensor/split_float.h"

namespace fude {

Parameter::Parameter(Device& device, std::string name, Layout layout, std::vector<Segment> segments, int64_t cols,
                     Precision precision)
    : name_(std::move(name)), layout_(layout), segments_(std::move(segments)), cols_(cols) {
  for (const Segment& segment : segments_) {
    require(segment.rows > 0, "[parameter] {}: segment {} is empty", name_, segment.name);
    rows_ += segment.rows;
  }
  require(rows_ > 0 && cols_ > 0, "[parameter] {}: expected rows and columns, got {} x {}", name_, rows_, cols_);
  const WeightFormat* format = is_matrix() ? segments_.front().format : nullptr;
  require(format == nullptr || can_keep_formats(segments_, cols_), "[parameter] {}: expected whole blocks and panels",
          name_);
  if (format != nullptr && format->is_quantized()) {
    make_runs(device);
    return;
  }
  const bool is_bf16 = is_matrix() && precision.compute == DType::bf16;
  require(!is_bf16 || cols_ % 2 == 0, "[parameter] {}: expected an even number of columns for bf16, got {}", name_,
          cols_);
  const int64_t stored_rows = is_matrix() ? (rows_ + kPanel - 1) / kPanel * kPanel : rows_;
  if (format != nullptr) {
    is_in_halves_ = true;
    const DType type = format->type == WeightType::f16 ? DType::f16 : DType::bf16;
    packed_ = Tensor(device, {stored_rows * cols_}, type, Purpose::weights, Contents::zero);
    return;
  }
  const auto zeros = [&](DType type) {
    return Tensor(device, {stored_rows * cols_}, type, Purpose::weights, Contents::zero);
  };
  if (is_bf16) {
    packed_ = zeros(DType::bf16);
    if (precision.keeps_master) remainders_ = zeros(DType::i16);
  } else {
    packed_ = values_ = zeros(DType::f32);
  }
}

bool Parameter::can_keep_formats(const std::vector<Segment>& segments, int64_t cols) {
  int64_t row = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    const WeightFormat *format = segments[i].format, *before = segments[i > 0 ? i - 1 : 0].format;
    if (format == nullptr || segments[i].is_less_one_in_file) return false;
    const bool has_panels = format->is_quantized() && before->is_quantized() && row % kPanel == 0;
    if (format != before && !has_panels) return false;
    if (!format->is_half() && (!format->is_quantized() || cols % format->block != 0)) return false;
    row += segments[i].rows;
  }
  return true;
}

void Parameter::make_runs(Device& device) {
  int64_t row = 0, bytes = 0;
  for (const Segment& segment : segments_) {
    row += segment.rows;
    const int64_t end_panel = (row + kPanel - 1) / kPanel;
    if (runs_.empty() || runs_.back().format != segment.format)
      runs_.push_back({segment.format, runs_.empty() ? 0 : runs_.back().first_panel + runs_.back().panels, 0, bytes,
                       cols_ / segment.format->block * block_shape(segment.format->type).bytes()});
    PanelRun& run = runs_.back();
    run.panels = end_panel - run.first_panel;
    bytes = run.offset + run.panels * run.panel_bytes;
  }
  packed_ = Tensor(device, {bytes}, DType::u8, Purpose::weights, Contents::zero);
}

const PanelRun& Parameter::run_of(int64_t panel) const {
  return *std::ranges::find_if(runs_, [&](const PanelRun& run) { return panel < run.first_panel + run.panels; });
}

std::byte* Parameter::panel_of(const PanelRun& run, int64_t panel) const {
  return packed_.data<std::byte>() + run.offset + (panel - run.first_panel) * run.panel_bytes;
}

// Calls body(format, block of the panel, row, block's number) for every block of the rows.
template <class Body>
void Parameter::for_blocks(int64_t begin, int64_t count, const Body& body) const {
  require(begin >= 0 && begin + count <= rows_, "[parameter] {}: rows out of range", name_);
  for (int64_t row = begin; row < begin + count; ++row) {
    const PanelRun& run = run_of(row / kPanel);
    const int64_t blocks = cols_ / run.format->block;
    std::byte* to = panel_of(run, row / kPanel);
    for (int64_t block = 0; block < blocks; ++block)
      body(*run.format, to + block * (run.panel_bytes / blocks), row, block);
  }
}

// Calls body(place among the stored elements, row from `begin` on, column, rows) for every column of every panel:
// `rows` that follow each other there. Rows of one panel together: its lines of memory are then written once, not once
// a row.
template <class Body>
void Parameter::for_places(int64_t begin, int64_t count, const Body& body) const {
  require(begin >= 0 && begin + count <= rows_, "[parameter] {}: rows out of range", name_);
  const int64_t together = is_matrix() ? kPanel : 1;
  for (int64_t first = 0, next = 0; first < count; first = next) {
    next = std::min(count, first + together - (begin + first) % together);
    for (int64_t col = 0; col < cols_; ++col) body(position(begin + first, col), first, col, next - first);
  }
}

// Calls body with the stored elements, under the type of theirs.
template <class Body>
void Parameter::with_halves(const Body& body) const {
  packed_.type() == DType::f16 ? body(packed_.data<Float16>()) : body(packed_.data<BFloat16>());
}

std::vector<std::pair<std::string, Tensor>> Parameter::master() const {
  require(has_master(), "[parameter] {}: expected master values, got none", name_);
  if (remainders_.is_empty()) return {{"", values_}};
  return {{"", packed_}, {".remainder", remainders_}};
}

void Parameter::set_encoded(int64_t begin, int64_t count, const std::byte* rows) {
  require(keeps_formats(), "[parameter] {}: keeps no format of a file", name_);
  if (packed_.raw() == nullptr) return;
  if (is_in_halves()) {
    auto* halves = static_cast<std::byte*>(packed_.raw());
    return for_places(begin, count, [&](int64_t place, int64_t row, int64_t col, int64_t n) {
      for (int64_t i = 0; i < n; ++i) std::memcpy(halves + 2 * (place + i), rows + 2 * ((row + i) * cols_ + col), 2);
    });
  }
  require(begin >= 0 && begin + count <= rows_, "[parameter] {}: rows out of range", name_);
  // Rows of a panel together, as for_places has them.
  for (int64_t row = begin, next; row < begin + count; row = next) {
    next = std::min(begin + count, (row / kPanel + 1) * kPanel);
    const PanelRun& run = run_of(row / kPanel);
    const WeightFormat& format = *run.format;
    const int64_t blocks = cols_ / format.block, row_bytes = blocks * format.block_bytes;
    std::byte* panel = panel_of(run, row / kPanel);
    for (int64_t i = 0; i < blocks; ++i)
      put_in_panel(format, rows + i * format.block_bytes, row_bytes, row % kPanel, next - row,
                   panel + i * (run.panel_bytes / blocks));
    rows += (next - row) * row_bytes;
  }
}

void Parameter::set_rows(int64_t begin, int64_t count, const float* row_major) {
  require(begin >= 0 && begin + count <= rows_, "[parameter] {}: rows out of range", name_);
  if (packed_.raw() == nullptr) return;
  if (is_in_blocks()) {
    std::byte bytes[256 * 4];
    return for_blocks(begin, count, [&](const WeightFormat& format, std::byte* panel_block, int64_t row, int64_t i) {
      const float* from = row_major + (row - begin) * cols_ + i * format.block;
      encode_weights(format, {from, size_t(format.block)}, bytes, name_);
      put_in_panel(format, bytes, format.block_bytes, row % kPanel, 1, panel_block);
    });
  }
  const auto put = [&](const auto& put_one) {
    for_places(begin, count, [&](int64_t place, int64_t row, int64_t col, int64_t n) {
      const float* from = row_major + row * cols_ + col;
      for (int64_t i = 0; i < n; ++i) put_one(place + i, from[i * cols_]);
    });
  };
  const auto put_into = [&](auto* stored) {
    put([&](int64_t place, float x) { stored[place] = std::remove_pointer_t<decltype(stored)>(x); });
  };
  if (is_in_halves()) return with_halves(put_into);
  if (compute() == DType::f32) return put_into(values_.data<float>());
  auto* upper = packed_.data<BFloat16>();
  auto* remainders = has_master() ? remainders_.data<int16_t>() : nullptr;
  put([&](int64_t place, float x) {
    const SplitFloat halves(x);
    upper[paired_position(place)] = halves.upper;
    if (remainders != nullptr) remainders[paired_position(place)] = halves.remainder;
  });
}

void Parameter::get_rows(int64_t begin, int64_t count, float* row_major) const {
  if (!values_.is_empty()) return get_rows_of(values_, begin, count, row_major);
  if (is_in_blocks()) {
    std::byte bytes[256 * 4];
    BlockCodes codes;
    return for_blocks(begin, count, [&](const WeightFormat& format, std::byte* panel_block, int64_t row, int64_t i) {
      take_from_panel(format, panel_block, row % kPanel, codes);
      format.put_together(codes, bytes);
      format.decode(bytes, 1, row_major + (row - begin) * cols_ + i * format.block);
    });
  }
  require(begin >= 0 && begin + count <= rows_, "[parameter] {}: rows out of range", name_);
  const auto take = [&](const auto& at) {
    for (int64_t row = 0; row < count; ++row)
      for (int64_t col = 0; col < cols_; ++col) row_major[row * cols_ + col] = at(position(begin + row, col));
  };
  if (is_in_halves())
    return with_halves([&](const auto* halves) { take([&](int64_t place) { return float(halves[place]); }); });
  const auto* upper = packed_.data<BFloat16>();
  const auto* remainders = has_master() ? remainders_.data<int16_t>() : nullptr;
  take([&](int64_t place) {
    const int64_t at = paired_position(place);
    return float(SplitFloat(upper[at], remainders != nullptr ? remainders[at] : int16_t(0)));
  });
}

void Parameter::get_rows_of(const Tensor& same_order, int64_t begin, int64_t count, float* row_major) const {
  require(begin >= 0 && begin + count <= rows_ && same_order.size() == stored(), "[parameter] {}: rows out of range",
          name_);
  const float* stored = same_order.data<float>();
  for (int64_t row = 0; row < count; ++row)
    for (int64_t col = 0; col < cols_; ++col) row_major[row * cols_ + col] = stored[position(begin + row, col)];
}

}  // namespace fude
