// Weights as the engine's products read them: packed once at load, for the vectors of one
// instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace gban {

// Memory for n values of T, on cache lines of its own and not initialised.
template <typename T>
class Aligned {
 public:
  Aligned() = default;
  explicit Aligned(std::int64_t n)
      : data_(static_cast<T*>(
            ::operator new(static_cast<std::size_t>(n) * sizeof(T), std::align_val_t{64}))),
        size_(n) {}
  T* data() const { return data_.get(); }
  std::int64_t size() const { return size_; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  std::unique_ptr<T[], Free> data_;
  std::int64_t size_ = 0;
};

enum class Storage { fp32, fp16, int8 };

// What the kernels see of W [rows, depth] for y = W x + bias. Rows stand in vectors of `lanes`,
// vectors in panels of `group` (the last panel may have fewer), and a panel is
//   fp32, fp16: [depth][vectors][lanes]
//   int8:       [depth / 2, rounded up][vectors][lanes][2]
// so that one pass over x reads a panel from front to back. Rows and depth beyond W's are zero.
struct Matrix {
  Storage storage;
  int lanes, group;
  std::int64_t rows, depth;
  const void* data;
  const float* scales;  // int8: W's value is scale of the row x number; [padded_rows()]
  const float* bias;    // [padded_rows()]; null: none

  std::int64_t vectors() const { return (rows + lanes - 1) / lanes; }
  std::int64_t padded_rows() const { return vectors() * lanes; }
  std::int64_t padded_depth() const {
    return storage == Storage::int8 ? (depth + 1) / 2 * 2 : depth;
  }
};

// The greatest int16 of a quantised input: the sum of `depth` products with int8 fits an int32.
constexpr float int16_limit(std::int64_t depth) {
  const std::int64_t limit = 2147483647 / (127 * (depth < 1 ? 1 : depth));
  return static_cast<float>(limit < 32767 ? limit : 32767);
}

// A Matrix and its memory.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  // weights [rows, depth]; bias [rows] or null. group 0: as few and as even panels of up to four
  // vectors as there can be.
  PackedMatrix(const float* weights, std::int64_t rows, std::int64_t depth, const float* bias,
               Storage storage, int lanes, int group = 0);

  const Matrix& view() const { return view_; }
  std::int64_t bytes() const;

 private:
  void pack(const float* weights);
  float scale_row(const float* row) const;

  Matrix view_ = {};
  Aligned<unsigned char> data_;
  Aligned<float> scales_, bias_;
};

}  // namespace gban
