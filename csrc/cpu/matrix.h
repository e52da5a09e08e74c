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

enum class Storage {
  fp32,
  fp16,   // IEEE halves
  int16,  // with a scale a row; for instructions that multiply four bytes at a time
  int8    // likewise
};

// What the kernels see of W [rows, depth] for y = W x + bias. Rows stand in vectors of `lanes`,
// vectors in panels of `group` (the last panel may have fewer), and a panel is
//   fp32, fp16: [depth][vectors][lanes]
//   int8:       [depth / deep, rounded up][vectors][lanes][deep]
//   int16:      [depth / deep, rounded up][vectors][high, low][lanes][deep], value 256 high + low
// so that one pass over x reads a panel from front to back. Rows and depth beyond W's are zero.
struct Matrix {
  Storage storage;
  int lanes, group;
  int deep;  // integers: neighbours in depth that one instruction multiplies; else 1
  std::int64_t rows, depth;
  const void* data;
  const float* scales;           // integers: of a row's product, see int8_simd.h; [padded_rows()]
  const std::uint32_t* offsets;  // integers: to take from a row's product; [padded_rows()]
  const float* bias;             // [padded_rows()]; null: none

  std::int64_t vectors() const { return (rows + lanes - 1) / lanes; }
  std::int64_t padded_rows() const { return vectors() * lanes; }
  std::int64_t padded_depth() const { return (depth + deep - 1) / deep * deep; }
};

// The vectors that a matrix is packed for.
struct VectorShape {
  int lanes;
  int deep;  // Matrix::deep for integers
};

// The greatest int16 of a quantised input: the sum of `depth` products with int8 fits an int32.
constexpr float int16_limit(std::int64_t depth) {
  const std::int64_t limit = 2147483647 / (128 * (depth < 1 ? 1 : depth));
  return static_cast<float>(limit < 32767 ? limit : 32767);
}

// A Matrix and its memory.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  // weights [rows, depth]; bias [rows] or null. group 0: as few and as even panels of up to four
  // vectors as there can be.
  PackedMatrix(const float* weights, std::int64_t rows, std::int64_t depth, const float* bias,
               Storage storage, VectorShape shape, int group = 0);

  const Matrix& view() const { return view_; }

 private:
  void pack(const float* weights);
  void pack_integers(const float* weights);

  Matrix view_ = {};
  Aligned<unsigned char> data_;
  Aligned<float> scales_, bias_;
  Aligned<std::uint32_t> offsets_;
};

}  // namespace gban
