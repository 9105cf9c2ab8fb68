#include "tensor/parameter.h"

#include "base/error.h"

namespace fude {

Parameter::Parameter(Device& device, std::string name, Layout layout, std::vector<Segment> segments, int64_t cols,
                     Precision precision)
    : name_(std::move(name)), layout_(layout), segments_(std::move(segments)), cols_(cols) {
  for (const Segment& segment : segments_) {
    require(segment.rows > 0, "[parameter] {}: segment {} is empty", name_, segment.name);
    rows_ += segment.rows;
  }
  require(rows_ > 0 && cols_ > 0, "[parameter] {}: expected rows and columns, got {} x {}", name_, rows_, cols_);
  if (is_matrix() && segments_.front().blocks != nullptr) {
    make_runs(device);
    return;
  }
  const bool is_bf16 = is_matrix() && precision.compute == DType::bf16;
  require(!is_bf16 || cols_ % 2 == 0, "[parameter] {}: expected an even number of columns for bf16, got {}", name_,
          cols_);
  const int64_t stored_rows = is_matrix() ? (rows_ + kPanel - 1) / kPanel * kPanel : rows_;
  if (!is_bf16 || precision.keeps_master) {
    values_ = Tensor(device, {stored_rows * cols_}, DType::f32, Purpose::weights, Contents::zero);
  }
  packed_ = values_;
  if (is_bf16) { packed_ = Tensor(device, {stored_rows * cols_}, DType::bf16, Purpose::weights, Contents::zero); }
}

bool Parameter::can_stay_in_blocks(const std::vector<Segment>& segments, int64_t cols) {
  int64_t row = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    const WeightFormat* format = segments[i].blocks;
    if (format == nullptr || !format->is_quantized() || cols % format->block != 0) return false;
    if (i > 0 && format != segments[i - 1].blocks && row % kPanel != 0) return false;
    row += segments[i].rows;
  }
  return true;
}

void Parameter::make_runs(Device& device) {
  require(can_stay_in_blocks(segments_, cols_), "[parameter] {}: expected whole blocks and panels", name_);
  int64_t row = 0, bytes = 0;
  for (const Segment& segment : segments_) {
    row += segment.rows;
    const int64_t end_panel = (row + kPanel - 1) / kPanel;
    if (runs_.empty() || runs_.back().format != segment.blocks)
      runs_.push_back({segment.blocks, runs_.empty() ? 0 : runs_.back().first_panel + runs_.back().panels, 0, bytes,
                       cols_ / segment.blocks->block * block_shape(segment.blocks->type).bytes()});
    PanelRun& run = runs_.back();
    run.panels = end_panel - run.first_panel;
    bytes = run.offset + run.panels * run.panel_bytes;
  }
  packed_ = Tensor(device, {bytes}, DType::u8, Purpose::weights, Contents::zero);
}

// Calls body(format, block of the panel, row, block's number) for every block of the rows.
template <class Body>
void Parameter::for_blocks(int64_t begin, int64_t count, const Body& body) const {
  require(begin >= 0 && begin + count <= rows_, "[parameter] {}: rows out of range", name_);
  auto run = runs_.begin();
  for (int64_t row = begin; row < begin + count; ++row) {
    const int64_t panel = row / kPanel;
    while (panel >= run->first_panel + run->panels) ++run;
    const int64_t blocks = cols_ / run->format->block;
    std::byte* to = packed_.data<std::byte>() + run->offset + (panel - run->first_panel) * run->panel_bytes;
    for (int64_t block = 0; block < blocks; ++block)
      body(*run->format, to + block * (run->panel_bytes / blocks), row, block);
  }
}

void Parameter::set_blocks(int64_t begin, int64_t count, const std::byte* rows) {
  require(is_in_blocks(), "[parameter] {}: is not in blocks", name_);
  if (packed_.raw() == nullptr) return;
  BlockCodes codes;
  for_blocks(begin, count, [&](const WeightFormat& format, std::byte* panel_block, int64_t row, int64_t) {
    format.take_apart(rows, codes);
    put_in_panel(format, codes, row % kPanel, panel_block);
    rows += format.block_bytes;
  });
}

void Parameter::set_rows(int64_t begin, int64_t count, const float* row_major) {
  require(begin >= 0 && begin + count <= rows_, "[parameter] {}: rows out of range", name_);
  if (packed_.raw() == nullptr) return;
  if (is_in_blocks()) {
    std::byte bytes[256 * 4];
    BlockCodes codes;
    return for_blocks(begin, count, [&](const WeightFormat& format, std::byte* panel_block, int64_t row, int64_t i) {
      const float* from = row_major + (row - begin) * cols_ + i * format.block;
      encode_weights(format, {from, size_t(format.block)}, bytes, name_);
      format.take_apart(bytes, codes);
      put_in_panel(format, codes, row % kPanel, panel_block);
    });
  }
  float* values = values_.is_empty() ? nullptr : values_.data<float>();
  BFloat16* pairs = compute() == DType::bf16 ? packed_.data<BFloat16>() : nullptr;
  // Rows of one panel together: its lines of memory are then written once, not once a row.
  const int64_t together = is_matrix() ? kPanel : 1;
  for (int64_t first = 0, next = 0; first < count; first = next) {
    next = std::min(count, first + together - (begin + first) % together);
    for (int64_t col = 0; col < cols_; ++col) {
      const int64_t at = position(begin + first, col);
      const float* from = row_major + first * cols_ + col;
      for (int64_t i = 0; i < next - first; ++i) {
        const float value = from[i * cols_];
        if (values != nullptr) values[at + i] = value;
        if (pairs != nullptr) pairs[paired_position(at + i)] = BFloat16(value);
      }
    }
  }
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
  const BFloat16* pairs = packed_.data<BFloat16>();
  for (int64_t row = 0; row < count; ++row)
    for (int64_t col = 0; col < cols_; ++col)
      row_major[row * cols_ + col] = float(pairs[paired_position(position(begin + row, col))]);
}

void Parameter::get_rows_of(const Tensor& same_order, int64_t begin, int64_t count, float* row_major) const {
  require(begin >= 0 && begin + count <= rows_ && same_order.size() == stored(), "[parameter] {}: rows out of range",
          name_);
  const float* stored = same_order.data<float>();
  for (int64_t row = 0; row < count; ++row)
    for (int64_t col = 0; col < cols_; ++col) row_major[row * cols_ + col] = stored[position(begin + row, col)];
}

}  // namespace fude
