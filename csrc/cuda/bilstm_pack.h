// How the weights of a BiLSTM are divided over blocks, warps and lanes, and the packing, on the
// host: each lane later loads what it multiplies with, 16 bytes at a time, whole warps in a row.
//
// A warp owns whole units (all four gates of each), so that a gate never crosses warps. Packed are,
// layer by layer, for both directions: W_ih as mma fragments, the sum of the biases, W_hh as what
// the lanes of lstm_recur keep in registers.
#pragma once

#include <cstdint>
#include <cstring>

#include "gban/bilstm_cuda.h"

namespace gban::cuda {

// How one direction's W_hh [4 H, H] is kept in registers, at most 64 of 32 bits a thread.
struct Division {
  int warp_units;  // hidden units of a warp
  int slices;      // blocks of a direction
  int units;       // hidden units of a block
  int threads;     // of a block
  int k_lanes;     // float alone: neighbouring lanes that share a unit's sum over H
};

GBAN_HD constexpr Division divide_among(int hidden, int warp_units, int slices, int k_lanes) {
  return {warp_units, slices, hidden / slices, hidden / slices / warp_units * 32, k_lanes};
}

// `size`: bytes of T. H = 32 and 64 are for tests, with few threads: of several blocks, but for
// fp16 at 32, which as 128 has one.
GBAN_HD constexpr Division division(int size, int hidden) {
  if (size == 2) {
    if (hidden == 32) return divide_among(32, 8, 1, 0);
    if (hidden == 64) return divide_among(64, 4, 4, 0);
    return hidden == 128 ? divide_among(128, 8, 1, 0) : divide_among(256, 4, 4, 0);
  }
  if (hidden == 32) return divide_among(32, 4, 4, 8);
  if (hidden == 64) return divide_among(64, 4, 4, 8);
  return hidden == 128 ? divide_among(128, 4, 2, 8) : divide_among(256, 2, 8, 16);
}

constexpr int kGroupUnits = 8;     // units of one warp's work in a projection: two 16-row fragments
constexpr int kProjectDepth = 16;  // inputs of one step of it; widths are padded to whole steps

GBAN_HD constexpr std::int64_t project_steps(std::int64_t width) {
  return (width + kProjectDepth - 1) / kProjectDepth;
}

// Byte offsets of one layer's parts from the start of a sequence's packed weights.
struct PackedLayer {
  std::int64_t project, bias, recur, end;
};

GBAN_HD constexpr PackedLayer packed_layer(int size, std::int64_t width, std::int64_t hidden,
                                           std::int64_t begin) {
  PackedLayer at{begin, 0, 0, 0};
  at.bias = at.project + 2 * 4 * hidden * project_steps(width) * kProjectDepth * size;
  at.recur = at.bias + 2 * 4 * hidden * static_cast<std::int64_t>(sizeof(float));
  at.end = at.recur + 2 * 4 * hidden * hidden * size;
  return at;
}

// Layer `layer` of a BiLSTM whose first layer reads `width` values.
GBAN_HD constexpr PackedLayer packed_layer_at(int size, std::int64_t width, std::int64_t hidden,
                                              std::int64_t layer) {
  const PackedLayer first = packed_layer(size, width, hidden, 0);
  if (layer == 0) return first;
  const std::int64_t each = packed_layer(size, 2 * hidden, hidden, 0).end;
  return packed_layer(size, 2 * hidden, hidden, first.end + (layer - 1) * each);
}

// 16-byte pieces that a lane holds of one step of a group: 8 units x 4 gates x 16 inputs.
template <typename T>
constexpr int kProjectPieces = static_cast<int>(sizeof(T));

// Row of a torch matrix [4 H, n] that holds a gate of a unit.
inline std::int64_t gate_row(std::int64_t hidden, int gate, std::int64_t unit) {
  return gate * hidden + unit;
}

// One lane's 16 bytes.
template <typename T>
struct Piece {
  T values[16 / sizeof(T)];
};

template <typename T>
struct Packer {
  std::int64_t H;
  unsigned char* out;

  void put(const Piece<T>& piece) {
    std::memcpy(out, &piece, sizeof piece);
    out += sizeof piece;
  }

