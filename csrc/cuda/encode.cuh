// Features and words to the inputs of the two BiLSTMs: the first kernel of the engine's graph.
//
// Blocks of the speech standardise and run all [Conv1d of 4 frames, ReLU, MaxPool 2] stages on
// their own `block_steps` final steps and those steps' receptive field, in shared memory; what
// neighbours overlap is computed twice. Blocks of the text (encode_text.cuh) stand beside them in
// one launch: blockIdx.x below speech_blocks is speech, blockIdx.y is the utterance. Blocks beyond
// the true lengths return at once.
#pragma once

#include "encode_text.cuh"

namespace gban::cuda {

constexpr int kMostConvs = 6;
constexpr int kTaps = 4;       // frames that a convolution sees
constexpr int kGroup = 4;      // filters that a thread computes
constexpr int kSplits = 4;     // neighbouring lanes that share the channels of one sum
constexpr int kFilterPad = 4;  // floats after a channel's filters: the lanes hit all banks
constexpr int kLoads = 4;      // quads of features under way in a thread

// One convolution. Packed filters: [in][groups][kTaps][kGroup] with kFilterPad floats after each
// channel, then the bias [groups * kGroup]; filters that do not exist are zero.
struct ConvLayer {
  int in, out;
  int groups;   // of filters
  int filters;  // where its filters start, in floats
  int bias;

  GBAN_HD int channel() const { return groups * kTaps * kGroup + kFilterPad; }
  // Floats from one frame of the input to the next; 2 more than a multiple of 8: threads that are
  // four frames apart hit different banks.
  GBAN_HD int stride() const { return round_up(in, 8) + 2; }
};

struct SpeechParams {
  const float* features;  // [B][frames_limit][in of layer 0]
  const float* standard;  // mean, then 1 / deviation
  const float* filters;   // packed, of all layers
  int filter_floats;      // a multiple of 4
  int layers;
  ConvLayer layer[kMostConvs];
  std::int64_t frames_limit;
  int block_steps, blocks;
  int ping, pong;  // floats from the start of shared memory: inputs of even and of odd layers
};

template <typename T>
struct EncodeParams {
  const EngineHeader* header;
  EngineRun* run;
  SpeechParams speech;
  TextParams<T> text;
  T* x_s;  // [B][steps_limit][filters of the last layer]
  T* x_t;  // [B][text_limit][text width]
  int steps_limit, text_limit;
};

template <int N>
struct alignas(4 * N) Values {
  float v[N];
};
template <int N>
__device__ inline Values<N> values_at(const float* p) {
  return *reinterpret_cast<const Values<N>*>(p);
}

template <typename T>
struct SpeechBlock {
  const EncodeParams<T>& p;
  const SpeechParams& s;
  int b, thread, frames, first, steps;  // computes steps first .. first + steps - 1
  float* shared;

  __device__ SpeechBlock(const EncodeParams<T>& params, const Lengths& true_lengths)
      : p(params), s(params.speech) {
    b = static_cast<int>(blockIdx.y);
    thread = static_cast<int>(threadIdx.x);
    frames = true_lengths.frames;
    first = static_cast<int>(blockIdx.x) * s.block_steps;
    steps = min(true_lengths.steps - first, s.block_steps);
    shared = reinterpret_cast<float*>(shared_memory());
  }

  // Frames that layer `l` must see, so that the last gives `steps`.
  __device__ int rows(int l) const {
    int n = steps;
    for (int i = s.layers; i > l; --i) n = 2 * n + kTaps - 1;
    return n;
  }

  __device__ void run() {
    for (int i = 4 * thread; i < s.filter_floats; i += 4 * kEncodeThreads)
      copy_async16(shared + i, s.filters + i, true);
    if (s.layer[0].in % 4 == 0)
      load<4>();
    else
      load<1>();
    for (int l = 0; l < s.layers; ++l) {
      copy_async_commit();
      copy_async_wait<0>();
      __syncthreads();
      convolve(l);
    }
  }

  // Standardised frames, N values a load; behind a short utterance the mean, which becomes zero.
  template <int N>
  __device__ void load() {
    const ConvLayer& layer = s.layer[0];
    const int chunks = layer.in / N, end = rows(0) * chunks, start = first << s.layers;
    const float* source = s.features + (b * s.frames_limit + start) * layer.in;
    for (int i = thread; i < end; i += kLoads * kEncodeThreads) {
      Values<N> values[kLoads], mean[kLoads], scale[kLoads];
      GBAN_UNROLL
      for (int n = 0; n < kLoads; ++n) {  // all loads under way together: the first is the host's
        const int at = min(i + n * kEncodeThreads, end - 1), c = N * (at % chunks);
        const bool exists = at / chunks < frames - start;
        values[n] = values_at<N>(exists ? source + N * at : s.standard + c);
        mean[n] = values_at<N>(s.standard + c);
        scale[n] = values_at<N>(s.standard + layer.in + c);
      }
      GBAN_UNROLL
      for (int n = 0; n < kLoads; ++n) {
        const int at = i + n * kEncodeThreads;
        float* to = shared + s.ping + at / chunks * layer.stride() + N * (at % chunks);
        GBAN_UNROLL
        for (int v = 0; v < N; ++v)
          if (at < end) to[v] = (values[n].v[v] - mean[n].v[v]) * scale[n].v[v];
      }
    }
  }

