// The network's stages but for the recurrence and the alignment, in vectors.
#include "engine_kernels.h"

#include "matrix_simd.h"
#include "recur_simd.h"
#include "simd_math.h"

namespace gban::GBAN_ISA {
namespace {

// Neither NaN nor infinity is at most the largest float.
std::int64_t first_not_finite(const float* x, std::int64_t count) {
  constexpr float kLargest = 3.40282347e+38f;
  for (std::int64_t i = 0; i < count; i += 512) {
    const std::int64_t end = i + 512 < count ? i + 512 : count;
    int bad = 0;
    for (std::int64_t j = i; j < end; ++j) bad |= !((x[j] < 0 ? -x[j] : x[j]) <= kLargest);
    for (std::int64_t j = i; bad && j < end; ++j)
      if (!((x[j] < 0 ? -x[j] : x[j]) <= kLargest)) return j;
  }
  return -1;
}

void standardise(const float* x, const float* mean, const float* scale, std::int64_t rows,
                 std::int64_t width, float* out) {
  for (std::int64_t n = 0; n < rows; ++n, x += width, out += width)
    for (std::int64_t i = 0; i < width; i += kFloats) {
      const std::int64_t left = width - i;
      const Floats centred = load_upto(x + i, left) - load_upto(mean + i, left);
      store_upto(out + i, centred * load_upto(scale + i, left), left);
    }
}

// Rows of x [rows, depth] quantised, with a scale each.
void quantise(const Matrix& m, const float* x, std::int64_t stride, std::int64_t rows,
              std::int16_t* q, float* scales) {
  const float limit = int16_limit(m.depth);
  for (std::int64_t r = 0; r < rows; ++r, x += stride, q += m.padded_depth()) {
    Floats most = {};
    for (std::int64_t k = 0; k < m.depth; k += kFloats) {
      const Floats v = load_upto(x + k, m.depth - k), size = v < 0.0f ? -v : v;
      most = size > most ? size : most;
    }
    float greatest = most[0];
    for (int i = 1; i < kFloats; ++i) greatest = most[i] > greatest ? most[i] : greatest;
    // Of a row of zeros nothing is to be seen, the mean of what was left out included: scale 0.
    scales[r] = greatest / limit;
    quantise_row(x, m.depth, m.padded_depth(), greatest > 0.0f ? limit / greatest : 0.0f, q);
  }
}

template <typename W>
void product_quantised(const Matrix& m, const float* x, std::int64_t x_stride, std::int64_t rows,
                       float* y, std::int64_t y_stride, std::int16_t* quantised, float* row_scales,
                       W tag) {
  quantise(m, x, x_stride, rows, quantised, row_scales);
  product_all(m, Quantised{quantised, row_scales}, m.padded_depth(), rows, y, y_stride, tag);
}

void product(const Matrix& m, const float* x, std::int64_t x_stride, std::int64_t rows, float* y,
             std::int64_t y_stride, std::int16_t* quantised, float* row_scales) {
  switch (m.storage) {
    case Storage::fp32:
      return product_all(m, x, x_stride, rows, y, y_stride, float{});
    case Storage::fp16:
      return product_all(m, x, x_stride, rows, y, y_stride, Half{});
    case Storage::int16:
      if constexpr (kInt8Deep == 4)
        product_quantised(m, x, x_stride, rows, y, y_stride, quantised, row_scales, std::int16_t{});
      return;
    case Storage::int8:
      product_quantised(m, x, x_stride, rows, y, y_stride, quantised, row_scales, std::int8_t{});
  }
}

// n numbers of a step t of a convolution: tap j of step t + j stands at products + j * (row +
// filters).
Floats add_taps(const float* products, std::int64_t row, std::int64_t kernel, std::int64_t filters,
                std::int64_t n) {
  Floats sum = load_upto(products, n);
  for (std::int64_t j = 1; j < kernel; ++j) sum += load_upto(products + j * (row + filters), n);
  return sum;
}

// Pooled steps of a convolution, of the products of its taps, rows `row` apart.
void add_and_pool(const Convolution& c, const float* products, std::int64_t row,
                  std::int64_t pooled, float* y) {
  for (std::int64_t n = 0; n < c.filters; n += kFloats) {
    const std::int64_t left = c.filters - n;
    const Floats bias = load_upto(c.bias + n, left);
    const float* from = products + n;
    for (std::int64_t p = 0; p < pooled; ++p, from += 2 * row) {
      const Floats first = add_taps(from, row, c.kernel, c.filters, left);
      const Floats second = add_taps(from + row, row, c.kernel, c.filters, left);
      const Floats most = (first > second ? first : second) + bias;
      store_upto(y + p * c.filters + n, most > 0.0f ? most : Floats{}, left);
    }
  }
}

// A piece of the utterance after the other, so that the products stay in the first-level cache.
// What the taps of the next piece need of this one is carried over.
void convolve(const Convolution& c, const float* x, std::int64_t pooled, float* y,
              const ProductScratch& scratch) {
  const std::int64_t row = c.taps->padded_rows(), channels = c.taps->depth;
  const std::int64_t carried = c.kernel - 1;
  std::int64_t have = 0;  // rows of products at the front
  for (std::int64_t p = 0; p < pooled; p += kPooledAtOnce) {
    const std::int64_t steps = pooled - p < kPooledAtOnce ? pooled - p : kPooledAtOnce;
    const std::int64_t fresh = 2 * steps + carried - have;
    product(*c.taps, x + (2 * p + have) * channels, channels, fresh, scratch.products + have * row,
            row, scratch.quantised, scratch.row_scales);
    add_and_pool(c, scratch.products, row, steps, y + p * c.filters);
    std::memmove(scratch.products, scratch.products + 2 * steps * row,
                 static_cast<std::size_t>(carried * row) * sizeof(float));
    have = carried;
  }
}

// One word's convolution: the sum of `kernel` rows, each with a tap of its own.
Floats taps_at(const float* const* rows, std::int64_t kernel, std::int64_t at, std::int64_t filters,
               std::int64_t left) {
  Floats sum = load_upto(rows[0] + at, left);
  for (std::int64_t k = 1; k < kernel; ++k) sum += load_upto(rows[k] + at + k * filters, left);
  return sum;
}

void text_convolve(const TextTaps& taps, std::int64_t kernel, std::int64_t first,
                   std::int64_t filters, const float* bias, float* y, std::int64_t y_stride) {
  // An even kernel looks one word further ahead than back.
  const float* const* const rows = taps.rows + taps.reach - (kernel - 1) / 2;
  for (std::int64_t m = 0; m < taps.words; m += 2, y += y_stride)
    for (std::int64_t n = 0; n < filters; n += kFloats) {
      const std::int64_t left = filters - n;
      Floats most = taps_at(rows + m, kernel, first + n, filters, left);
      if (m + 1 < taps.words) {
        const Floats other = taps_at(rows + m + 1, kernel, first + n, filters, left);
        most = other > most ? other : most;
      }
      most += load_upto(bias + n, left);
      store_upto(y + n, most > 0.0f ? most : Floats{}, left);
    }
}

void recur(const Recurrence& r) {
  switch (r.hidden_weights->storage) {
    case Storage::fp32:
      return recur_with<float>(r);
    case Storage::fp16:
      return recur_with<Half>(r);
    case Storage::int16:
      if constexpr (kInt8Deep == 4) recur_with<std::int16_t>(r);
      return;
    case Storage::int8:
      recur_with<std::int8_t>(r);
  }
}

void gated_sum(float* gate, const float* p, const float* q, std::int64_t width, float* h) {
  for (std::int64_t i = 0; i < width; i += kFloats) {
    const std::int64_t left = width - i;
    const Floats z = sigmoid(load_upto(gate + i, left));
    const Floats s = tanh_of(load_upto(p + i, left)), t = tanh_of(load_upto(q + i, left));
    store_upto(gate + i, z, left);
    store_upto(h + i, load_upto(h + i, left) + z * s + (1.0f - z) * t, left);
  }
}

void relu(float* x, std::int64_t width) {
  for (std::int64_t i = 0; i < width; ++i) x[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

}  // namespace

extern const EngineKernels engine_kernels;
const EngineKernels engine_kernels = {{kFloats, kInt8Deep},
                                      first_not_finite,
                                      standardise,
                                      product,
                                      convolve,
                                      text_convolve,
                                      recur,
                                      gated_sum,
                                      relu};

}  // namespace gban::GBAN_ISA
