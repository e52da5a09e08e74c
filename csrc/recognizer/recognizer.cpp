// A loaded model and its calls.
#include "gban/recognizer.h"

#include <algorithm>
#include <stdexcept>

#include "state.h"

namespace gban {
namespace {

const Model& checked(const Model& model) {
  if (model.config.features != kFeatures)
    throw std::invalid_argument("features must be " + std::to_string(kFeatures) +
                                ", as many as the frontend makes, got " +
                                std::to_string(model.config.features));
  return model;
}

// Hands an utterance back when it goes, without the sound that an error may have left in it.
class Borrowed {
 public:
  Borrowed(Recognizer::State& owner, int rate) : owner_(owner), state_(owner.take(rate)) {}
  ~Borrowed() {
    state_->ear.discard();
    owner_.give_back(std::move(state_));
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  Utterance::State* operator->() const { return state_.get(); }

 private:
  Recognizer::State& owner_;
  std::unique_ptr<Utterance::State> state_;
};

template <typename T>
Result recognize_any(Recognizer::State& owner, const T* pcm, std::int64_t samples,
                     const std::string& words, int rate) {
  Result result;
  const Borrowed utterance(owner, rate);
  utterance->ear.push(pcm, samples);
  utterance->finish(owner, words, result);
  return result;
}

}  // namespace

Recognizer::State::State(const Model& model, const RecognizerOptions& options)
    : config(checked(model).config),
      labels(model.labels),
      vocabulary(model.vocabulary),
      network(model, options),
      abstain_below(options.abstain_below) {}

// One that last heard sound of this rate, else one that gets a new ear for it: there are never more
// than callers at once.
std::unique_ptr<Utterance::State> Recognizer::State::take(int rate) {
  std::unique_ptr<Utterance::State> found;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    const auto same = std::find_if(idle.begin(), idle.end(),
                                   [rate](const auto& u) { return u->ear.rate() == rate; });
    if (same != idle.end()) std::iter_swap(same, idle.end() - 1);
    if (!idle.empty()) {
      found = std::move(idle.back());
      idle.pop_back();
    }
  }
  if (!found) return std::make_unique<Utterance::State>(rate);
  if (found->ear.rate() != rate) found->ear = Ear(rate);
  return found;
}

void Recognizer::State::give_back(std::unique_ptr<Utterance::State> utterance) noexcept {
  try {
    const std::lock_guard<std::mutex> lock(mutex);
    idle.push_back(std::move(utterance));
  } catch (const std::exception&) {
    // No memory to keep it: the next caller makes another.
  }
}

Recognizer Recognizer::load(const std::string& path, const RecognizerOptions& options) {
  return Recognizer(load_model(path), options);
}

Recognizer::Recognizer(const Model& model, const RecognizerOptions& options)
    : state_(std::make_shared<State>(model, options)) {}
Recognizer::~Recognizer() = default;
Recognizer::Recognizer(Recognizer&&) noexcept = default;
Recognizer& Recognizer::operator=(Recognizer&&) noexcept = default;

Result Recognizer::recognize(const float* pcm, std::int64_t samples, const std::string& words,
                             int sample_rate) const {
  return recognize_any(*state_, pcm, samples, words, sample_rate);
}
Result Recognizer::recognize(const std::int16_t* pcm, std::int64_t samples,
                             const std::string& words, int sample_rate) const {
  return recognize_any(*state_, pcm, samples, words, sample_rate);
}

Utterance Recognizer::begin(int sample_rate) const {
  auto state = std::make_unique<Utterance::State>(sample_rate);
  state->owner = state_;
  return Utterance(std::move(state));
}

const std::vector<std::string>& Recognizer::labels() const { return state_->labels; }
const Config& Recognizer::config() const { return state_->config; }
const std::string& Recognizer::backend_name() const { return state_->network.name(); }
const std::string& Recognizer::backend_reason() const { return state_->network.reason(); }

}  // namespace gban
