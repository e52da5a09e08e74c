// From arguments to kernels: checks, the choice of instantiation, the launches.
#pragma once

#include "alignment_plan.h"

namespace gban::cuda {

constexpr std::size_t kCounterBytes = kMaxGroups * 3 * sizeof(unsigned);

template <typename T>
Workspace forward_workspace(const AlignSizes& sizes, const DeviceLimits& device) {
  const ForwardPlan plan = plan_forward<T>(sizes, device);
  return {kCounterBytes, kCounterBytes + plan.part_floats * sizeof(float)};
}

template <typename T, int R, int C>
void launch_forward_tiles(const ForwardParams<T>& params, const ForwardPlan& plan, Stream stream) {
  const dim3 grid(static_cast<unsigned>(plan.groups) * static_cast<unsigned>(plan.blocks));
  launch(align_forward<T, R, C>, grid, kThreads, static_cast<std::size_t>(plan.shared), stream,
         plan.cooperative, params);
}

template <typename T>
void launch_forward(const AlignForward<T>& a, void* workspace, const DeviceLimits& device,
                    Stream stream) {
  require_layout(a);
  if (a.sizes.batch == 0) return;
  const ForwardPlan plan = plan_forward<T>(a.sizes, device);
  require(plan.fits(), "states", "fit into this GPU's shared memory: use fewer, or float16");
  auto* counters = static_cast<unsigned*>(workspace);
  auto* parts = reinterpret_cast<float*>(static_cast<char*>(workspace) + kCounterBytes);
  const ForwardParams<T> params{a, counters, parts, plan.groups, plan.blocks, plan.e_stride};
  if (plan.rows == 64)
    launch_forward_tiles<T, 64, 32>(params, plan, stream);
  else if (plan.rows == 32)
    launch_forward_tiles<T, 32, 16>(params, plan, stream);
  else
    launch_forward_tiles<T, 16, 16>(params, plan, stream);
}

template <typename T, int R, int C, int NT>
void launch_backward_tiles(BackwardParams<T> params, const BackwardPlan& plan, Stream stream) {
  params.speech.tiles = static_cast<int>((params.speech.limit + R - 1) / R);
  params.text.tiles = static_cast<int>((params.text.limit + R - 1) / R);
  const auto blocks = params.batch * (params.speech.tiles + params.text.tiles);
  require(blocks <= 0x7FFFFFFF, "batch", "be smaller: a launch holds at most 2^31 - 1 blocks");
  const dim3 grid(static_cast<unsigned>(blocks));
  const auto shared = static_cast<std::size_t>(plan.shared);
  launch(align_row_sums<T, R, C>, grid, kThreads, shared, stream, false, params);
  launch(align_gradients<T, R, C, NT>, grid, kThreads, shared, stream, false, params);
}

template <typename T>
BackwardParams<T> backward_params(const AlignBackward<T>& a, float* scratch) {
  const AlignSizes& s = a.sizes;
  const Side<T> speech{a.speech,      a.speech_lengths,  s.steps,
                       a.speech_sums, a.d_pooled_speech, a.d_speech_weights,
                       a.d_speech,    scratch,           0};
  const Side<T> text{a.text,
                     a.text_lengths,
                     s.words,
                     a.text_sums,
                     a.d_pooled_text,
                     a.d_text_weights,
                     a.d_text,
                     scratch + 3 * s.batch * s.steps,
                     0};
  return {speech, text, s.batch, static_cast<int>(s.states)};
}

template <typename T>
void launch_backward(const AlignBackward<T>& a, float* scratch, const DeviceLimits& device,
                     Stream stream) {
  require_layout(a);
  if (a.sizes.batch == 0) return;
  const BackwardPlan plan = plan_backward<T>(a.sizes.states, device);
  require(plan.fits(), "states", "fit into this GPU's shared memory: use fewer, or float16");
  const BackwardParams<T> params = backward_params(a, scratch);
  if (plan.rows == 32 && plan.pieces == 4)
    return launch_backward_tiles<T, 32, 32, 4>(params, plan, stream);
  if constexpr (sizeof(T) == 4) {
    if (plan.rows == 32) return launch_backward_tiles<T, 32, 16, 8>(params, plan, stream);
    if (plan.pieces == 8) return launch_backward_tiles<T, 16, 16, 8>(params, plan, stream);
  } else if (plan.rows == 32) {
    return launch_backward_tiles<T, 32, 32, 8>(params, plan, stream);
  }
  launch_backward_tiles<T, 16, 16, 16>(params, plan, stream);
}

}  // namespace gban::cuda
