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
  if (m.storage == Storage::int8)
    return before + ((k / 2 * width + within) * m.lanes + lane) * 2 + k % 2;
  return before + (k * width + within) * m.lanes + lane;
}

}  // namespace

PackedMatrix::PackedMatrix(const float* weights, std::int64_t rows, std::int64_t depth,
                           const float* bias, Storage storage, int lanes, int group) {
  view_ = {storage, lanes, group, rows, depth, nullptr, nullptr, nullptr};
  if (view_.group == 0) view_.group = even_group(view_.vectors());
  const std::int64_t padded = view_.padded_rows();
  data_ = Aligned<unsigned char>(padded * view_.padded_depth() * value_bytes(storage));
  std::fill_n(data_.data(), data_.size(), static_cast<unsigned char>(0));
  view_.data = data_.data();
  if (bias) {
    bias_ = Aligned<float>(padded);
    std::fill_n(bias_.data(), padded, 0.0f);
    std::copy_n(bias, rows, bias_.data());
    view_.bias = bias_.data();
  }
  if (storage == Storage::int8) {
    scales_ = Aligned<float>(padded);
    std::fill_n(scales_.data(), padded, 0.0f);
    for (std::int64_t n = 0; n < rows; ++n) scales_.data()[n] = scale_row(weights + n * depth);
    view_.scales = scales_.data();
  }
  pack(weights);
}

// The greatest of the row becomes 127; a row of zeros keeps them.
float PackedMatrix::scale_row(const float* row) const {
  float most = 0.0f;
  for (std::int64_t k = 0; k < view_.depth; ++k) most = std::max(most, std::fabs(row[k]));
  return most > 0.0f ? most / 127.0f : 1.0f;
}

void PackedMatrix::pack(const float* weights) {
  for (std::int64_t n = 0; n < view_.rows; ++n)
    for (std::int64_t k = 0; k < view_.depth; ++k) {
      const float value = weights[n * view_.depth + k];
      const std::int64_t at = place(view_, n, k);
      if (view_.storage == Storage::fp32)
        reinterpret_cast<float*>(data_.data())[at] = value;
      else if (view_.storage == Storage::fp16)
        reinterpret_cast<Half*>(data_.data())[at] = to_half(value);
      else
        reinterpret_cast<std::int8_t*>(data_.data())[at] = static_cast<std::int8_t>(
            std::lrint(std::clamp(value / scales_.data()[n], -127.0f, 127.0f)));
    }
}

std::int64_t PackedMatrix::bytes() const {
  return data_.size() + 4 * (scales_.size() + bias_.size());
}

}  // namespace gban
