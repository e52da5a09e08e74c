// W_hh h of one step by one warp, W_hh in its lanes' registers: tensor cores for fp16, fused
// multiply-adds for fp32.
//
// N = 8 columns (utterances): a lane ends up with all four gates of kCells cells, a cell being one
// unit of one column. N = 1: a lane ends up with one gate of one unit, so that the gates' exp run
// side by side; every gate is held by some lane, source() says by which.
#pragma once

#include "bilstm_plan.h"
#include "tile.cuh"

namespace gban::cuda {

template <typename T, int H, int N>
struct Product;

// The mma's depth stands for units in the order that bilstm_pack.h says.
template <int H, int N>
struct Product<Half, H, N> {
  static constexpr Division kDivision = division(2, H);
  static constexpr bool kWide = kDivision.warp_units == 8;
  static constexpr int kRowTiles = kWide ? 2 : 1, kSteps = H / 16;
  static constexpr int kChains = kWide ? 1 : 2;  // sums a row tile: mma that need not wait
  static constexpr int kCells = N == 8 && kWide ? 2 : 1, kGates = N == 1 ? 1 : 4;

  std::uint32_t w[kRowTiles][kSteps][4];

  __device__ static int g() { return static_cast<int>(threadIdx.x) % 32 / 4; }
  __device__ static int t() { return static_cast<int>(threadIdx.x) % 4; }
  __device__ static int unit() { return kWide ? g() : g() % 4; }
  __device__ static int column(int cell) {
    return N == 1 ? 0 : kWide ? 2 * t() + cell : 2 * t() + g() / 4;
  }
  __device__ static int gate() { return kWide ? t() : g() / 4 + t() % 2 * 2; }
  __device__ static int source(int gate) {
    return kWide ? 4 * g() + gate : 4 * (g() % 4 + gate % 2 * 4) + gate / 2;
  }
  // Whether the lane's cells are its alone to write.
  __device__ static bool owns() { return N == 8 || (t() == 0 && (kWide || g() < 4)); }

  __device__ void load(const uint4* packed) {
    GBAN_UNROLL
    for (int m = 0; m < kRowTiles; ++m)
      for (int k = 0; k < kSteps; ++k) {
        const uint4 piece = packed[(m * kSteps + k) * 32];
        w[m][k][0] = piece.x, w[m][k][1] = piece.y, w[m][k][2] = piece.z, w[m][k][3] = piece.w;
      }
  }

  // gates += W h. `h` [N, H] in shared memory, h_bytes() a column; columns from `count` on are not
  // read. With N = 1 all columns of the mma are the one, and so are all the lanes of a quad.
  __device__ void add(float (&gates)[kCells][kGates], const unsigned char* h, int count) const {
    float d[kRowTiles][kChains][4] = {};
    const bool read = N == 1 || g() < count;
    const unsigned char* mine = h + (N == 1 ? 0 : g() * h_bytes(2, H)) + 16 * t();
    GBAN_UNROLL
    for (int j = 0; j < kSteps / 2; ++j) {
      const uint4 x =
          read ? *reinterpret_cast<const uint4*>(mine + 64 * j) : make_uint4(0u, 0u, 0u, 0u);
      const std::uint32_t b[2][2] = {{x.x, x.y}, {x.z, x.w}};
      GBAN_UNROLL
      for (int half = 0; half < 2; ++half)
        for (int m = 0; m < kRowTiles; ++m)
          mma_m16n8k16(d[m][half % kChains], w[m][2 * j + half], b[half], Half{});
    }
    if constexpr (kWide)
      gather(gates, d[0][0], d[1][0]);
    else
      gather(gates, d[0][0], d[0][1]);
  }

  // Rows i, f of the first and g, o of the second; or, where a warp has four units, rows
  // i, f, g, o of the sum of both chains.
  __device__ static void gather(float (&gates)[kCells][kGates], const float (&x)[4],
                                const float (&y)[4]) {
    if constexpr (kWide && N == 8) {
      GBAN_UNROLL
      for (int cell = 0; cell < 2; ++cell) {
        gates[cell][0] += x[cell], gates[cell][1] += x[2 + cell];
        gates[cell][2] += y[cell], gates[cell][3] += y[2 + cell];
      }
    } else if constexpr (kWide) {
      gates[0][0] += t() == 0 ? x[0] : t() == 1 ? x[2] : t() == 2 ? y[0] : y[2];
    } else if constexpr (N == 8) {
      exchange(gates[0], x[0] + y[0], x[1] + y[1], x[2] + y[2], x[3] + y[3]);
    } else {
      gates[0][0] += t() % 2 ? x[2] + y[2] : x[0] + y[0];
    }
  }

