// How the engine's own two kernels are laid out: length buckets, what is refused, grids and shared
// memory. Plain C++, so that tests can plan for any GPU.
#pragma once

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "alignment_plan.h"
#include "encode.cuh"
#include "gban/engine_cuda.h"
#include "head.cuh"

namespace gban::cuda {

static_assert(kMostFrames == CudaEngine::kMaxFrames && kMostWords == kMaxWords, "");

// A graph is captured for the smallest of each that suffices. 252 and 444 frames are what gives 12
// and 24 speech steps at the authors' sizes.
constexpr std::int64_t kFrameBuckets[] = {252, 444, kMostFrames};
constexpr std::int64_t kWordBuckets[] = {8, 16, 32, 64, 128, kMostWords};
constexpr int kBatchBuckets[] = {1, 2, 4, kMostBatch};

template <typename N, std::size_t count>
N bucket_of(const N (&buckets)[count], N n) {
  return *std::find_if(std::begin(buckets), std::end(buckets) - 1, [&](N b) { return b >= n; });
}

struct Bucket {
  std::int64_t frames, words;
  int batch;

  bool operator<(const Bucket& o) const {
    return std::tie(frames, words, batch) < std::tie(o.frames, o.words, o.batch);
  }
};

inline Bucket bucket_for(std::int64_t frames, std::int64_t words, std::int64_t batch) {
  return {bucket_of(kFrameBuckets, frames), bucket_of(kWordBuckets, words),
          bucket_of(kBatchBuckets, static_cast<int>(batch))};
}

// Throws std::invalid_argument for a network whose kernels there are not. H is the BiLSTM's to say.
inline void require_network(const Model& model) {
  const Config& c = model.config;
  if (model.name != "gban")
    throw std::invalid_argument("backend cuda runs the network gban, got " + model.name +
                                "; use backend cpu");
  const auto require_size = [](bool holds, const char* name, const std::string& wanted,
                               std::int64_t got) {
    require(holds, name,
            wanted + " on backend cuda, got " + std::to_string(got) + "; use backend cpu");
  };
  const auto convs = static_cast<std::int64_t>(c.conv_filters.size());
  const auto branches = static_cast<std::int64_t>(c.text_kernels.size());
  const std::int64_t widest = *std::max_element(c.text_kernels.begin(), c.text_kernels.end());
  require_size(c.conv_kernel == kTaps, "conv_kernel", "be 4", c.conv_kernel);
  require_size(convs <= kMostConvs, "conv_filters", "have at most 6 entries", convs);
  require_size(c.conv_filters.back() % 4 == 0, "conv_filters", "end with a multiple of 4",
               c.conv_filters.back());
  require_size(branches <= kMostBranches, "text_kernels", "have at most 8 entries", branches);
  require_size(widest <= kMostWidth, "text_kernels", "be at most 16", widest);
  require_size(c.text_filters * branches % 4 == 0, "text_filters",
               "times the number of text_kernels be a multiple of 4", c.text_filters);
  require_size(c.receptive_field() <= kMostFrames, "conv_filters", "see at most 796 frames",
               c.receptive_field());
}

// Layers and their places among the packed filters; `floats` is their number.
inline SpeechParams plan_convs(const Config& c) {
  SpeechParams s{};
  std::int64_t in = c.features;
  for (std::int64_t out : c.conv_filters) {
    ConvLayer& layer = s.layer[s.layers++];
    layer = {static_cast<int>(in), static_cast<int>(out), static_cast<int>((out + 3) / 4),
             s.filter_floats, 0};
    layer.bias = layer.filters + layer.in * layer.channel();
    s.filter_floats = layer.bias + layer.groups * kGroup;
    in = out;
  }
  return s;
}

// Few steps a block where the GPU has processors to spare, more where they would queue: what
// neighbouring blocks compute twice is 45 of 16 n + 45 frames.
inline int steps_a_block(std::int64_t steps, int batch, int processors) {
  const std::int64_t even = (steps * batch + processors - 1) / processors;
  return static_cast<int>(std::clamp<std::int64_t>(even, 4, 8));
}

struct EncodePlan {
  SpeechParams speech;  // the sizes; pointers are the caller's
  int text_blocks;
  int shared;  // bytes
};

// `steps` and `text_steps`: the most K and L of the graph.
inline EncodePlan plan_encode(const Config& c, std::int64_t steps, std::int64_t text_steps,
                              int batch, bool table, int processors) {
  EncodePlan plan{plan_convs(c), 0, 0};
  SpeechParams& s = plan.speech;
  s.frames_limit = kMostFrames;
  s.block_steps = steps_a_block(steps, batch, processors);
  s.blocks = static_cast<int>((steps + s.block_steps - 1) / s.block_steps);
  // Frames that a layer gives, from the last to the first, and what the one before then reads:
  // whole quartets and the taps beyond.
  int floats[2] = {0, 0}, given = s.block_steps;
  for (int l = s.layers - 1; l >= 0; --l) {
    const int read = std::max(4 * ((given + 1) / 2) + kTaps - 1, 2 * given + kTaps - 1);
    floats[l % 2] = std::max(floats[l % 2], read * s.layer[l].stride());
    given = 2 * given + kTaps - 1;
  }
  s.ping = round_up(s.filter_floats, 4);
  s.pong = s.ping + round_up(floats[0], 4);
  const int branches = static_cast<int>(c.text_kernels.size());
  const int chunks = branches * static_cast<int>((c.text_filters + 31) / 32);
  const int widest =
      static_cast<int>(*std::max_element(c.text_kernels.begin(), c.text_kernels.end()));
  const int rows = 2 * kDirectSteps + widest - 1;
  const int direct =
      round_up(rows * static_cast<int>(c.embedding), 4) + kEncodeWarps * 2 * kDirectSteps * 32;
  plan.text_blocks = static_cast<int>(
      table ? text_steps : (text_steps + kDirectSteps - 1) / kDirectSteps * chunks);
  plan.shared = 4 * std::max(s.pong + floats[1], table ? kMostWidth + 1 : direct);
  return plan;
}

struct HeadPlan {
  int rows, columns;        // of a tile; 0: nothing fits
  std::int64_t most_words;  // a bucket
};

struct HeadSizes {
  int steps, text_steps;  // the most K and L of the graph
  int D, F, classifier, C;
};

inline HeadSizes head_sizes(const Config& c, std::int64_t frames, std::int64_t words) {
  return {static_cast<int>(c.speech_steps(frames)),
          static_cast<int>(c.text_steps(words)),
          static_cast<int>(c.states()),
          static_cast<int>(c.fusion),
          static_cast<int>(c.classifier),
          static_cast<int>(c.classes)};
}

template <typename T, int R, int C>
int head_shared(const HeadSizes& s) {
  return AlignShared<T, R, C>::of(s.D, s.steps, s.text_steps).end +
         4 * head_floats(s.D, s.F, s.classifier, s.C);
}

// Calls with the constants of a tile.
template <int R, int C>
struct Tile {
  static constexpr int rows = R, columns = C;
};
template <typename Call>
auto with_tile(int rows, const Call& call) {
  if (rows == 64) return call(Tile<64, 32>{});
  if (rows == 32) return call(Tile<32, 16>{});
  return call(Tile<16, 16>{});
}

// The largest tiles with which the longest utterance fits; where none does, the most words for
// which one does. One choice for all buckets: results do not depend on the bucket.
template <typename T>
HeadPlan plan_head(HeadSizes longest, const DeviceLimits& device) {
  for (auto words = std::end(kWordBuckets); words != std::begin(kWordBuckets);) {
    longest.text_steps = static_cast<int>((*--words + 1) / 2);
    for (int rows : {64, 32, 16}) {
      const int bytes = with_tile(rows, [&](auto tile) {
        return head_shared<T, decltype(tile)::rows, decltype(tile)::columns>(longest);
      });
      if (bytes <= device.shared_block) return {rows, rows == 64 ? 32 : 16, *words};
    }
  }
  return {0, 0, 0};
}

}  // namespace gban::cuda
