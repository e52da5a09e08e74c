#include "utterance.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "alignment_simd.h"

namespace gban {
namespace {

// Adds to a stage's clock, where that is on, for its own lifetime.
class Measured {
 public:
  Measured(StageClock& clock, Stage stage) : clock_(clock), stage_(stage) {
    on_ = clock.on.load(std::memory_order_relaxed);
    if (on_) begin_ = std::chrono::steady_clock::now();
  }
  ~Measured() {
    if (!on_) return;
    const auto taken = std::chrono::steady_clock::now() - begin_;
    clock_.nanoseconds[stage_] +=
        std::chrono::duration_cast<std::chrono::nanoseconds>(taken).count();
  }

 private:
  StageClock& clock_;
  const Stage stage_;
  bool on_;
  std::chrono::steady_clock::time_point begin_;
};

std::int64_t rounded_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

void put(const float* from, std::int64_t n, float* to) {
  if (to) std::copy_n(from, n, to);
}

}  // namespace

const char* stage_name(int stage) {
  static const char* const names[kStages] = {"speech convolutions", "text convolutions",
                                             "input projections",   "recurrence",
                                             "alignment",           "fusion and classifier"};
  return names[stage];
}

void UtteranceRun::lay_out(Arena& arena, Modality& m, const BiLstm& lstm, std::int64_t width) {
  const std::int64_t D = network_.config.states(), layers = static_cast<std::int64_t>(lstm.size());
  const Matrix& hidden = lstm[0][0].hidden.view();
  const bool quantised = hidden.storage == Storage::int8 || hidden.storage == Storage::int16;
  m.x = arena.take<float>(m.steps * width);
  m.states[0] = arena.take<float>(m.steps * D);
  m.states[1] = layers > 1 ? arena.take<float>(m.steps * D) : nullptr;
  const std::int64_t widest = rounded_up(layers > 1 ? std::max(width, D) : width, hidden.deep);
  for (DirectionScratch& d : m.direction) {
    d.projected = arena.take<float>(m.steps * hidden.padded_rows());
    d.cells = arena.take<float>(rounded_up(hidden.depth, kernels_.shape.lanes));
    d.quantised = quantised
                      ? arena.take<std::int16_t>(m.steps * widest + hidden.padded_depth() + 64)
                      : nullptr;
    d.row_scales = quantised ? arena.take<float>(m.steps) : nullptr;
  }
}

void UtteranceRun::lay_out(Arena& arena) {
  const Config& c = network_.config;
  const TextWeights& text = network_.text;
  const std::int64_t lanes = kernels_.shape.lanes, D = c.states();
  if (network_.has_speech) {
    lay_out(arena, speech_, network_.speech.lstm, c.conv_filters.back());
    std::int64_t steps = frames_, most = frames_ * c.features, row = 0, deepest = 0;
    for (const PackedMatrix& taps : network_.speech.taps) {
      steps = (steps - c.conv_kernel + 1) / 2;
      most = std::max(most, steps * taps.view().rows / c.conv_kernel);
      row = std::max(row, taps.view().padded_rows());
      deepest = std::max(deepest, taps.view().padded_depth());
    }
    for (float*& memory : convolved_) memory = arena.take<float>(most);
    const std::int64_t rows = 2 * kPooledAtOnce + c.conv_kernel - 1;
    convolution_ = {arena.take<float>(rows * row + 64),
                    arena.take<std::int16_t>(rows * deepest + 64), arena.take<float>(rows)};
  }
  if (network_.has_text) {
    lay_out(arena, text_, text.lstm, c.text_width());
    tap_rows_ = arena.take<const float*>(words_ + 2 * text.reach);
    if (text.table.size() == 0) {
      tap_memory_ = arena.take<float>((words_ + 1) * text.row);
      word_vectors_ = arena.take<float>(words_ * c.embedding);
    }
  }
  vectors_ = arena.take<float>(4 * D);
  const std::int64_t fusion = rounded_up(c.fusion, lanes);
  for (float*& gate : gates_) gate = arena.take<float>(fusion);
  projections_ = arena.take<float>(2 * fusion);
  h_ = arena.take<float>(rounded_up(std::max(network_.width(), c.fusion), lanes));
  hidden_ = arena.take<float>(rounded_up(c.classifier, lanes));
  logits_ = arena.take<float>(rounded_up(c.classes, lanes));
  if (!network_.aligned) return;
  alignment_ = arena.take<float>(scratch_floats(speech_.steps, text_.steps));
  weights_ = arena.take<float>(2 * (speech_.steps + text_.steps + 8));
}

void UtteranceRun::begin(const EngineInput& input, const EngineOutput& output) {
  static const std::int32_t kNoWords[] = {1};  // <unk>
  in_ = input;
  out_ = output;
  if (in_.word_count == 0) in_.words = kNoWords;
  words_ = std::max<std::int64_t>(in_.word_count, 1);
  frames_ = std::max(in_.frames, network_.config.receptive_field());
  speech_.steps = network_.config.speech_steps(in_.frames);
  text_.steps = network_.config.text_steps(words_);
  arena_.fit([this](Arena& arena) { lay_out(arena); });
}

void UtteranceRun::encode(std::int64_t modality) {
  if (modality == 0 && network_.has_speech) encode_speech();
  if (modality == 1 && network_.has_text) encode_text();
}

void UtteranceRun::encode_speech() {
  const Measured measured(clock_, kConvolutions);
  const Config& c = network_.config;
  const SpeechWeights& w = network_.speech;
  kernels_.standardise(in_.features, w.mean.data(), w.scale.data(), in_.frames, c.features,
                       convolved_[0]);
  std::fill(convolved_[0] + in_.frames * c.features, convolved_[0] + frames_ * c.features, 0.0f);
  std::int64_t steps = frames_;
  for (std::size_t i = 0; i < w.taps.size(); ++i) {
    const bool last = i + 1 == w.taps.size();
    steps = (steps - c.conv_kernel + 1) / 2;
    kernels_.convolve({&w.taps[i].view(), w.bias[i].data(), c.conv_kernel, c.conv_filters[i]},
                      convolved_[i % 2], steps, last ? speech_.x : convolved_[(i + 1) % 2],
                      convolution_);
  }
}

// A row of taps for every word, and <pad>'s on either side, which is zero.
void UtteranceRun::look_up_words() {
  const Config& c = network_.config;
  const TextWeights& w = network_.text;
  const bool table = w.table.size() != 0;
  const float* zero = w.table.data();
  if (!table) {
    for (std::int64_t m = 0; m < words_; ++m)
      std::copy_n(w.embedding.data() + in_.words[m] * c.embedding, c.embedding,
                  word_vectors_ + m * c.embedding);
    kernels_.product(w.taps.view(), word_vectors_, c.embedding, words_, tap_memory_, w.row, nullptr,
                     nullptr);
    std::fill_n(tap_memory_ + words_ * w.row, w.row, 0.0f);
    zero = tap_memory_ + words_ * w.row;
  }
  for (std::int64_t i = 0; i < words_ + 2 * w.reach; ++i) {
    const std::int64_t m = i - w.reach;
    const bool inside = m >= 0 && m < words_;
    tap_rows_[i] = !inside ? zero
                   : table ? w.table.data() + in_.words[m] * w.row
                           : tap_memory_ + m * w.row;
  }
}

void UtteranceRun::encode_text() {
  const Measured measured(clock_, kText);
  const Config& c = network_.config;
  look_up_words();
  const TextTaps taps = {tap_rows_, words_, network_.text.reach};
  std::int64_t first = 0;
  for (std::size_t i = 0; i < c.text_kernels.size(); ++i) {
    const std::int64_t column = static_cast<std::int64_t>(i) * c.text_filters;
    kernels_.text_convolve(taps, c.text_kernels[i], first, c.text_filters,
                           network_.text.bias.data() + column, text_.x + column, c.text_width());
    first += c.text_kernels[i] * c.text_filters;
  }
}

void UtteranceRun::recur(std::int64_t layer, std::int64_t job) {
  const bool is_text = job >= 2;
  if (is_text ? !network_.has_text : !network_.has_speech) return;
  const BiLstm& lstm = is_text ? network_.text.lstm : network_.speech.lstm;
  const Modality& m = is_text ? text_ : speech_;
  const LstmDirection& w = lstm[layer][job % 2];
  const DirectionScratch& d = m.direction[job % 2];
  const Matrix& input = w.input.view();
  const std::int64_t H = network_.config.hidden;
  {
    const Measured measured(clock_, kProjection);
    const float* const x = layer == 0 ? m.x : m.states[(layer + 1) % 2];
    kernels_.product(input, x, input.depth, m.steps, d.projected, input.padded_rows(), d.quantised,
                     d.row_scales);
  }
  const Measured measured(clock_, kRecurrence);
  kernels_.recur({&w.hidden.view(), d.projected, m.steps, H, job % 2 == 1,
                  m.states[layer % 2] + job % 2 * H, 2 * H, d.cells, d.quantised});
}

void UtteranceRun::align() {
  const Measured measured(clock_, kAlignment);
  const std::int64_t K = speech_.steps, L = text_.steps, D = network_.config.states();
  const std::int64_t layer = network_.config.lstm_layers - 1;
  // The kernel works in rows of four: a little room behind each.
  float* const speech_weights = weights_;
  float* const text_weights = speech_weights + K + 4;
  float* const speech_sums = text_weights + L + 4;
  float* const text_sums = speech_sums + K + 4;
  const Utterance u = {speech_.states[layer % 2], D, text_.states[layer % 2], D, K, L, D};
  current_align_kernels().forward(u,
                                  {vectors_, vectors_ + D, speech_weights, text_weights,
                                   speech_sums, text_sums, out_.alpha, K, nullptr, L},
                                  alignment_);
  put(speech_weights, K, out_.speech_weights);
  put(text_weights, L, out_.text_weights);
}

// Final states: forward's at the last step, backward's at the first.
static void last_state(const Modality& m, std::int64_t layer, std::int64_t H, float* out) {
  const float* const states = m.states[layer % 2];
  std::copy_n(states + (m.steps - 1) * 2 * H, H, out);
  std::copy_n(states + H, H, out + H);
}

void UtteranceRun::gated_pair(const GatedPairWeights& w, const float* pair, float* gate) {
  const std::int64_t D = network_.config.states(), fusion = network_.config.fusion;
  const std::int64_t padded = w.gate.view().padded_rows();
  float *const p = projections_, *const q = projections_ + padded;
  kernels_.product(w.speech.view(), pair, D, 1, p, padded, nullptr, nullptr);
  kernels_.product(w.text.view(), pair + D, D, 1, q, padded, nullptr, nullptr);
  kernels_.product(w.gate.view(), pair, 2 * D, 1, gate, padded, nullptr, nullptr);
  kernels_.gated_sum(gate, p, q, fusion, h_);
}

// flatten([a_s, 1] (outer) [a_t, 1])
const float* UtteranceRun::outer_product() {
  const std::int64_t D = network_.config.states();
  for (std::int64_t i = 0; i <= D; ++i) {
    const float row = i < D ? vectors_[i] : 1.0f;
    for (std::int64_t j = 0; j <= D; ++j)
      h_[i * (D + 1) + j] = row * (j < D ? vectors_[D + j] : 1.0f);
  }
  return h_;
}

const float* UtteranceRun::fuse() {
  const Config& c = network_.config;
  const std::int64_t D = c.states();
  if (network_.head == Head::outer) return outer_product();
  if (network_.head == Head::concatenation) return vectors_ + network_.slice_first * D;
  std::fill_n(h_, c.fusion, 0.0f);
  for (std::size_t i = 0; i < network_.pairs.size(); ++i)
    gated_pair(network_.pairs[i], vectors_ + static_cast<std::int64_t>(i) * 2 * D, gates_[i]);
  if (network_.pairs.size() == 2) {
    put(gates_[0], c.fusion, out_.aligned_gate);
    put(gates_[1], c.fusion, out_.last_gate);
  }
  return h_;
}

// Eqs. 22-23.
bool UtteranceRun::classify(const float* h) {
  const Config& c = network_.config;
  const Matrix &hidden = network_.hidden.view(), &output = network_.output.view();
  kernels_.product(hidden, h, hidden.depth, 1, hidden_, hidden.padded_rows(), nullptr, nullptr);
  kernels_.relu(hidden_, c.classifier);
  kernels_.product(output, hidden_, output.depth, 1, logits_, output.padded_rows(), nullptr,
                   nullptr);
  if (kernels_.first_not_finite(logits_, c.classes) >= 0) return false;
  put(logits_, c.classes, out_.logits);
  if (!out_.probabilities) return true;
  const float most = *std::max_element(logits_, logits_ + c.classes);
  double sum = 0;
  for (std::int64_t i = 0; i < c.classes; ++i)
    sum += std::exp((logits_[i] - most) / network_.temperature);
  for (std::int64_t i = 0; i < c.classes; ++i)
    out_.probabilities[i] =
        static_cast<float>(std::exp((logits_[i] - most) / network_.temperature) / sum);
  return true;
}

bool UtteranceRun::finish() {
  const Config& c = network_.config;
  const std::int64_t layer = c.lstm_layers - 1, D = c.states();
  if (network_.aligned) align();
  const Measured measured(clock_, kFusion);
  if (network_.has_speech) last_state(speech_, layer, c.hidden, vectors_ + 2 * D);
  if (network_.has_text) last_state(text_, layer, c.hidden, vectors_ + 3 * D);
  return classify(fuse());
}

bool UtteranceRun::run(const EngineInput& input, const EngineOutput& output) {
  begin(input, output);
  for (std::int64_t modality = 0; modality < 2; ++modality) encode(modality);
  for (std::int64_t layer = 0; layer < network_.config.lstm_layers; ++layer)
    for (std::int64_t job = 0; job < kDirections; ++job) recur(layer, job);
  return finish();
}

}  // namespace gban