  // A fragments of rows i, f (first) and g, o (second) of 8 units; see mma_m16n8k16 and
  // mma_m16n8k8_tf32 for which lane holds what.
  void project(const LstmWeights& w, std::int64_t width) {
    for (std::int64_t group = 0; group < H / kGroupUnits; ++group)
      for (std::int64_t step = 0; step < project_steps(width); ++step)
        for (int piece = 0; piece < kProjectPieces<T>; ++piece)
          for (int lane = 0; lane < 32; ++lane)
            put(project_piece(w, width, group, step, piece, lane));
  }

  Piece<T> project_piece(const LstmWeights& w, std::int64_t width, std::int64_t group,
                         std::int64_t step, int piece, int lane) const {
    Piece<T> made;
    for (int v = 0; v < static_cast<int>(16 / sizeof(T)); ++v) {
      const bool half = sizeof(T) == 2;
      const int i = half ? v / 2 : v, t = lane % 4;
      const int k = half ? 2 * t + 8 * (i / 2) + v % 2 : 8 * (piece / 2) + t + 4 * (i / 2);
      const std::int64_t column = step * kProjectDepth + k;
      const int gate = piece % 2 * 2 + i % 2;
      const std::int64_t row = gate_row(H, gate, group * kGroupUnits + lane / 4);
      made.values[v] = from_float<T>(column < width ? w.w_ih[row * width + column] : 0.0f);
    }
    return made;
  }

  // [unit][gate], as the projections are.
  void bias(const LstmWeights& w) {
    for (std::int64_t unit = 0; unit < H; ++unit)
      for (int gate = 0; gate < 4; ++gate) {
        const std::int64_t row = gate_row(H, gate, unit);
        const float sum = w.b_ih[row] + w.b_hh[row];
        std::memcpy(out, &sum, sizeof sum);
        out += sizeof sum;
      }
  }

  void recur(const LstmWeights& w) {
    const Division d = division(sizeof(T), static_cast<int>(H));
    const std::int64_t pieces = 4 * d.warp_units * H * static_cast<std::int64_t>(sizeof(T)) / 512;
    for (std::int64_t warp = 0; warp < H / d.warp_units; ++warp)
      for (std::int64_t piece = 0; piece < pieces; ++piece)
        for (int lane = 0; lane < 32; ++lane) {
          Piece<T> made;
          for (int v = 0; v < static_cast<int>(16 / sizeof(T)); ++v)
            made.values[v] =
                from_float<T>(recur_value(w, d, warp, static_cast<int>(piece), lane, v));
          put(made);
        }
  }

  float recur_value(const LstmWeights& w, const Division& d, std::int64_t warp, int piece, int lane,
                    int v) const {
    int gate = 0, unit = 0, k = 0;
    if (sizeof(T) == 2) {
      // The mma's 16 values of depth stand for units 32 j + 8 t + 0..7, so that a lane reads its
      // part of h, for two mma, as 16 bytes in a row.
      const int steps = static_cast<int>(H) / 16, step = piece % steps, i = v / 2;
      const int g = lane / 4, t = lane % 4, row = g + 8 * (i % 2);
      gate = d.warp_units == 8 ? piece / steps * 2 + i % 2 : row / 4;
      unit = d.warp_units == 8 ? g : row % 4;
      k = step / 2 * 32 + 8 * t + step % 2 * 4 + i / 2 * 2 + v % 2;
    } else {
      const int chunks = static_cast<int>(H) / d.k_lanes / 4;
      gate = piece / chunks;
      unit = lane / d.k_lanes;
      k = 4 * (lane % d.k_lanes + d.k_lanes * (piece % chunks)) + v;
    }
    return w.w_hh[gate_row(H, gate, warp * d.warp_units + unit) * H + k];
  }
};

template <typename T>
std::int64_t packed_bytes(std::int64_t width, std::int64_t hidden, std::int64_t layers) {
  return packed_layer_at(sizeof(T), width, hidden, layers - 1).end;
}

// The arguments have been checked.
template <typename T>
void pack_weights(const LstmWeights* weights, std::int64_t width, std::int64_t hidden,
                  std::int64_t layers, void* packed) {
  Packer<T> packer{hidden, static_cast<unsigned char*>(packed)};
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const LstmWeights* both = weights + 2 * layer;
    for (int dir = 0; dir < 2; ++dir) packer.project(both[dir], layer ? 2 * hidden : width);
    for (int dir = 0; dir < 2; ++dir) packer.bias(both[dir]);
    for (int dir = 0; dir < 2; ++dir) packer.recur(both[dir]);
  }
}

}  // namespace gban::cuda