  // One layer: kSplits lanes compute two pooled steps of kGroup filters, so four steps before the
  // pooling. What they read beyond the last frame goes into steps that are not kept.
  __device__ void convolve(int l) {
    const ConvLayer& layer = s.layer[l];
    const int pooled = rows(l + 1), items = (pooled + 1) / 2 * layer.groups * kSplits;
    const float* in = shared + (l % 2 ? s.pong : s.ping);
    for (int i = thread; i / 32 * 32 < items; i += kEncodeThreads) {
      const int item = min(i, items - 1) / kSplits, part = i % kSplits;
      const int group = item % layer.groups, pair = item / layer.groups;
      float sums[4][kGroup] = {};
      for (int c = part; c < layer.in; c += kSplits)
        channel(sums, in + 4 * pair * layer.stride() + c, layer.stride(),
                shared + layer.filters + c * layer.channel() + group * kTaps * kGroup);
      const int filter = group * kGroup + part;
      float kept[4];
      share_out(sums, part, kept);
      const float bias = shared[layer.bias + filter];
      if (i >= items || filter >= layer.out) continue;
      for (int n = 0; n < 2 && 2 * pair + n < pooled; ++n)
        store(l, 2 * pair + n, filter, larger(larger(kept[2 * n], kept[2 * n + 1]) + bias, 0.0f));
    }
  }

  // Adds what one channel gives to four steps of kGroup filters.
  __device__ static void channel(float (&sums)[4][kGroup], const float* x, int stride,
                                 const float* filters) {
    float frame[4 + kTaps - 1];
    GBAN_UNROLL
    for (int n = 0; n < 4 + kTaps - 1; ++n) frame[n] = x[n * stride];
    GBAN_UNROLL
    for (int tap = 0; tap < kTaps; ++tap) {
      const float4 w = *reinterpret_cast<const float4*>(filters + tap * kGroup);
      GBAN_UNROLL
      for (int n = 0; n < 4; ++n) {
        sums[n][0] += frame[n + tap] * w.x;
        sums[n][1] += frame[n + tap] * w.y;
        sums[n][2] += frame[n + tap] * w.z;
        sums[n][3] += frame[n + tap] * w.w;
      }
    }
  }

  // Adds up the kSplits lanes' sums; lane `part` keeps those of filter `part`.
  __device__ static void share_out(const float (&sums)[4][kGroup], int part, float (&kept)[4]) {
    GBAN_UNROLL
    for (int n = 0; n < 4; ++n) {
      const bool high = part & 2, odd = part & 1;
      const float* s = sums[n];
      const float a = (high ? s[2] : s[0]) + __shfl_xor_sync(kAll, high ? s[0] : s[2], 2);
      const float b = (high ? s[3] : s[1]) + __shfl_xor_sync(kAll, high ? s[1] : s[3], 2);
      kept[n] = (odd ? b : a) + __shfl_xor_sync(kAll, odd ? a : b, 1);
    }
  }

  __device__ void store(int l, int row, int filter, float value) {
    if (l + 1 < s.layers)
      shared[(l % 2 ? s.ping : s.pong) + row * s.layer[l + 1].stride() + filter] = value;
    else
      p.x_s[(static_cast<std::int64_t>(b) * p.steps_limit + first + row) * s.layer[l].out +
            filter] = from_float<T>(value);
  }
};

__device__ inline void hand_on(const EngineHeader* header, EngineRun* run, const Lengths& lengths) {
  const int b = static_cast<int>(blockIdx.y);
  run->steps[b] = lengths.steps;
  run->text_steps[b] = lengths.text_steps;
  run->alpha[b] = header->alpha[b];
  if (b == 0) run->sequence = header->sequence;
}

template <typename T>
__global__ void __launch_bounds__(kEncodeThreads) encode(EncodeParams<T> p) {
  const Lengths lengths = p.header->lengths[blockIdx.y];
  if (blockIdx.x == 0 && threadIdx.x == 0) hand_on(p.header, p.run, lengths);
  if (static_cast<int>(blockIdx.x) < p.speech.blocks) {
    SpeechBlock<T> block(p, lengths);
    if (block.steps > 0) block.run();
  } else {
    TextBlock<T> block(p.text, lengths, p.x_t, p.text_limit,
                       static_cast<int>(blockIdx.x) - p.speech.blocks);
    block.run();
  }
}

}  // namespace gban::cuda
