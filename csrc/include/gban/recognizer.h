// Sound and words in, the emotion out: the whole of gban-edge behind two classes.
//
//   gban::Recognizer recognizer = gban::Recognizer::load("gban.safetensors");
//   gban::Result r = recognizer.recognize(pcm, samples, "that is incredible");
//
// or, while the sound arrives:
//
//   gban::Utterance utterance = recognizer.begin();
//   utterance.push(block, samples);  // again and again
//   gban::Result r = utterance.finish("that is incredible");
//
// Errors are exceptions with the texts of Python's EmotionRecognizer: std::invalid_argument (its
// ValueError), gban::FileNotFound and std::runtime_error. A call that throws has changed nothing,
// unless it says otherwise.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gban/engine.h"
#include "gban/frontend.h"
#include "gban/model.h"

namespace gban {

enum class Backend {
  automatic,  // a GPU where there is one that runs this model, else the CPU; backend_name() says
  cpu,
  cuda
};
// "auto", "cpu" or "cuda"; throws std::invalid_argument for any other.
Backend backend_of(const std::string& name);

struct RecognizerOptions {
  Backend backend = Backend::automatic;
  Precision precision = Precision::fp32;
  int threads = 1;             // of the CPU, for each utterance
  int device = 0;              // the GPU
  double abstain_below = 0.0;  // no label where the greatest probability is lower
};

// What the four vectors gave to the decision: mean z_p to a_s, 1 - that to a_t, mean z_q to h_s,
// 1 - that to h_t (eqs. 15-21).
struct Contributions {
  double a_s, a_t, h_s, h_t;
};

// A word, as the tokenizer gives it, and the stretch of sound that it was most aligned with: the
// receptive field of the speech step with the greatest alpha (eq. 10), in seconds, cut at the
// sound's end. Words 2l and 2l + 1 share text step l, and so the place, and halve its weight.
struct AlignedWord {
  std::string word;
  double start, end;
  double weight;  // what the word gave to a_t; those of all words sum to 1
};

struct Result {
  std::string label;       // empty where abstained
  std::int64_t index = 0;  // of the greatest probability
  bool abstained = false;
  std::vector<float> probabilities;    // [C]
  bool has_contributions = false;      // of the systems with both gates: "gban"
  Contributions contributions = {};    // zeros where there are none
  std::vector<AlignedWord> alignment;  // empty without words, and for systems without alignment
  std::vector<float> speech_weights;   // [K], sum 1; empty for systems without alignment
  std::vector<float> text_weights;     // [L], likewise
  double seconds = 0;                  // of sound that was heard, at most 7.5
  std::vector<std::string> notes;      // "sound cut at 7.5 s of 3600.0 s", "no words", ...
  std::string backend;                 // what ran: "cpu fp32 avx512"
  struct Timings {
    double features, network;  // seconds of work; of features, all pushes together
  } timings = {};
};

class Utterance;

// A loaded model. It may be used by several threads at once, moved, and destroyed before its
// Utterances.
class Recognizer {
 public:
  // Throws as load_model() does; std::invalid_argument for options out of range or a model that
  // the backend does not run; std::runtime_error where the backend is not built or has no device.
  static Recognizer load(const std::string& path, const RecognizerOptions& options = {});
  explicit Recognizer(const Model& model, const RecognizerOptions& options = {});
  ~Recognizer();
  Recognizer(Recognizer&&) noexcept;
  Recognizer& operator=(Recognizer&&) noexcept;

  // One utterance: mono sound pcm [samples] in [-1, 1], and its words as UTF-8 text, either of
  // which may be empty. Sound of another rate is resampled; what lies beyond 7.5 s, and beyond 512
  // words, is not looked at. Notes of the result say so. Throws std::invalid_argument for a sample
  // that is not finite or beyond 8, a rate outside 8000..192000, or words that are not UTF-8.
  Result recognize(const float* pcm, std::int64_t samples, const std::string& words,
                   int sample_rate = kSampleRate) const;
  // 16-bit sound; full scale is 32768.
  Result recognize(const std::int16_t* pcm, std::int64_t samples, const std::string& words,
                   int sample_rate = kSampleRate) const;

  // For sound that is still arriving. Throws std::invalid_argument for the rate.
  Utterance begin(int sample_rate = kSampleRate) const;

  const std::vector<std::string>& labels() const;  // [C]
  const Config& config() const;
  const std::string& backend_name() const;    // "cpu fp32 avx512", "cuda fp16 NVIDIA H200"
  const std::string& backend_reason() const;  // why automatic took the CPU; empty elsewhere

  struct State;

 private:
  std::shared_ptr<State> state_;
};

// One utterance after the other, for one thread. Features are computed as the sound arrives. Once
// it has seen an utterance of that length, push() allocates nothing, and the second finish()
// nothing but what the words need: their strings, and the result's notes where there are any.
class Utterance {
 public:
  ~Utterance();
  Utterance(Utterance&&) noexcept;
  Utterance& operator=(Utterance&&) noexcept;

  // The next sound of the utterance, of any length. Throws std::invalid_argument as
  // Recognizer::recognize does, samples being counted from the utterance's beginning.
  void push(const float* pcm, std::int64_t samples);
  void push(const std::int16_t* pcm, std::int64_t samples);

  // Ends the utterance: the next push begins another. Throws std::invalid_argument for words that
  // are not UTF-8, and then the sound is kept; std::runtime_error where the network fails, and then
  // it is gone.
  Result finish(const std::string& words);
  void finish(const std::string& words, Result& result);  // `result`'s memory is used again

  // Forgets the sound.
  void discard();

  double seconds() const;  // of sound so far that will be looked at

  struct State;

 private:
  friend class Recognizer;
  explicit Utterance(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gban
