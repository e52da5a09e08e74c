// What engine.cpp and its neighbours (sizes, memory, threads) ask of engine_simd.cpp (vectors).
#pragma once

#include <cstdint>

#include "matrix.h"

namespace gban {

// One direction of one layer of an LSTM over `steps` steps. Unit u = n * lanes + lane has its gates
// i, f, g, o in panel n of W_hh, and in projected[t][n][4][lanes].
struct Recurrence {
  const Matrix* hidden_weights;  // [4 H rounded up, H], panels of four vectors
  const float* projected;        // [steps][hidden_weights->rows], W_ih x + b_ih + b_hh
  std::int64_t steps, hidden;    // T, H
  bool backward;
  float* states;              // [T, H], rows state_stride apart
  std::int64_t state_stride;  // at least H
  float* cells;               // scratch [H rounded up to lanes]
  std::int16_t* quantised;    // scratch [H rounded up to even], for int8
};

// Every tap of every filter is multiplied with each step once, and a convolution is then a sum of
// `kernel` of the products: kernel * filters rows fill whole vectors where the filters alone do
// not.
struct Convolution {
  const Matrix* taps;  // [kernel * filters, channels], tap by tap
  const float* bias;   // [filters]
  std::int64_t kernel, filters;
};

constexpr std::int64_t kPooledAtOnce = 16;

struct ProductScratch {
  float* products;          // [2 kPooledAtOnce + kernel - 1][taps' padded rows]
  std::int16_t* quantised;  // for integers, [rows of products * padded depth + lanes]
  float* row_scales;        // likewise, [rows of products]
};

// A pooled text step of one convolution: the words' rows of the table of taps, summed.
struct TextTaps {
  const float* const* rows;  // [words + 2 reach] of [taps of all convolutions][filters]
  std::int64_t words;
  std::int64_t reach;  // rows before the first word
};

struct EngineKernels {
  VectorShape shape;

  // -1 where every one of x [count] is finite, else the index of the first that is not.
  std::int64_t (*first_not_finite)(const float* x, std::int64_t count);

  // out[n, width] = (x - mean) * scale of `rows` rows
  void (*standardise)(const float* x, const float* mean, const float* scale, std::int64_t rows,
                      std::int64_t width, float* out);

  // y[rows, W.padded_rows()] = x[rows, W.depth] W^t + bias, rows of x x_stride apart. `quantised`:
  // scratch for int8, [rows * padded depth + lanes], and `row_scales` [rows].
  void (*product)(const Matrix& W, const float* x, std::int64_t x_stride, std::int64_t rows,
                  float* y, std::int64_t y_stride, std::int16_t* quantised, float* row_scales);

  // [Conv1d valid, ReLU, MaxPool 2 floor]: x [steps, channels] -> y [pooled, filters], with
  // pooled = (steps - kernel + 1) / 2
  void (*convolve)(const Convolution& c, const float* x, std::int64_t pooled, float* y,
                   const ProductScratch& scratch);

  // Sums of rows, bias, ReLU, MaxPool 2 with ceil of one convolution: y[(words + 1) / 2, filters],
  // rows y_stride apart; `first`: where its taps begin in a row.
  void (*text_convolve)(const TextTaps& taps, std::int64_t kernel, std::int64_t first,
                        std::int64_t filters, const float* bias, float* y, std::int64_t y_stride);

  void (*recur)(const Recurrence& r);

  // h += z tanh(p) + (1 - z) tanh(q) with z = sigmoid(gate), which replaces gate; [width] each
  void (*gated_sum)(float* gate, const float* p, const float* q, std::int64_t width, float* h);

  void (*relu)(float* x, std::int64_t width);
};

// Those of current_isa().
const EngineKernels& engine_kernels();

}  // namespace gban
