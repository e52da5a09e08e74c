// How a session comes to be: engine_session.cuh's first half. Included by it alone.
#pragma once

namespace gban::cuda {

template <typename T>
Session<T>::Session(const Model& model, const CudaOptions& options, const DeviceLimits& device)
    : config_(model.config),
      options_(options),
      device_(device),
      tiles_(plan_head<T>(head_sizes(model.config, kMostFrames, kMostWords), device)),
      temperature_(static_cast<float>(model.temperature)),
      has_table_(static_cast<std::size_t>(table_values(model.config)) <=
                 options.table_bytes / sizeof(T)) {
  const std::string reason = bilstm_refusal<T>(config_.hidden);
  if (!reason.empty()) throw std::invalid_argument(reason);
  const EncodePlan encoders =
      plan_encode(config_, config_.speech_steps(kMostFrames), config_.text_steps(kMostWords),
                  kMostBatch, has_table_, device_.processors);
  require(tiles_.rows != 0 && encoders.shared <= device_.shared_block, "the network",
          "fit into this GPU's shared memory; use backend cpu");
  load(model);
  reserve_buffers();
}

template <typename T>
void Session<T>::load(const Model& model) {
  SpeechParams& speech = encode_.speech;
  speech = plan_convs(config_);
  speech.standard = upload_all(pack_standard(model));
  speech.filters = upload_all(pack_convs<T>(model, speech));
  TextParams<T>& text = encode_.text;
  text.words_limit = kMostWords;
  text.embedding = static_cast<int>(config_.embedding);
  text.filters = static_cast<int>(config_.text_filters);
  for (std::int64_t width : config_.text_kernels) {
    text.width[text.branches] = static_cast<int>(width);
    text.first_tap[text.branches++] = text.taps;
    text.taps += static_cast<int>(width);
  }
  text.bias = upload_all(text_bias(model));
  if (has_table_) {
    text.table = upload_all(make_table<T>(model));
  } else {
    const Tensor& vectors = model.weight("text.embedding.weight");
    const std::vector<float> filters = text_filters(model);
    text.vectors = upload_all(narrowed<T>(vectors.data, vectors.size()));
    text.weights =
        upload_all(narrowed<T>(filters.data(), static_cast<std::int64_t>(filters.size())));
  }
  speech_lstm_ = upload_all(pack_lstm<T>(model, "speech", config_.conv_filters.back()));
  text_lstm_ = upload_all(pack_lstm<T>(model, "text", config_.text_width()));
  const Tensor& bias = model.weight("classifier.output.bias");
  head_.fusion = upload_all(pack_fusion<T>(model));
  head_.hidden = upload_all(pack_padded<T>(model.weight("classifier.hidden.weight")));
  head_.output = upload_all(pack_padded<T>(model.weight("classifier.output.weight")));
  head_.bias = upload_all(std::vector<float>(bias.data, bias.data + bias.size()));
}

template <typename T>
ResultLayout Session<T>::result_layout() const {
  const int C = static_cast<int>(config_.classes), F = static_cast<int>(config_.fusion);
  const int K = static_cast<int>(config_.speech_steps(kMostFrames));
  const int L = static_cast<int>(config_.text_steps(kMostWords));
  const int gates = 2 * C, weights = gates + 2 * F, alpha = weights + K + L;
  return {0, C, gates, gates + F, weights, weights + K, alpha, round_up(alpha + K * L, 32)};
}

template <typename T>
void Session<T>::reserve_buffers() {
  const Config& c = config_;
  const std::int64_t B = kMostBatch, K = c.speech_steps(kMostFrames);
  const std::int64_t L = c.text_steps(kMostWords), D = c.states();
  float* features = nullptr;
  int* words = nullptr;
  EngineHeader* header = nullptr;
  header_ = reserve_mapped<EngineHeader>(1, &header);
  features_ = reserve_mapped<float>(B * kMostFrames * c.features, &features);
  words_ = reserve_mapped<int>(B * kMostWords, &words);
  head_.layout = result_layout();
  results_ = reserve_mapped<float>(B * head_.layout.floats, &head_.results);
  flag_ = reserve_mapped<unsigned>(1, &head_.flag);
  encode_.header = header;
  encode_.speech.features = features;
  encode_.text.words = words;
  encode_.run = run_ = reserve<EngineRun>(1);
  encode_.x_s = reserve<T>(B * K * c.conv_filters.back());
  encode_.x_t = reserve<T>(B * L * c.text_width());
  speech_states_ = reserve<T>(B * K * D);
  text_states_ = reserve<T>(B * L * D);
  speech_last_ = reserve<float>(B * D);
  text_last_ = reserve<float>(B * D);
  head_.fused = reserve<float>(B * c.fusion);
  head_.counters = reserve<unsigned>(B + 1);
  clear(head_.counters, (B + 1) * sizeof(unsigned));
  const Workspace w = bilstm_workspace(lstm({kMostFrames, kMostWords, kMostBatch}));
  lstm_workspace_ = reserve<unsigned char>(static_cast<std::int64_t>(w.bytes));
  clear(lstm_workspace_, w.counter_bytes);
}

}  // namespace gban::cuda
