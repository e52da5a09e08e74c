// How the alignment is laid out over a GPU: tile sizes, blocks an utterance, shared memory.
// Plain C++, so that tests can plan for any GPU.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "alignment_forward.cuh"
#include "alignment_gradients.cuh"

namespace gban::cuda {

struct DeviceLimits {
  int processors;        // streaming multiprocessors
  int shared_block;      // bytes of shared memory a block may ask for
  int shared_processor;  // bytes a processor has for all its blocks
};

constexpr int kMaxGroups = 1024;
constexpr int kBlocksAProcessor = 2;   // what __launch_bounds__ leaves registers for
constexpr int kReservedShared = 1024;  // bytes that the system takes of each block's

struct ForwardPlan {
  int rows, columns;  // of a tile; 0: the states do not fit
  int blocks, groups;
  int e_stride;
  int shared;
  bool cooperative;
  std::size_t part_floats;

  bool fits() const { return rows != 0; }
};

template <typename T, int R, int C>
ForwardPlan plan_forward_tiles(const AlignSizes& s, const DeviceLimits& device) {
  const int D = static_cast<int>(s.states);
  const std::int64_t tiles = (s.steps + R - 1) / R;
  const auto bytes = [&](std::int64_t e_stride, std::int64_t own) {
    return ForwardShared<T, R, C>::of(D, static_cast<int>(e_stride), static_cast<int>(own)).end;
  };
  const auto resident_blocks = [&](int shared) {
    const int a_processor = device.shared_processor / (shared + kReservedShared);
    return device.processors * std::min(kBlocksAProcessor, std::max(1, a_processor));
  };
  const int streamed = bytes(0, 0);
  if (streamed > device.shared_block) return {};
  ForwardPlan plan{R, C, 1, 1, 0, streamed, false, 0};

  // Keep E where one tile's fits into what is left; the bound on L keeps the sum below in an int.
  const std::int64_t stride = (s.words + C - 1) / C * C + kScorePad;
  const std::int64_t own = tiles == 1 ? 2 * s.words : 0;
  const bool keeps = s.words <= 16384 && bytes(stride, own) <= device.shared_block &&
                     tiles <= resident_blocks(bytes(stride, own));
  if (keeps) {
    plan.e_stride = static_cast<int>(stride);
    plan.shared = bytes(stride, own);
  }
  const int most = resident_blocks(plan.shared);
  const std::int64_t batch = std::max<std::int64_t>(s.batch, 1);
  plan.blocks =
      static_cast<int>(keeps ? tiles : std::min(tiles, std::max<std::int64_t>(1, most / batch)));
  plan.cooperative = plan.blocks > 1;
  const std::int64_t groups = plan.cooperative ? std::max(1, most / plan.blocks)
                              : keeps          ? batch
                                               : 4 * most;
  plan.groups = static_cast<int>(std::min<std::int64_t>(
      {batch, groups, plan.cooperative ? std::int64_t{kMaxGroups} : std::int64_t{1} << 30}));
  if (plan.cooperative || !keeps)
    plan.part_floats = static_cast<std::size_t>(2) * plan.groups * plan.blocks *
                       static_cast<std::size_t>(2 * s.words + s.states);
  return plan;
}

// The largest tiles whose rows fit. Larger tiles read the words less often.
template <typename T>
ForwardPlan plan_forward(const AlignSizes& s, const DeviceLimits& device) {
  const std::int64_t bytes = s.states * static_cast<std::int64_t>(sizeof(T));
  ForwardPlan plan{};
  if (bytes <= 1024) plan = plan_forward_tiles<T, 64, 32>(s, device);
  if (!plan.fits() && bytes <= 2048) plan = plan_forward_tiles<T, 32, 16>(s, device);
  if (!plan.fits()) plan = plan_forward_tiles<T, 16, 16>(s, device);
  return plan;
}

struct BackwardPlan {
  int rows, columns;  // 0: the states do not fit
  int pieces;         // NT of align_gradients
  int shared;

  bool fits() const { return rows != 0; }
};

template <typename T, int R, int C>
BackwardPlan plan_backward_tiles(int D, int pieces, const DeviceLimits& device) {
  const int shared = BackwardShared<T, R, C>::of(D).end;
  return shared <= device.shared_block ? BackwardPlan{R, C, pieces, shared} : BackwardPlan{};
}

template <typename T>
BackwardPlan plan_backward(std::int64_t states, const DeviceLimits& device) {
  const int D = static_cast<int>(states), pieces = D <= 256 ? 4 : D <= 512 ? 8 : 16;
  const bool wide = D * static_cast<int>(sizeof(T)) <= 1024;
  BackwardPlan plan{};
  if (wide && pieces <= 8) plan = plan_backward_tiles<T, 32, 32>(D, pieces, device);
  if (!plan.fits() && sizeof(T) == 4 && pieces == 8)
    plan = plan_backward_tiles<T, 32, 16>(D, pieces, device);
  if (!plan.fits()) plan = plan_backward_tiles<T, 16, 16>(D, pieces, device);
  return plan;
}

inline void require(bool holds, const char* name, const std::string& wanted) {
  if (!holds) throw std::invalid_argument(std::string(name) + " must " + wanted);
}

// Base and strides of rows that are copied 16 bytes at a time.
template <typename T>
void require_aligned(const char* name, const Rows<const T>& rows) {
  constexpr std::int64_t chunk = 16 / sizeof(T);
  require(reinterpret_cast<std::uintptr_t>(rows.data) % 16 == 0 && rows.batch_stride % chunk == 0 &&
              rows.row_stride % chunk == 0,
          name, "start at, and step by, multiples of 16 bytes");
}

template <typename Arguments>
void require_layout(const Arguments& a) {
  require(a.sizes.states % 8 == 0 && a.sizes.states >= 8 && a.sizes.states <= kMaxStates, "states",
          "be a multiple of 8 from 8 to 1024 on a GPU, got " + std::to_string(a.sizes.states));
  require_aligned("speech", a.speech);
  require_aligned("text", a.text);
}

}  // namespace gban::cuda
