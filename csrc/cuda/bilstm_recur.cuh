// The recurrence of BiLSTMs: all directions of all sequences side by side in one launch.
//
// A team of blocks computes one direction, each block `units` hidden units with their slice of
// W_hh in registers (bilstm_product.cuh). A step: the product with h of the step before, out of
// shared memory; the gates; the new h to the other threads. Within a block that takes one barrier.
// Across blocks every value of h travels as one 8-byte word together with the number of its step
// ("tag"), so that whoever reads the word knows whether it has come, without fence, flag or
// barrier. Words lie in two sets, used in turn: a block sends step n only after it has received
// all of step n - 1, hence after all blocks have read step n - 2 of the same set. Tags go on from
// launch to launch, so that a word of an earlier launch is never taken for a new one.
#pragma once

#include "bilstm_product.cuh"
#include "bilstm_project.cuh"

namespace gban::cuda {

template <typename T>
struct RecurParams {
  BiLstm<T> a;
  float* projected[kMaxSequences];
  T* between[kMaxSequences][2];  // states [B, K, 2 H] of inner layers
  unsigned* tags;                // [blocks], of the last word sent
  unsigned* barriers;            // [crews][2]: arrivals, generation
  std::uint64_t* words;          // [teams][2][8, H]
  int crews, directions;
};

__device__ inline float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }
__device__ inline float tanh_of(float x) { return 1.0f - 2.0f * tanh_complement(x); }

__device__ inline std::uint64_t tagged(float h, unsigned tag) {
  return static_cast<std::uint64_t>(tag) << 32 | float_bits(h);
}
__device__ inline std::uint64_t tagged(Half h, unsigned tag) {
  return static_cast<std::uint64_t>(tag) << 32 | h.bits;
}
__device__ inline void untag(std::uint64_t word, float* h) {
  *h = bits_float(static_cast<std::uint32_t>(word));
}
__device__ inline void untag(std::uint64_t word, Half* h) {
  h->bits = static_cast<std::uint16_t>(word);
}

// One cell of a lane: a unit of one utterance, on its way through the steps of a direction.
struct Cell {
  int gates;  // in float4 of the projection, at the step that is fetched next
  int state;  // in T of the layer's states, at the step that is computed next
  int steps;  // 0: no such utterance
  float c;
};

// What can be worked out from threadIdx and blockIdx is, again and again: W_hh leaves 64 registers.
template <typename T, int H, int N>
struct Recurrence {
  using P = Product<T, H, N>;
  static constexpr Division kDivision = P::kDivision;
  static constexpr int kColumn = h_bytes(sizeof(T), H);
  static constexpr int kWarps = kDivision.threads / 32;
  static constexpr bool kAlone = kDivision.slices == 1;

  const RecurParams<T>& p;
  unsigned tag;
  // Of the item and pass:
  int first, count;  // utterances
  int most, dir;
  bool second, top;
  Cell cells[P::kCells];

  __device__ explicit Recurrence(const RecurParams<T>& params)
      : p(params), tag(params.tags[blockIdx.x]) {}

  __device__ static int thread() { return static_cast<int>(threadIdx.x); }
  __device__ static int warp() { return thread() / 32; }
  __device__ static int slice() { return static_cast<int>(blockIdx.x) % kDivision.slices; }
  __device__ static int team() { return static_cast<int>(blockIdx.x) / kDivision.slices; }
  __device__ int direction() const { return team() % p.directions; }
  __device__ int crew() const { return team() / p.directions; }
  __device__ int crew_blocks() const { return p.directions * kDivision.slices; }
  __device__ static int unit() {
    return slice() * kDivision.units + warp() * kDivision.warp_units + P::unit();
  }
  __device__ static unsigned char* h_at(int step) {
    return shared_memory() + step % 2 * (N * kColumn);
  }
  __device__ std::uint64_t* words() const {
    return p.words + (static_cast<std::int64_t>(team()) * 2 + tag % 2) * (kMostColumns * H);
  }
  __device__ const BiLstmSequence<T>& sequence() const { return p.a.sequences[second]; }

  // All blocks of the crew have come; what they wrote before is seen after.
  __device__ void meet() {
    if (crew_blocks() == 1) return __syncthreads();
    __threadfence();
    __syncthreads();
    unsigned* barriers = p.barriers + 2 * crew();
    if (thread() == 0) {
      const unsigned generation = load_acquire(barriers + 1);
      if (atomic_add(barriers, 1) == static_cast<unsigned>(crew_blocks()) - 1) {
        store_release(barriers, 0);
        store_release(barriers + 1, generation + 1);
      } else {
        while (load_acquire(barriers + 1) == generation) spin();
      }
    }
    __syncthreads();
  }

