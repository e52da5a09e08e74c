// From features and words to a Result.
#include <algorithm>
#include <cstdio>
#include <numeric>

#include "state.h"

namespace gban {
namespace {

double mean(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Makes room for n values, where they are wanted, and says where.
float* room(std::vector<float>& values, std::int64_t n, bool wanted) {
  values.resize(wanted ? static_cast<std::size_t>(n) : 0);
  return wanted ? values.data() : nullptr;
}

// What the caller should know about his input.
void note(const Ear& ear, std::size_t words, bool hears_words, std::vector<std::string>& notes) {
  notes.clear();
  char text[96];
  if (ear.pushed() == 0) notes.emplace_back("no sound");
  if (ear.pushed() > 0 && ear.rate() != kSampleRate)
    notes.push_back("resampled from " + std::to_string(ear.rate()) + " Hz");
  if (ear.pushed() > ear.heard()) {
    std::snprintf(text, sizeof text, "sound cut at 7.5 s of %.1f s",
                  static_cast<double>(ear.pushed()) / ear.rate());
    notes.emplace_back(text);
  }
  if (words == 0 && hears_words) notes.emplace_back("no words");
  if (words > kMaxWords)
    notes.push_back("words cut at " + std::to_string(kMaxWords) + " of " + std::to_string(words));
}

// The words, which are taken, beside the sound: alpha [L, K].
void align(const Config& c, const std::vector<float>& alpha, std::vector<std::string>& words,
           Result& result) {
  const auto count = words.size(), K = result.speech_weights.size();
  const double hop = static_cast<double>(kHop) / kSampleRate;
  const double stride = hop * static_cast<double>(std::int64_t{1} << c.conv_filters.size());
  const double field =
      hop * static_cast<double>(c.receptive_field() - 1) + static_cast<double>(kFft) / kSampleRate;
  result.alignment.resize(count);
  for (std::size_t m = 0; m < count; ++m) {
    const std::size_t l = m / 2, sharing = std::min<std::size_t>(2, count - 2 * l);
    const float* const row = alpha.data() + l * K;
    const double start = stride * static_cast<double>(std::max_element(row, row + K) - row);
    AlignedWord& word = result.alignment[m];
    word.word = std::move(words[m]);
    word.start = std::min(start, result.seconds);
    word.end = std::min(start + field, result.seconds);
    word.weight = static_cast<double>(result.text_weights[l]) / static_cast<double>(sharing);
  }
}

void decide(const Recognizer::State& owner, Result& result) {
  const auto greatest = std::max_element(result.probabilities.begin(), result.probabilities.end());
  result.index = greatest - result.probabilities.begin();
  result.abstained = *greatest < owner.abstain_below;
  if (result.abstained)
    result.label.clear();
  else
    result.label = owner.labels[static_cast<std::size_t>(result.index)];
}

}  // namespace

void Utterance::State::finish(const Recognizer::State& owner, const std::string& text,
                              Result& result) {
  std::vector<std::string> words = tokenize(text);
  note(ear, words.size(), owner.network.hears_words(), result.notes);
  words.resize(std::min(words.size(), static_cast<std::size_t>(kMaxWords)));
  ids.clear();
  for (const std::string& word : words) ids.push_back(owner.vocabulary.id(word));
  result.seconds = static_cast<double>(ear.heard()) / ear.rate();
  result.timings.features = ear.finish(features);

  const Config& c = owner.config;
  const EngineInput input = {features.data(),
                             static_cast<std::int64_t>(features.size()) / kFeatures, ids.data(),
                             static_cast<std::int64_t>(ids.size())};
  const std::int64_t K = c.speech_steps(input.frames), L = c.text_steps(input.word_count);
  const bool gates = owner.network.has_gates(), alignment = owner.network.has_alignment();
  const EngineOutput output = {nullptr,
                               room(result.probabilities, c.classes, true),
                               room(aligned_gate, c.fusion, gates),
                               room(last_gate, c.fusion, gates),
                               room(result.speech_weights, K, alignment),
                               room(result.text_weights, L, alignment),
                               room(alpha, K * L, alignment)};
  const auto begin = Clock::now();
  owner.network.run(input, output);
  result.timings.network = seconds_since(begin);

  decide(owner, result);
  result.backend = owner.network.name();
  result.has_contributions = gates;
  result.contributions = {};
  if (gates) {
    const double z_p = mean(aligned_gate), z_q = mean(last_gate);
    result.contributions = {z_p, 1 - z_p, z_q, 1 - z_q};
  }
  result.alignment.clear();
  if (alignment) align(c, alpha, words, result);
}

Utterance::Utterance(std::unique_ptr<State> state) : state_(std::move(state)) {}
Utterance::~Utterance() = default;
Utterance::Utterance(Utterance&&) noexcept = default;
Utterance& Utterance::operator=(Utterance&&) noexcept = default;

void Utterance::push(const float* pcm, std::int64_t samples) { state_->ear.push(pcm, samples); }
void Utterance::push(const std::int16_t* pcm, std::int64_t samples) {
  state_->ear.push(pcm, samples);
}

Result Utterance::finish(const std::string& words) {
  Result result;
  finish(words, result);
  return result;
}

void Utterance::finish(const std::string& words, Result& result) {
  state_->finish(*state_->owner, words, result);
}

void Utterance::discard() { state_->ear.discard(); }

double Utterance::seconds() const {
  return static_cast<double>(state_->ear.heard()) / state_->ear.rate();
}

}  // namespace gban
