#include "matrix.h"

#include <algorithm>
#include <cmath>

#include "gban/numeric.h"

namespace gban {
namespace {

int even_group(std::int64_t vectors) {
  const std::int64_t panels = (vectors + 3) / 4;
  return static_cast<int>((vectors + panels - 1) / panels);
}

std::int64_t value_bytes(Storage storage) {
  return storage == Storage::fp32 ? 4 : storage == Storage::fp16 ? 2 : 1;
}

// Where W[row, k] stands among the packed values.
std::int64_t place(const Matrix& m, std::int64_t row, std::int64_t k) {
  const std::int64_t vector = row / m.lanes, panel = vector / m.group;
  const std::int64_t width = std::min<std::int64_t>(m.group, m.vectors() - panel * m.group);
  const std::int64_t before = panel * m.group * m.padded_depth() * m.lanes;
  const std::int64_t lane = row % m.lanes, within = vector % m.group;
  return before + ((k / m.deep * width + within) * m.lanes + lane) * m.deep + k % m.deep;
}

template <typename T>
Aligned<T> zeros(std::int64_t n) {
  Aligned<T> memory(n);
  std::fill_n(memory.data(), n, T{});
  return memory;
}

}  // namespace

PackedMatrix::PackedMatrix(const float* weights, std::int64_t rows, std::int64_t depth,
                           const float* bias, Storage storage, VectorShape shape, int group) {
  const int deep = storage == Storage::int8 ? shape.int8_deep : 1;
  view_ = {storage, shape.lanes, group, deep, rows, depth, nullptr, nullptr, nullptr, nullptr};
  if (view_.group == 0) view_.group = even_group(view_.vectors());
  const std::int64_t padded = view_.padded_rows();
  data_ = zeros<unsigned char>(padded * view_.padded_depth() * value_bytes(storage));
  view_.data = data_.data();
  if (bias) {
    bias_ = zeros<float>(padded);
    std::copy_n(bias, rows, bias_.data());
    view_.bias = bias_.data();
  }
  storage == Storage::int8 ? pack_int8(weights) : pack(weights);
}

void PackedMatrix::pack(const float* weights) {
  for (std::int64_t n = 0; n < view_.rows; ++n)
    for (std::int64_t k = 0; k < view_.depth; ++k) {
      const float value = weights[n * view_.depth + k];
      if (view_.storage == Storage::fp32)
        reinterpret_cast<float*>(data_.data())[place(view_, n, k)] = value;
      else
        reinterpret_cast<Half*>(data_.data())[place(view_, n, k)] = to_half(value);
    }
}

// The greatest of a row becomes 127; a row of zeros keeps them.
void PackedMatrix::pack_int8(const float* weights) {
  scales_ = zeros<float>(view_.padded_rows());
  sums_ = zeros<std::int32_t>(view_.padded_rows());
  view_.scales = scales_.data();
  view_.sums = sums_.data();
  auto* const packed = reinterpret_cast<std::int8_t*>(data_.data());
  for (std::int64_t n = 0; n < view_.rows; ++n) {
    const float* const row = weights + n * view_.depth;
    float most = 0.0f;
    for (std::int64_t k = 0; k < view_.depth; ++k) most = std::max(most, std::fabs(row[k]));
    const float scale = most > 0.0f ? most / 127.0f : 1.0f;
    scales_.data()[n] = scale;
    for (std::int64_t k = 0; k < view_.depth; ++k) {
      const auto number =
          static_cast<std::int8_t>(std::lrint(std::clamp(row[k] / scale, -127.0f, 127.0f)));
      packed[place(view_, n, k)] = number;
      sums_.data()[n] += number;
    }
  }
}

std::int64_t PackedMatrix::bytes() const {
  return data_.size() + 4 * (scales_.size() + bias_.size() + sums_.size());
}

}  // namespace gban
