#include "bilstm.h"

#include <stdexcept>

#include "gban/bilstm_cuda.h"

namespace gban::tensorrt {
namespace {

using nvinfer1::DataType;

Signature bilstm_signature(const BiLstmWeights& weights) {
  Sizes constants;  // V and W are the widths of an input row, D = 2 H
  constants.set('V', weights.sequence(0).width);
  constants.set('W', weights.sequence(1).width);
  constants.set('D', 2 * weights.hidden());
  return {{{"speech", "BKV", Kind::values},
           {"speech_lengths", "B", Kind::lengths},
           {"text", "BLW", Kind::values},
           {"text_lengths", "B", Kind::lengths}},
          {{"speech_states", "BKD", Kind::values},
           {"speech_last", "BD", Kind::sums},
           {"text_states", "BLD", Kind::values},
           {"text_last", "BD", Kind::sums}},
          constants,
          true,
          true,
          weights.half() ? DataType::kHALF : DataType::kFLOAT,
          "KL"};
}

// As much of a call as its workspace depends on.
template <typename T>
cuda::BiLstm<T> sizes_of(const Sizes& s) {
  cuda::BiLstm<T> a{s['B'], s['D'] / 2, 1, 2, {}};
  a.sequences[0].steps = s['K'];
  a.sequences[0].width = s['V'];
  a.sequences[1].steps = s['L'];
  a.sequences[1].width = s['W'];
  return a;
}

}  // namespace

BiLstm::BiLstm(std::string node, std::shared_ptr<BiLstmWeights> weights)
    : Plugin("BiLSTM", std::move(node), bilstm_signature(*weights)), weights_(std::move(weights)) {}

void BiLstm::check_device(const Sizes&, DataType type) const {
  const std::int64_t H = weights_->hidden();
  const std::string reason =
      type == DataType::kHALF ? cuda::bilstm_refusal<Half>(H) : cuda::bilstm_refusal<float>(H);
  if (!reason.empty()) throw std::invalid_argument(reason + ", or the plain ONNX flavour");
}

cuda::Workspace BiLstm::workspace(const Sizes& sizes, DataType type) const {
  return type == DataType::kHALF ? cuda::bilstm_workspace(sizes_of<Half>(sizes))
                                 : cuda::bilstm_workspace(sizes_of<float>(sizes));
}

template <typename T>
void BiLstm::run_as(const Call& call) const {
  cuda::BiLstm<T> a = sizes_of<T>(call.sizes);
  const std::int64_t D = 2 * a.hidden;
  for (int i = 0; i < 2; ++i) {
    cuda::BiLstmSequence<T>& s = a.sequences[i];
    s.input = call.input<T>(2 * i, s.steps, s.width);
    s.lengths = call.inputs[2 * i + 1];
    s.length_bytes = call.in[2 * i + 1].type == DataType::kINT32 ? 4 : 8;
    s.weights = on_device_->sequences[i].get();
    s.states = {call.output<T>(2 * i), s.steps * D, D};
    s.last = call.output<float>(2 * i + 1);
  }
  cuda::bilstm_project(a, call.workspace, call.stream);
  cuda::bilstm_recur(a, call.workspace, call.stream);
}

void BiLstm::run(const Call& call, DataType type) {
  type == DataType::kHALF ? run_as<Half>(call) : run_as<float>(call);
}

}  // namespace gban::tensorrt
