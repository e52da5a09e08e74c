// What host and kernels of the CUDA engine share in mapped memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gban::cuda {

constexpr int kMostBatch = 8;              // utterances in one graph; more are run in turn
constexpr std::int64_t kMostFrames = 796;  // 7.96 s: 46 speech steps at the authors' sizes
constexpr std::int64_t kMostWords = 512;

// True lengths of an utterance; all zero where a run has fewer utterances than its graph.
struct alignas(16) Lengths {
  int frames;
  int words;       // at least 1
  int steps;       // K
  int text_steps;  // L
};

// Written by the host before a launch.
struct EngineHeader {
  Lengths lengths[kMostBatch];
  int alpha[kMostBatch];  // whether it is wanted
  unsigned sequence;      // of this run: the last kernel copies it to the flag
};

// What the first kernel leaves of it in device memory: those that follow need not ask the host.
struct EngineRun {
  int steps[kMostBatch], text_steps[kMostBatch], alpha[kMostBatch];
  unsigned sequence;
};

// Where one utterance's results lie, in floats from its start.
struct ResultLayout {
  int logits, probabilities;         // [C]
  int aligned_gate, last_gate;       // [fusion]
  int speech_weights, text_weights;  // [K], [L]
  int alpha;                         // [L, K], dense at the true lengths
  int floats;
};

}  // namespace gban::cuda
