// Bidirectional LSTMs on a GPU: one or two of them side by side ("sequences": speech and text), of
// one hidden size, in two kernels. Declared where there is no CUDA too.
//
//   i, f, g, o = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh      (torch's order and its two biases)
//   c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g)           h_t = sigmoid(o) tanh(c_t)
//
// The backward direction begins at each utterance's own last step. A layer's states of both
// directions, [forward, backward] at each step, are the next layer's input.
//
// T is float or Half: how inputs, states, weights and the h that W_hh multiplies are stored. Sums,
// gates, cell states and the last state are float.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "gban/alignment_cuda.h"  // Rows, Workspace, StreamHandle

namespace gban::cuda {

constexpr int kMaxSequences = 2;

// One direction of one layer, as torch.nn.LSTM holds it; memory of the host.
struct LstmWeights {
  const float* w_ih;  // [4 H, width]; width is 2 H in every layer but the first
  const float* w_hh;  // [4 H, H]
  const float* b_ih;  // [4 H]
  const float* b_hh;  // [4 H]
};

// All pointers are the device's.
template <typename T>
struct BiLstmSequence {
  std::int64_t steps;   // K, the most steps that an utterance has here
  std::int64_t width;   // values in an input row, a multiple of 4
  Rows<const T> input;  // [B, K, width]; base and strides are multiples of 4 bytes
  const void* lengths;  // [B], each in 1..K; null: K everywhere
  int length_bytes;     // 4: they are int32; 8: int64
  const void* weights;  // what bilstm_pack wrote, 16-byte aligned
  Rows<T> states;       // [B, K, 2 H], of the last layer; zero beyond the true lengths
  float* last;          // [B, 2 H]: forward at the last true step, backward at the first
};

// What a call computes. A length out of range gives NaN in that utterance's last state (and is
// computed as 1); a NaN in an utterance's input reaches that utterance alone.
template <typename T>
struct BiLstm {
  std::int64_t batch;   // B
  std::int64_t hidden;  // H, 128 or 256
  std::int64_t layers;  // at least 1
  int count;            // of sequences, 1 or 2
  BiLstmSequence<T> sequences[kMaxSequences];
};

// Why the current device cannot run this size, in words; empty where it can. T: float, Half, here
// and below.
template <typename T>
std::string bilstm_refusal(std::int64_t hidden);

// Bytes that the packed weights of one sequence take. A multiple of 16.
template <typename T>
std::size_t bilstm_packed_bytes(std::int64_t width, std::int64_t hidden, std::int64_t layers);

// Packs the weights [layers][2 directions] of one sequence into memory of the host, to be copied to
// the device as it is. Needs no GPU. Throws std::invalid_argument for a size that has no kernel.
template <typename T>
void bilstm_pack(const LstmWeights* weights, std::int64_t width, std::int64_t hidden,
                 std::int64_t layers, void* packed);

// Device memory that a call needs, 16-byte aligned; only sizes and steps of `a` are read. The first
// counter_bytes, the same for every call of one H and T on a device, must be zero before the first
// such call and are the calls' own after: one workspace may serve calls of many lengths and
// batches, of one H and T, that do not run at the same time.
template <typename T>
Workspace bilstm_workspace(const BiLstm<T>& a);

// Node 1 of 2: the input projection of the first layer, of all steps, directions and sequences.
template <typename T>
void bilstm_project(const BiLstm<T>& a, void* workspace, StreamHandle stream);

// Node 2 of 2: the recurrence, and for more layers than one the projections between them. With the
// same arguments, after bilstm_project. Both are asynchronous, allocate nothing, and may be
// captured; both throw std::invalid_argument or, from CUDA, std::runtime_error.
template <typename T>
void bilstm_recur(const BiLstm<T>& a, void* workspace, StreamHandle stream);

}  // namespace gban::cuda
