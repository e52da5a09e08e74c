#include "bilstm_weights.h"

#include <stdexcept>

#include "gban/bilstm_cuda.h"

namespace gban::tensorrt {
namespace {

using nvinfer1::PluginField;
using nvinfer1::PluginFieldType;

constexpr const char* kHidden = "hidden_size";
constexpr const char* kNames[2][3] = {{"speech_W", "speech_R", "speech_B"},
                                      {"text_W", "text_R", "text_B"}};

std::string type_of(const Numbers& numbers) {
  return numbers.type == PluginFieldType::kFLOAT16 ? "float16" : "float32";
}

void check_length(const char* name, const Numbers& numbers, std::int64_t wanted,
                  const std::string& shape) {
  if (numbers.size() != wanted)
    throw std::invalid_argument("field " + std::string(name) + " must hold " +
                                std::to_string(wanted) + " numbers, " + shape + ", got " +
                                std::to_string(numbers.size()));
}

// Throws where hidden units or a width have no kernel, on any GPU.
void check_kernel(const char* field, bool half, std::int64_t width, std::int64_t hidden) {
  try {
    half ? cuda::bilstm_packed_bytes<Half>(width, hidden, 1)
         : cuda::bilstm_packed_bytes<float>(width, hidden, 1);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("field " + std::string(field) + ": " + error.what() +
                                ", or the plain ONNX flavour");
  }
}

SequenceWeights read_sequence(const Fields& fields, const char* const (&names)[3], std::int64_t H) {
  SequenceWeights s{fields.numbers(names[0]), fields.numbers(names[1]), fields.numbers(names[2]),
                    0};
  const std::int64_t rows = 2 * 4 * H;
  if (s.w.size() % rows != 0)
    throw std::invalid_argument("field " + std::string(names[0]) + " must hold a multiple of " +
                                std::to_string(rows) + " numbers, [2, 4 hidden_size, width], got " +
                                std::to_string(s.w.size()));
  s.width = s.w.size() / rows;
  check_length(names[1], s.r, rows * H, "[2, 4 hidden_size, hidden_size]");
  check_length(names[2], s.b, 2 * rows, "[2, 8 hidden_size]");
  check_kernel(names[0], s.w.type == PluginFieldType::kFLOAT16, s.width, H);
  return s;
}

// Blocks of gates from ONNX's order i, o, f, c to torch's i, f, g, o, g being c's other name.
std::vector<float> torch_gates(const Numbers& from, std::int64_t begin, std::int64_t block) {
  constexpr int kOnnxGate[] = {0, 2, 3, 1};
  std::vector<float> to;
  for (int gate : kOnnxGate) {
    const std::vector<float> rows = from.floats(begin + gate * block, block);
    to.insert(to.end(), rows.begin(), rows.end());
  }
  return to;
}

}  // namespace

BiLstmWeights::BiLstmWeights(const nvinfer1::PluginFieldCollection* given) {
  const Fields fields(given, {kHidden, kNames[0][0], kNames[0][1], kNames[0][2], kNames[1][0],
                              kNames[1][1], kNames[1][2]});
  hidden_ = fields.integer(kHidden);
  hidden_field_ = static_cast<std::int32_t>(hidden_);
  check_kernel(kHidden, false, 4, hidden_);
  for (int i = 0; i < 2; ++i) sequences_[i] = read_sequence(fields, kNames[i], hidden_);
  fields_.push_back({kHidden, &hidden_field_, PluginFieldType::kINT32, 1});
  for (int i = 0; i < 2; ++i) {
    const Numbers* const all[] = {&sequences_[i].w, &sequences_[i].r, &sequences_[i].b};
    for (int n = 0; n < 3; ++n) {
      if (all[n]->type != sequences_[0].w.type)
        throw std::invalid_argument("field " + std::string(kNames[i][n]) + " must be " +
                                    type_of(sequences_[0].w) + " as " + kNames[0][0] + " is, got " +
                                    type_of(*all[n]));
      fields_.push_back(all[n]->field(kNames[i][n]));
    }
  }
  collection_.nbFields = static_cast<std::int32_t>(fields_.size());
  collection_.fields = fields_.data();
}

template <typename T>
DeviceMemory BiLstmWeights::packed(const SequenceWeights& s) const {
  const std::int64_t H = hidden_;
  std::vector<std::vector<float>> kept;
  cuda::LstmWeights directions[2];
  kept.reserve(8);
  for (int d = 0; d < 2; ++d) {
    kept.push_back(torch_gates(s.w, d * 4 * H * s.width, H * s.width));
    kept.push_back(torch_gates(s.r, d * 4 * H * H, H * H));
    kept.push_back(torch_gates(s.b, d * 8 * H, H));
    kept.push_back(torch_gates(s.b, d * 8 * H + 4 * H, H));
    const auto* all = &kept[4 * d];
    directions[d] = {all[0].data(), all[1].data(), all[2].data(), all[3].data()};
  }
  std::vector<unsigned char> host(cuda::bilstm_packed_bytes<T>(s.width, H, 1));
  cuda::bilstm_pack<T>(directions, s.width, H, 1, host.data());
  DeviceMemory memory(host.size());
  memory.upload(host.data(), host.size());
  return memory;
}

const BiLstmWeights::OnDevice& BiLstmWeights::on_device() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const int device = current_device();
  const auto found = devices_.find(device);
  if (found != devices_.end()) return found->second;
  OnDevice made;
  for (int i = 0; i < 2; ++i)
    made.sequences[i] = half() ? packed<Half>(sequences_[i]) : packed<float>(sequences_[i]);
  return devices_.emplace(device, std::move(made)).first->second;
}

const nvinfer1::PluginFieldCollection* bilstm_field_names() {
  static const std::vector<PluginField> names = [] {
    std::vector<PluginField> all = {{kHidden, nullptr, PluginFieldType::kINT32, 1}};
    for (const auto& sequence : kNames)
      for (const char* name : sequence)
        all.push_back({name, nullptr, PluginFieldType::kFLOAT32, 1});
    return all;
  }();
  static const nvinfer1::PluginFieldCollection collection{static_cast<std::int32_t>(names.size()),
                                                          names.data()};
  return &collection;
}

}  // namespace gban::tensorrt
