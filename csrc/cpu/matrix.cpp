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
  return storage == Storage::fp32 ? 4 : storage == Storage::int8 ? 1 : 2;
}

// Where W[row, k] stands among the packed values.
std::int64_t place(const Matrix& m, std::int64_t row, std::int64_t k) {
  const std::int64_t vector = row / m.lanes, panel = vector / m.group;
  const std::int64_t width = std::min<std::int64_t>(m.group, m.vectors() - panel * m.group);
  const std::int64_t before = panel * m.group * m.padded_depth() * m.lanes;
  const std::int64_t lane = row % m.lanes, within = vector % m.group;
  return before + ((k / m.deep * width + within) * m.lanes + lane) * m.deep + k % m.deep;
}

bool is_integer(Storage storage) { return storage == Storage::int16 || storage == Storage::int8; }

template <typename T>
Aligned<T> zeros(std::int64_t n) {
  Aligned<T> memory(n);
  std::fill_n(memory.data(), n, T{});
  return memory;
}

}  // namespace

PackedMatrix::PackedMatrix(const float* weights, std::int64_t rows, std::int64_t depth,
                           const float* bias, Storage storage, VectorShape shape, int group) {
  const int deep = is_integer(storage) ? shape.deep : 1;
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
  is_integer(storage) ? pack_integers(weights) : pack(weights);
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

// The greatest of a row becomes the greatest integer; a row of zeros keeps them.
void PackedMatrix::pack_integers(const float* weights) {
  const bool wide = view_.storage == Storage::int16;
  const float limit = wide ? 32639.0f : 127.0f;  // 127 * 256 + 127: both bytes signed
  scales_ = zeros<float>(view_.padded_rows());
  offsets_ = zeros<std::uint32_t>(view_.padded_rows());
  view_.scales = scales_.data();
  view_.offsets = offsets_.data();
  auto* const packed = reinterpret_cast<std::int8_t*>(data_.data());
  const std::int64_t block = std::int64_t{view_.lanes} * view_.deep;
  for (std::int64_t n = 0; n < view_.rows; ++n) {
    const float* const row = weights + n * view_.depth;
    float most = 0.0f;
    for (std::int64_t k = 0; k < view_.depth; ++k) most = std::max(most, std::fabs(row[k]));
    const float scale = most > 0.0f ? most / limit : 1.0f;
    std::int64_t sum = 0, low_sum = 0;
    for (std::int64_t k = 0; k < view_.depth; ++k) {
      const std::int64_t number = std::lrint(std::clamp(row[k] / scale, -limit, limit));
      const std::int64_t high = wide ? (number + 128) >> 8 : number, low = number - 256 * high;
      const std::int64_t at = place(view_, n, k);
      // The high and the low bytes of a vector stand one after the other.
      packed[wide ? at / block * 2 * block + at % block : at] = static_cast<std::int8_t>(high);
      if (wide) packed[(at / block * 2 + 1) * block + at % block] = static_cast<std::int8_t>(low);
      sum += number;
      low_sum += wide ? low : 0;
    }
    scales_.data()[n] = wide ? 256.0f * scale : scale;
    offsets_.data()[n] = static_cast<std::uint32_t>(
        wide ? 128 * sum - std::lrint(127.5 * static_cast<double>(low_sum) / 256) : 32768 * sum);
  }
}

}  // namespace gban
