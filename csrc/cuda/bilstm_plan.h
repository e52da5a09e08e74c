// How BiLSTMs are laid out over a GPU: crews of blocks, what they share, the workspace.
// Plain C++, so that tests can plan for any GPU.
//
// An item is one sequence of up to `columns` utterances. A crew of blocks takes items in turn and
// computes both directions of all layers: side by side, or one after the other where the GPU has
// too few processors. A team is the blocks ("slices") of one direction.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>

#include "bilstm_pack.h"

namespace gban::cuda {

struct BiLstmLimits {
  int processors;     // streaming multiprocessors; each holds one block of lstm_recur
  bool small_hidden;  // 32 and 64 too: for tests
};

constexpr int kMostColumns = 8;      // of an mma
constexpr int kProjectColumns = 16;  // time steps of one warp's work in a projection
constexpr int kProjectThreads = 128;
constexpr std::size_t kProjectShared = kProjectThreads * 16 * sizeof(float);

struct BiLstmPlan {
  Division division;
  int columns;     // utterances of an item, 1 or 8
  int directions;  // that a crew computes at once, 1 or 2
  int crews;
  bool cooperative;
  int shared;  // bytes a block of lstm_recur

  int team_blocks() const { return division.slices; }
  int crew_blocks() const { return directions * division.slices; }
};

// Byte offsets into the workspace.
struct BiLstmMemory {
  std::size_t tags, barriers, words, counter_bytes;  // words: of the teams' exchange
  std::size_t projected[kMaxSequences];              // [2 directions, B, K, H, 4] floats
  std::size_t between[kMaxSequences][2];             // states of inner layers, in turn
  std::size_t bytes;
};

inline void demand(bool holds, const std::string& name, const std::string& wanted) {
  if (!holds) throw std::invalid_argument(name + " must " + wanted);
}

// Bytes from one column of h to the next in shared memory: the eight columns of an mma fragment,
// and the lanes of a sum, read different banks.
GBAN_HD constexpr int h_bytes(int size, int hidden) {
  return hidden * size + (size == 2 ? 64 : 16);
}

// Why a GPU cannot run this size; empty where it can.
inline std::string refusal(int size, std::int64_t hidden, const BiLstmLimits& device) {
  const bool small = device.small_hidden && (hidden == 32 || hidden == 64);
  if (hidden != 128 && hidden != 256 && !small)
    return "hidden must be 128 or 256 on a GPU, got " + std::to_string(hidden) +
           "; use backend cpu";
  const int slices = division(size, static_cast<int>(hidden)).slices;
  if (slices > device.processors)
    return "hidden " + std::to_string(hidden) + " in " + (size == 2 ? "float16" : "float32") +
           " needs a GPU of at least " + std::to_string(slices) + " processors, this one has " +
           std::to_string(device.processors) + (size == 2 ? "" : "; float16 needs half as many") +
           "; use backend cpu";
  return "";
}

template <typename T>
BiLstmPlan plan_bilstm(const BiLstm<T>& a, const BiLstmLimits& device) {
  const std::string reason = refusal(sizeof(T), a.hidden, device);
  if (!reason.empty()) throw std::invalid_argument(reason);
  const int H = static_cast<int>(a.hidden);
  BiLstmPlan plan{division(sizeof(T), H), kMostColumns, 2, 1, false, 0};
  const int slices = plan.division.slices;
  if (2 * slices > device.processors) plan.directions = 1;
  // One utterance an item is the fastest; it takes the most blocks.
  const std::int64_t alone = a.batch * a.count * plan.crew_blocks();
  if (a.batch == 1 || alone <= device.processors) plan.columns = 1;
  const std::int64_t items = (a.batch + plan.columns - 1) / plan.columns * a.count;
  plan.crews = static_cast<int>(
      std::min<std::int64_t>(items, std::max(1, device.processors / plan.crew_blocks())));
  plan.cooperative = plan.crew_blocks() > 1 && (slices > 1 || a.layers > 1);
  plan.shared = 2 * plan.columns * h_bytes(sizeof(T), H);
  return plan;
}

// Tags and words lie at places that the device, H and T alone decide: a word's tags only grow.
template <typename T>
BiLstmMemory bilstm_memory(const BiLstm<T>& a, const BiLstmLimits& device) {
  std::size_t end = 0;
  const auto take = [&](std::int64_t bytes) {
    const std::size_t begin = end;
    end += (static_cast<std::size_t>(bytes) + 255) / 256 * 256;
    return begin;
  };
  const int slices = division(sizeof(T), static_cast<int>(a.hidden)).slices;
  const int teams = std::max(1, device.processors / slices);
  BiLstmMemory m{};
  m.tags = take(teams * slices * static_cast<std::int64_t>(sizeof(unsigned)));
  m.barriers = take(teams * static_cast<std::int64_t>(2 * sizeof(unsigned)));
  m.words = take(slices > 1 ? teams * 2 * kMostColumns * a.hidden * 8 : 0);
  m.counter_bytes = end;
  for (int s = 0; s < a.count; ++s) {
    const std::int64_t rows = a.batch * a.sequences[s].steps;
    const std::int64_t states = rows * 2 * a.hidden * static_cast<std::int64_t>(sizeof(T));
    m.projected[s] = take(2 * rows * 4 * a.hidden * static_cast<std::int64_t>(sizeof(float)));
    m.between[s][0] = take(a.layers > 1 ? states : 0);
    m.between[s][1] = a.layers > 2 ? take(states) : m.between[s][0];
  }
  m.bytes = end;
  return m;
}

inline void check_pack(int size, std::int64_t width, std::int64_t hidden, std::int64_t layers,
                       const BiLstmLimits& device) {
  demand(width >= 4 && width % 4 == 0, "width",
         "be a multiple of 4 from 4 on, got " + std::to_string(width));
  demand(layers >= 1, "layers", "be at least 1, got " + std::to_string(layers));
  const std::string reason = refusal(size, hidden, {1 << 20, device.small_hidden});
  if (!reason.empty()) throw std::invalid_argument(reason);
}

inline bool whole_words(const void* base) {
  return reinterpret_cast<std::uintptr_t>(base) % 4 == 0;
}

// Whether places among so many, and as many beyond either end, can be an int.
inline bool few(std::int64_t count) { return count >= 0 && count < std::int64_t{1} << 30; }

// What every call checks, before any CUDA.
template <typename T>
void check_bilstm(const BiLstm<T>& a, const BiLstmLimits& device) {
  demand(a.count == 1 || a.count == kMaxSequences, "count",
         "be 1 or 2, got " + std::to_string(a.count));
  demand(a.batch >= 0, "batch", "not be negative, got " + std::to_string(a.batch));
  for (int i = 0; i < a.count; ++i) {
    const BiLstmSequence<T>& s = a.sequences[i];
    const std::string of = "sequence " + std::to_string(i) + ": ";
    check_pack(sizeof(T), s.width, a.hidden, a.layers, device);
    demand(s.steps >= 1, of + "steps", "be at least 1, got " + std::to_string(s.steps));
    demand(whole_words(s.input.data) && s.input.batch_stride * sizeof(T) % 4 == 0 &&
               s.input.row_stride * sizeof(T) % 4 == 0,
           of + "input", "start at, and step by, multiples of 4 bytes");
    demand(few(2 * a.batch * s.steps * a.hidden) && few(a.batch * s.states.batch_stride) &&
               few(s.steps * s.states.row_stride),
           of + "batch and steps", "be fewer: 2^30 states are too many");
    demand(!s.lengths || s.length_bytes == 4 || s.length_bytes == 8, of + "length_bytes",
           "be 4 or 8, got " + std::to_string(s.length_bytes));
    demand(reinterpret_cast<std::uintptr_t>(s.weights) % 16 == 0, of + "weights",
           "start at a multiple of 16 bytes");
  }
}

}  // namespace gban::cuda