  // An item: every layer of up to N utterances of one sequence.
  __device__ void item(int number) {
    second = p.a.count == 2 && number % 2 != 0;
    first = number / p.a.count * N;
    count = static_cast<int>(p.a.batch - first < N ? p.a.batch - first : N);
    most = 1;
    for (int column = 0; column < count; ++column)
      most = max(most, length_of(sequence(), first + column).steps);
    for (int layer = 0; layer < static_cast<int>(p.a.layers); ++layer) {
      if (layer) project(layer);
      for (dir = direction(); dir < 2; dir += p.directions) pass(layer);
    }
  }

  // The item that item() was last given: a register less than keeping it.
  __device__ int number() const { return first / N * p.a.count + second; }

  // The states of inner layer `layer`, and where the last layer's go.
  __device__ Rows<T> states(int layer) const {
    if (layer == p.a.layers - 1) return sequence().states;
    return {p.between[second][layer % 2], sequence().steps * 2 * H, 2 * H};
  }

  // The next layer's projection, shared by all warps of the crew.
  __device__ void project(int layer) {
    meet();
    const Rows<T> below = states(layer - 1);
    const Rows<const T> x{below.data, below.batch_stride, below.row_stride};
    constexpr int kGroups = H / kGroupUnits;
    const int tiles = (most + kProjectColumns - 1) / kProjectColumns;
    const int me = (direction() * kDivision.slices + slice()) * kWarps + warp();
    for (int job = me; job < count * tiles * 2 * kGroups; job += crew_blocks() * kWarps) {
      const int rest = job / (2 * kGroups);
      const std::int64_t b = first + rest / tiles;
      const int from = rest % tiles * kProjectColumns, steps = length_of(sequence(), b).steps;
      if (from >= steps) continue;
      const ProjectWork<T> work(sequence(), p.projected[second], p.a.batch, H, layer,
                                job / kGroups % 2, b, job % kGroups);
      ProjectSums sums;
      project_warp<sizeof(T) == 2 ? 2 : 1>(sums, work.weights, InputRows<T>(x, b, from, steps),
                                           2 * H, 0, 1);
      GBAN_UNROLL
      for (int column = 0; column < 2 * kColumnTiles; ++column) {
        const int n = column / 2, i = column % 2, step = from + 8 * n + 2 * (thread() % 4) + i;
        const float gates[4] = {sums.of[0][n][i], sums.of[0][n][2 + i], sums.of[1][n][i],
                                sums.of[1][n][2 + i]};
        if (step < steps) work.store(H, step, gates);
      }
    }
    meet();
  }

  // One direction of one layer.
  __device__ void pass(int layer) {
    P product;
    const PackedLayer at = packed_layer_at(sizeof(T), sequence().width, H, layer);
    constexpr std::int64_t kWarpBytes = 4 * kDivision.warp_units * H * sizeof(T);
    product.load(reinterpret_cast<const uint4*>(
                     static_cast<const unsigned char*>(sequence().weights) + at.recur +
                     (dir * (H / kDivision.warp_units) + slice() * kWarps + warp()) * kWarpBytes) +
                 thread() % 32);
    top = layer == p.a.layers - 1;
    __syncthreads();  // the pass before has read its last h
    for (int i = thread(); i < N * kColumn / 4; i += kDivision.threads)
      reinterpret_cast<std::uint32_t*>(h_at(0))[i] = 0;
    if (top) zero_beyond();
    const Rows<T> to = states(layer);
    begin(to);
    __syncthreads();
    const int stride = static_cast<int>(to.row_stride);
    steps(product, to.data, dir ? -stride : stride);
  }

  // The last layer's states beyond the true lengths, of the block's own units.
  __device__ void zero_beyond() {
    constexpr int kRows = kDivision.threads / kDivision.units;
    const Rows<T>& to = sequence().states;
    const int at = dir * H + slice() * kDivision.units + thread() % kDivision.units;
    for (int column = 0; column < count; ++column) {
      const int steps = length_of(sequence(), first + column).steps;
      for (std::int64_t k = steps + thread() / kDivision.units; k < sequence().steps; k += kRows)
        to.at(first + column)[k * to.row_stride + at] = from_float<T>(0.0f);
    }
  }

  // The cells at the first step of their direction.
  __device__ void begin(const Rows<T>& to) {
    GBAN_UNROLL
    for (int i = 0; i < P::kCells; ++i) {
      Cell& cell = cells[i];
      const bool exists = P::column(i) < count;
      const std::int64_t b = first + (exists ? P::column(i) : 0);
      const Length length = length_of(sequence(), b);
      const std::int64_t k = dir ? length.steps - 1 : 0;
      cell.steps = exists ? length.steps : 0;
      cell.c = length.bad ? bits_float(0x7FFFFFFFu) : 0.0f;
      cell.gates = static_cast<int>(((dir * p.a.batch + b) * sequence().steps + k) * H) + unit();
      cell.state = static_cast<int>(b * to.batch_stride + k * to.row_stride) + dir * H + unit();
    }
  }

