// A learned tensor: what kernels read, what the file calls its parts, and where its gradient and moments go.
//
// Matrices (weights of `linear`, embedding tables) are stored in panels of 32 rows, lane = output feature:
//
//     element (row o, column k)  →  panel o/32, position k · 32 + o%32        (rows padded with zeros to 32)
//
// so that one row of activations and a thousand run the same chain of multiply-adds per output. Gradient and
// moments use the same order. Vectors (norm weights, biases) are plain. One parameter may hold several
// tensors of the file stacked by rows (q, k, v): its segments.
//
// What kernels multiply with is the packed form. In f32 it is the values themselves. In bf16 its columns lie in pairs,
// [panel][k / 2][32][2] (an even number of columns). The f32 master values that an optimiser updates are then the
// packed form and, in the same order, its remainders (split_float.h); a model that is only run needs none.
//
// Weights that are only run can keep the format of their file. F16 and BF16 then lie in the order of f32 panels and
// are widened as kernels load them: half the memory, and the results of the f32 values bit for bit. Blocks of integers
// have panels of their own (block_panels.h), which follow each other in runs of a format each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/block_panels.h"
#include "tensor/tensor.h"

namespace fude {

// Rows of a parameter that have a name of their own in the file.
struct Segment {
  std::string name;
  int64_t rows;
  bool transposed_in_file = false;       // stored as [columns, rows] there (GPT-2's Conv1D)
  bool is_less_one_in_file = false;      // stored as w - 1 there (Gemma's norms)
  int64_t matrices = 1;                  // of equal height, under one name (GPT-2's Q, K and V): Muon takes them apart
  const WeightFormat* format = nullptr;  // stays in this format of the file: F16, BF16, or one of blocks
};

// Panels that follow each other in one block format.
struct PanelRun {
  const WeightFormat* format;
  int64_t first_panel, panels;
  int64_t offset, panel_bytes;  // in the packed form
};

// In what a matrix is multiplied, and whether bf16 keeps f32 master values. Vectors are always f32.
struct Precision {
  DType compute = DType::f32;
  bool keeps_master = true;
  bool keeps_formats = false;  // a matrix that its file has in 16 bits or blocks stays so, whatever `compute` says
};

class Parameter {
 public:
  enum class Layout { vector, panels };

  Parameter() = default;
  // A matrix of the segments' rows (or, with cols == 1 and Layout::vector, a vector). Contents zero. Segments that have
  // formats keep them; Error unless they can (can_keep_formats).
  Parameter(Device& device, std::string name, Layout layout, std::vector<Segment> segments, int64_t cols,
            Precision precision = {});

  const std::string& name() const { return name_; }
  Layout layout() const { return layout_; }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  bool is_matrix() const { return layout_ == Layout::panels; }
  const std::vector<Segment>& segments() const { return segments_; }
  int64_t count() const { return rows_ * cols_; }
  // Whether all segments have the same format of 16 bits, or all are blocks and panels and blocks are whole: rows up to
  // a change of format are a multiple of 32, columns of the block.
  static bool can_keep_formats(const std::vector<Segment>& segments, int64_t cols);
  // Whether it is as its file has it, and has no gradient: in blocks, or in halves (F16 or BF16 as packed().type()
  // says).
  bool keeps_formats() const { return is_in_blocks() || is_in_halves(); }
  bool is_in_blocks() const { return !runs_.empty(); }
  bool is_in_halves() const { return is_in_halves_; }
  const std::vector<PanelRun>& runs() const { return runs_; }
  // What a matrix is multiplied in (u8: blocks), and the tensor that kernels read.
  DType compute() const { return is_in_halves_ ? DType::f32 : packed_.type(); }
  const Tensor& packed() const { return packed_; }
  bool has_master() const { return !values_.is_empty() || !remainders_.is_empty(); }
  // f32 in the order above, padding included; empty in bf16 and where formats are kept.
  const Tensor& values() const { return values_; }
  // i16 in the order of packed(); empty unless bf16 has a master.
  const Tensor& remainders() const { return remainders_; }
  // The tensors that hold the master values, by what their names add to name(), for a checkpoint to save and to copy
  // back into.
  std::vector<std::pair<std::string, Tensor>> master() const;
  int64_t stored() const { return packed_.size(); }
  // Position among the stored elements.
  int64_t position(int64_t row, int64_t col) const {
    return is_matrix() ? (row / kPanel * cols_ + col) * kPanel + row % kPanel : row * cols_ + col;
  }
  // Row-major copies of rows [begin, begin + count), in and out: of the master values, or of the packed form
  // where there are none. In blocks and halves, values are encoded.
  void set_rows(int64_t begin, int64_t count, const float* row_major);
  void get_rows(int64_t begin, int64_t count, float* row_major) const;
  // Rows as they lie in a file of their segment's format, bit for bit; only where formats are kept.
  void set_encoded(int64_t begin, int64_t count, const std::byte* rows);
  // The same rows of a gradient or moment.
  void get_rows_of(const Tensor& same_order, int64_t begin, int64_t count, float* row_major) const;

 private:
  void make_runs(Device& device);
  const PanelRun& run_of(int64_t panel) const;
  std::byte* panel_of(const PanelRun& run, int64_t panel) const;
  template <class Body>
  void for_blocks(int64_t begin, int64_t count, const Body& body) const;
  template <class Body>
  void for_places(int64_t begin, int64_t count, const Body& body) const;
  template <class Body>
  void with_halves(const Body& body) const;

  std::string name_;
  Layout layout_ = Layout::vector;
  std::vector<Segment> segments_;
  int64_t rows_ = 0, cols_ = 0;
  Tensor values_, packed_, remainders_;
  std::vector<PanelRun> runs_;
  bool is_in_halves_ = false;
};

// Position in bf16 panels of the element at `position` of f32 panels: columns k and k + 1 become pairs.
inline int64_t paired_position(int64_t position) {
  const int64_t column = position / kPanel, lane = position % kPanel;
  return column / 2 * 2 * kPanel + lane * 2 + column % 2;
}

}  // namespace fude
