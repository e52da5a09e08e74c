#include "align_pool.h"

#include <stdexcept>

namespace gban::tensorrt {
namespace {

using nvinfer1::DataType;

Signature align_pool_signature() {
  return {{{"speech", "BKD", Kind::values},
           {"text", "BLD", Kind::values},
           {"speech_lengths", "B", Kind::lengths},
           {"text_lengths", "B", Kind::lengths}},
          {{"a_s", "BD", Kind::values},
           {"a_t", "BD", Kind::values},
           {"speech_weights", "BK", Kind::values},
           {"text_weights", "BL", Kind::values},
           {"alpha", "BLK", Kind::values}},
          {},
          false,
          false,
          DataType::kFLOAT,
          "KL"};
}

AlignSizes align_sizes(const Sizes& s) { return {s['B'], s['K'], s['L'], s['D']}; }

template <typename T>
cuda::Workspace launcher_workspace(const Sizes& sizes) {
  cuda::Workspace w = cuda::align_pool_workspace<T>(align_sizes(sizes));
  w.bytes = (w.bytes + 15) / 16 * 16;
  return w;
}

}  // namespace

AlignPool::AlignPool(std::string node)
    : Plugin("AlignPool", std::move(node), align_pool_signature()) {}

void AlignPool::check_device(const Sizes& sizes, DataType type) const {
  const std::int64_t D = sizes['D'];
  const bool fits =
      type == DataType::kHALF ? cuda::align_pool_fits<Half>(D) : cuda::align_pool_fits<float>(D);
  if (!fits)
    throw std::invalid_argument(
        "speech and text must have a D that is a multiple of 8 from 8 to 1024 and fits into this "
        "GPU's shared memory, got " +
        std::to_string(D) + " in " + type_name(type) +
        "; export the plain flavour for other sizes");
}

// The launcher's own, and after it the sums that it writes for a backward pass: [B, K] and [B, L].
cuda::Workspace AlignPool::workspace(const Sizes& sizes, DataType type) const {
  cuda::Workspace w =
      type == DataType::kHALF ? launcher_workspace<Half>(sizes) : launcher_workspace<float>(sizes);
  w.bytes += static_cast<std::size_t>(sizes['B'] * (sizes['K'] + sizes['L'])) * sizeof(float);
  return w;
}

template <typename T>
void AlignPool::run_as(const Call& call) const {
  const AlignSizes s = align_sizes(call.sizes);
  auto* sums = reinterpret_cast<float*>(static_cast<unsigned char*>(call.workspace) +
                                        launcher_workspace<T>(call.sizes).bytes);
  T* alpha = call.output<T>(4);
  clear_async(alpha, static_cast<std::size_t>(s.batch * s.words * s.steps) * sizeof(T),
              call.stream);
  const AlignForward<T> forward{s,
                                call.input<T>(0, s.steps, s.states),
                                call.input<T>(1, s.words, s.states),
                                static_cast<const std::int64_t*>(call.inputs[2]),
                                static_cast<const std::int64_t*>(call.inputs[3]),
                                call.output<T>(0),
                                call.output<T>(1),
                                call.output<T>(2),
                                call.output<T>(3),
                                sums,
                                sums + s.batch * s.steps,
                                alpha,
                                nullptr};
  cuda::align_pool_forward(forward, call.workspace, call.stream);
}

void AlignPool::run(const Call& call, DataType type) {
  type == DataType::kHALF ? run_as<Half>(call) : run_as<float>(call);
}

}  // namespace gban::tensorrt
