// From arguments to kernels: checks, the choice of instantiation, the launches.
#pragma once

#include "bilstm_recur.cuh"

namespace gban::cuda {

template <typename T>
Workspace plan_workspace(const BiLstm<T>& a, const BiLstmLimits& device) {
  plan_bilstm(a, device);  // refuses what has no kernel
  const BiLstmMemory m = bilstm_memory(a, device);
  return {m.counter_bytes, m.bytes};
}

template <typename T>
int project_blocks(const BiLstm<T>& a, int sequence) {
  const std::int64_t tiles = (a.sequences[sequence].steps + kProjectColumns - 1) / kProjectColumns;
  const std::int64_t blocks = a.batch * tiles * 2 * (a.hidden / kGroupUnits);
  demand(blocks <= 0x3FFFFFFF, "batch", "be smaller: a launch holds at most 2^31 - 1 blocks");
  return static_cast<int>(blocks);
}

template <typename T>
void launch_project(const BiLstm<T>& a, void* workspace, const BiLstmLimits& device,
                    Stream stream) {
  check_bilstm(a, device);
  if (a.batch == 0) return;
  plan_bilstm(a, device);
  const BiLstmMemory m = bilstm_memory(a, device);
  auto* memory = static_cast<unsigned char*>(workspace);
  ProjectParams<T> params{a, {}, project_blocks(a, 0)};
  int blocks = params.first_of_second;
  if (a.count == 2) blocks += project_blocks(a, 1);
  for (int i = 0; i < a.count; ++i)
    params.projected[i] = reinterpret_cast<float*>(memory + m.projected[i]);
  launch(lstm_project<T>, dim3(static_cast<unsigned>(blocks)), kProjectThreads, kProjectShared,
         stream, false, params);
}

template <typename T, int H>
void launch_recur_of(const RecurParams<T>& params, const BiLstmPlan& plan, Stream stream) {
  const dim3 grid(static_cast<unsigned>(plan.crews * plan.crew_blocks()));
  const auto shared = static_cast<std::size_t>(plan.shared);
  launch(plan.columns == 1 ? lstm_recur<T, H, 1> : lstm_recur<T, H, kMostColumns>, grid,
         plan.division.threads, shared, stream, plan.cooperative, params, "bilstm_recur");
}

template <typename T>
void launch_recur(const BiLstm<T>& a, void* workspace, const BiLstmLimits& device, Stream stream) {
  check_bilstm(a, device);
  if (a.batch == 0) return;
  const BiLstmPlan plan = plan_bilstm(a, device);
  const BiLstmMemory m = bilstm_memory(a, device);
  auto* memory = static_cast<unsigned char*>(workspace);
  RecurParams<T> params{a,
                        {},
                        {},
                        reinterpret_cast<unsigned*>(memory + m.tags),
                        reinterpret_cast<unsigned*>(memory + m.barriers),
                        reinterpret_cast<std::uint64_t*>(memory + m.words),
                        plan.crews,
                        plan.directions};
  for (int i = 0; i < a.count; ++i) {
    params.projected[i] = reinterpret_cast<float*>(memory + m.projected[i]);
    for (int turn = 0; turn < 2; ++turn)
      params.between[i][turn] = reinterpret_cast<T*>(memory + m.between[i][turn]);
  }
#if defined(GBAN_SHIM)
  if (a.hidden == 32) return launch_recur_of<T, 32>(params, plan, stream);
  if (a.hidden == 64) return launch_recur_of<T, 64>(params, plan, stream);
#endif
  if (a.hidden == 128) return launch_recur_of<T, 128>(params, plan, stream);
  launch_recur_of<T, 256>(params, plan, stream);
}

}  // namespace gban::cuda
