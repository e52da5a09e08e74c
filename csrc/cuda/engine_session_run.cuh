// What a session does: engine_session.cuh's second half. Included by it alone.
#pragma once

namespace gban::cuda {

template <typename T>
BiLstm<T> Session<T>::lstm(const Bucket& bucket) const {
  const auto sequence = [&](std::int64_t steps, std::int64_t width, const T* input,
                            const int* lengths, const void* weights, T* states, float* last) {
    const std::int64_t D = config_.states();
    return BiLstmSequence<T>{steps,
                             width,
                             {input, steps * width, width},
                             lengths,
                             static_cast<int>(sizeof(int)),
                             weights,
                             {states, steps * D, D},
                             last};
  };
  return {bucket.batch,
          config_.hidden,
          config_.lstm_layers,
          2,
          {sequence(config_.speech_steps(bucket.frames), config_.conv_filters.back(), encode_.x_s,
                    run_->steps, speech_lstm_, speech_states_, speech_last_),
           sequence(config_.text_steps(bucket.words), config_.text_width(), encode_.x_t,
                    run_->text_steps, text_lstm_, text_states_, text_last_)}};
}

template <typename T>
void Session<T>::launch_encode(const Bucket& bucket) {
  const std::int64_t steps = config_.speech_steps(bucket.frames);
  const std::int64_t text_steps = config_.text_steps(bucket.words);
  const EncodePlan plan =
      plan_encode(config_, steps, text_steps, bucket.batch, has_table_, device_.processors);
  EncodeParams<T> p = encode_;
  p.speech.frames_limit = plan.speech.frames_limit;
  p.speech.block_steps = plan.speech.block_steps;
  p.speech.blocks = plan.speech.blocks;
  p.speech.ping = plan.speech.ping;
  p.speech.pong = plan.speech.pong;
  p.steps_limit = static_cast<int>(steps);
  p.text_limit = static_cast<int>(text_steps);
  const dim3 grid(static_cast<unsigned>(plan.speech.blocks + plan.text_blocks),
                  static_cast<unsigned>(bucket.batch));
  launch(encode<T>, grid, kEncodeThreads, static_cast<std::size_t>(plan.shared), stream_.stream,
         false, p);
}

template <typename T>
void Session<T>::launch_head(const Bucket& bucket) {
  HeadParams<T> p = head_;
  p.run = run_;
  p.speech = speech_states_;
  p.text = text_states_;
  p.last_speech = speech_last_;
  p.last_text = text_last_;
  const HeadSizes sizes = head_sizes(config_, bucket.frames, bucket.words);
  p.steps_limit = sizes.steps;
  p.text_limit = sizes.text_steps;
  p.D = sizes.D;
  p.F = sizes.F;
  p.classifier = sizes.classifier;
  p.C = sizes.C;
  p.temperature = temperature_;
  const dim3 grid(kHeadBlocks, static_cast<unsigned>(bucket.batch));
  with_tile(tiles_.rows, [&](auto tile) {
    constexpr int R = decltype(tile)::rows, C = decltype(tile)::columns;
    const int shared = head_shared<T, R, C>(sizes);
    launch(head<T, R, C>, grid, kThreads, static_cast<std::size_t>(shared), stream_.stream, false,
           p, "launch_head");
  });
}

template <typename T>
const Graph& Session<T>::graph(const Bucket& bucket) {
  const auto found = graphs_.find(bucket);
  if (found != graphs_.end()) return found->second;
  const auto stream = reinterpret_cast<StreamHandle>(stream_.stream);
  Graph made = capture(stream_.stream, [&] {
    launch_encode(bucket);
    bilstm_project(lstm(bucket), lstm_workspace_, stream);
    bilstm_recur(lstm(bucket), lstm_workspace_, stream);
    launch_head(bucket);
  });
  return graphs_.emplace(bucket, std::move(made)).first->second;
}

template <typename T>
void Session<T>::write_input(int b, const EngineInput& input, bool alpha) {
  const std::int64_t words = std::max<std::int64_t>(input.word_count, 1);
  header_->lengths[b] = {static_cast<int>(input.frames), static_cast<int>(words),
                         static_cast<int>(config_.speech_steps(input.frames)),
                         static_cast<int>(config_.text_steps(words))};
  header_->alpha[b] = alpha;
  std::copy_n(input.features, input.frames * config_.features,
              features_ + b * kMostFrames * config_.features);
  int* ids = words_ + b * kMostWords;
  *ids = kUnknownId;
  std::copy_n(input.words, input.word_count, ids);
}

template <typename T>
void Session<T>::wait(unsigned sequence) const {
  const auto arrived = [&] { return __atomic_load_n(flag_, __ATOMIC_ACQUIRE) == sequence; };
  if (options_.wait == CudaWait::block) sleeper_.wait(stream_.stream);
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kPatience{1};  // then ask whether the device still lives
  auto asked = Clock::now();
  for (unsigned turn = 1; !arrived(); ++turn) {
    if (turn % 256 != 0 || Clock::now() - asked < kPatience) continue;
    if (idle(stream_.stream) && !arrived())
      throw Failure("the graph ended without a result", false);
    asked = Clock::now();
  }
}

template <typename T>
void Session<T>::read_output(int b, const EngineOutput& output) const {
  const ResultLayout& at = head_.layout;
  const float* result = results_ + static_cast<std::int64_t>(b) * at.floats;
  const Lengths& n = header_->lengths[b];
  const auto copy = [&](float* to, int from, std::int64_t count) {
    if (to) std::copy_n(result + from, count, to);
  };
  copy(output.logits, at.logits, config_.classes);
  copy(output.probabilities, at.probabilities, config_.classes);
  copy(output.aligned_gate, at.aligned_gate, config_.fusion);
  copy(output.last_gate, at.last_gate, config_.fusion);
  copy(output.speech_weights, at.speech_weights, n.steps);
  copy(output.text_weights, at.text_weights, n.text_steps);
  copy(output.alpha, at.alpha, static_cast<std::int64_t>(n.steps) * n.text_steps);
}

template <typename T>
void Session<T>::run(const EngineInput* inputs, const EngineOutput* outputs, int count) {
  std::int64_t frames = 0, words = 0;
  for (int b = 0; b < count; ++b) {
    frames = std::max(frames, inputs[b].frames);
    words = std::max(words, inputs[b].word_count);
  }
  const Graph& captured = graph(bucket_for(frames, words, count));
  for (int b = 0; b < count; ++b) write_input(b, inputs[b], outputs[b].alpha != nullptr);
  for (int b = count; b < kMostBatch; ++b) header_->lengths[b] = {};
  const unsigned sequence = ++header_->sequence;
  captured.launch(stream_.stream);
  try {
    wait(sequence);
  } catch (const Failure& failure) {  // the graph may still run: whatever it was, it is for good
    throw Failure(failure.what(), false);
  }
  for (int b = 0; b < count; ++b) read_output(b, outputs[b]);
}

}  // namespace gban::cuda