  // Lanes of rows 0-3 hold i and g of two columns, those of rows 4-7 f and o: each keeps one
  // column and hands over the other.
  __device__ static void exchange(float (&gates)[4], float d0, float d1, float d2, float d3) {
    const bool upper = g() < 4;
    const float first = __shfl_xor_sync(0xFFFFFFFFu, upper ? d1 : d0, 16);
    const float second = __shfl_xor_sync(0xFFFFFFFFu, upper ? d3 : d2, 16);
    gates[0] += upper ? d0 : first;
    gates[1] += upper ? first : d1;
    gates[2] += upper ? d2 : second;
    gates[3] += upper ? second : d3;
  }
};

// Neighbouring lanes share the sum over H of a unit's four gates.
template <int H, int N>
struct Product<float, H, N> {
  static constexpr Division kDivision = division(4, H);
  static constexpr int kLanes = kDivision.k_lanes, kChunks = H / kLanes / 4;
  static constexpr int kCells = 1, kGates = N == 1 ? 1 : 4;
  static constexpr int kTogether = N == 1 ? 1 : 2;  // columns summed at a time: registers

  float4 w[4][kChunks];

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % 32; }
  __device__ static int part() { return lane() % kLanes; }
  __device__ static int unit() { return lane() / kLanes; }
  __device__ static int column(int) { return N == 1 ? 0 : part() % 8; }
  __device__ static int gate() { return part() % 4; }
  __device__ static int source(int gate) { return unit() * kLanes + gate; }
  __device__ static bool owns() { return part() < N; }

  __device__ void load(const uint4* packed) {
    GBAN_UNROLL
    for (int gate = 0; gate < 4; ++gate)
      for (int j = 0; j < kChunks; ++j) {
        const uint4 piece = packed[(gate * kChunks + j) * 32];
        w[gate][j] = make_float4(bits_float(piece.x), bits_float(piece.y), bits_float(piece.z),
                                 bits_float(piece.w));
      }
  }

  __device__ void add(float (&gates)[kCells][kGates], const unsigned char* h, int count) const {
    GBAN_UNROLL
    for (int first = 0; first < N; first += kTogether) {
      float sums[kTogether][4] = {};
      if (first < count) multiply(sums, h + first * h_bytes(4, H));
      if constexpr (N == 1)
        one_gate(gates[0][0], sums[0]);
      else
        one_column(gates[0], sums, part() % 8 / 2 * 2 == first);
    }
  }

  __device__ void multiply(float (&sums)[kTogether][4], const unsigned char* h) const {
    GBAN_UNROLL
    for (int j = 0; j < kChunks; ++j)
      for (int c = 0; c < kTogether; ++c) {
        const float4 x =
            reinterpret_cast<const float4*>(h + c * h_bytes(4, H))[part() + kLanes * j];
        GBAN_UNROLL
        for (int gate = 0; gate < 4; ++gate) {
          const float4& v = w[gate][j];
          sums[c][gate] += v.x * x.x + v.y * x.y + v.z * x.z + v.w * x.w;
        }
      }
  }

  // Adds the lanes' parts, each step halving what a lane keeps: gate = lane % 4 in the end.
  __device__ static void one_gate(float& gate, const float (&sums)[4]) {
    const bool odd = part() % 2 != 0, high = part() % 4 >= 2;
    const float low_pair = swap_add(odd ? sums[1] : sums[0], odd ? sums[0] : sums[1], 1);
    const float high_pair = swap_add(odd ? sums[3] : sums[2], odd ? sums[2] : sums[3], 1);
    float sum = swap_add(high ? high_pair : low_pair, high ? low_pair : high_pair, 2);
    GBAN_UNROLL
    for (int step = 4; step < kLanes; step *= 2) sum = swap_add(sum, sum, step);
    gate += sum;
  }

  // Likewise for two columns: column = lane % 2 in the end, for the lanes that keep it.
  __device__ static void one_column(float (&gates)[4], const float (&sums)[kTogether][4],
                                    bool keep) {
    const bool odd = part() % 2 != 0;
    GBAN_UNROLL
    for (int i = 0; i < 4; ++i) {
      float sum = swap_add(odd ? sums[1][i] : sums[0][i], odd ? sums[0][i] : sums[1][i], 1);
      GBAN_UNROLL
      for (int step = 2; step < kLanes; step *= 2) sum = swap_add(sum, sum, step);
      if (keep) gates[i] += sum;
    }
  }

  // What this lane keeps and what the other lane gave away of it.
  __device__ static float swap_add(float keep, float give, int flip) {
    return keep + __shfl_xor_sync(0xFFFFFFFFu, give, flip);
  }
};

}  // namespace gban::cuda