  // The projection's part of the gates at `step`, and on to the next.
  __device__ void fetch(float (&gates)[P::kCells][P::kGates], int step) {
    GBAN_UNROLL
    for (int i = 0; i < P::kCells; ++i) {
      const bool valid = step < cells[i].steps;
      if constexpr (N == 1) {
        gates[i][0] =
            valid ? p.projected[second][4 * static_cast<std::int64_t>(cells[i].gates) + P::gate()]
                  : 0.0f;
      } else {
        const float4 all =
            valid ? reinterpret_cast<const float4*>(p.projected[second])[cells[i].gates]
                  : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        gates[i][0] = all.x, gates[i][1] = all.y, gates[i][2] = all.z, gates[i][3] = all.w;
      }
      cells[i].gates += dir ? -H : H;
    }
  }

  // `to`: the layer's states, `stride` from one to that of the next step.
  __device__ void steps(const P& product, T* to, int stride) {
    float next[P::kCells][P::kGates];
    fetch(next, 0);
    for (int step = 0; step < most; ++step) {
      if (!kAlone && step > 0) receive(step);
      float gates[P::kCells][P::kGates];
      GBAN_UNROLL
      for (int i = 0; i < P::kCells; ++i)
        for (int gate = 0; gate < P::kGates; ++gate) gates[i][gate] = next[i][gate];
      fetch(next, step + 1);
      product.add(gates, h_at(step), count);
      if (!kAlone && step + 1 < most) ++tag;
      GBAN_UNROLL
      for (int i = 0; i < P::kCells; ++i) put(i, step, to, stride, activate(gates[i], cells[i].c));
      if (kAlone) __syncthreads();
    }
  }

  // A cell's new h, and its c.
  __device__ static float activate(const float (&gates)[P::kGates], float& c) {
    if constexpr (N == 1) {
      const int own = P::gate();
      const float u = sigmoid(own == 2 ? 2.0f * gates[0] : gates[0]);
      const float active = own == 2 ? 2.0f * u - 1.0f : u;
      float all[4];
      GBAN_UNROLL
      for (int gate = 0; gate < 4; ++gate)
        all[gate] = __shfl_sync(0xFFFFFFFFu, active, P::source(gate));
      c = all[1] * c + all[0] * all[2];
      return all[3] * tanh_of(c);
    } else {
      c = sigmoid(gates[1]) * c + sigmoid(gates[0]) * tanh_of(gates[2]);
      return sigmoid(gates[3]) * tanh_of(c);
    }
  }

  // A cell's h, to where the next step reads it, to the states and to the last state.
  __device__ void put(int i, int step, T* to, int stride, float value) {
    Cell& cell = cells[i];
    if (!P::owns() || cell.steps == 0) return;
    const T stored = from_float<T>(value);
    const int column = P::column(i);
    if (kAlone)
      reinterpret_cast<T*>(h_at(step + 1) + column * kColumn)[unit()] = stored;
    else if (step + 1 < most)
      store_word(words() + column * H + unit(), tagged(stored, tag));
    if (step >= cell.steps) return;
    to[cell.state] = stored;
    cell.state += stride;
    if (top && step == cell.steps - 1)
      sequence().last[static_cast<std::int64_t>(first + column) * 2 * H + dir * H + unit()] = value;
  }

  // h of the step before, from all blocks of the team, into shared memory.
  __device__ void receive(int step) {
    const std::uint64_t* from = words();
    __syncwarp();  // no lane waits for one of its own warp that has yet to send
    for (int i = thread(); i < count * H; i += kDivision.threads) {
      std::uint64_t word = load_word(from + i);
      while (static_cast<unsigned>(word >> 32) != tag) word = load_word(from + i);
      untag(word, reinterpret_cast<T*>(h_at(step) + i / H * kColumn) + i % H);
    }
    __syncthreads();
  }

  // For the next launch; all blocks of a team have come to the same tag.
  __device__ void close() const {
    __syncthreads();
    if (!kAlone && thread() == 0) p.tags[blockIdx.x] = tag;
  }
};

template <typename T, int H, int N>
__global__ void __launch_bounds__(division(sizeof(T), H).threads, 1) lstm_recur(RecurParams<T> p) {
  Recurrence<T, H, N> block(p);
  const auto items = static_cast<int>((p.a.batch + N - 1) / N * p.a.count);
  for (int item = block.crew(); item < items; item = block.number() + p.crews) block.item(item);
  block.close();
}

}  // namespace gban::cuda
