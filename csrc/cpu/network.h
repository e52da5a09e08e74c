// A model's weights, packed for the engine: made once at load, read by every thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "gban/engine.h"
#include "matrix.h"

namespace gban {

// One direction of one BiLSTM layer.
struct LstmDirection {
  PackedMatrix input;   // [4 H rounded up, width] with both biases, rows as the recurrence reads
  PackedMatrix hidden;  // [4 H rounded up, H]
};
using BiLstm = std::vector<std::array<LstmDirection, 2>>;  // [layers][forward, backward]

struct SpeechWeights {
  std::vector<float> mean, scale;        // [features]; scale is 1 / deviation
  std::vector<PackedMatrix> taps;        // of each convolution, [kernel * filters, channels]
  std::vector<std::vector<float>> bias;  // [filters]
  BiLstm lstm;
};

// Word vectors never change, so every tap of every text filter may be multiplied with every word
// at load: a convolution is then a sum of rows. Where the vocabulary is too large for that, an
// utterance's words are multiplied when they come.
struct TextWeights {
  Aligned<float> table;      // [V][taps * filters], or nothing
  PackedMatrix taps;         // [taps * filters, embedding] where there is no table
  Aligned<float> embedding;  // [V][embedding], likewise
  Aligned<float> bias;       // [convolutions][filters]
  std::int64_t row = 0;      // taps * filters
  std::int64_t reach = 0;    // rows of <pad> on either side of the words
  BiLstm lstm;
};

// One group of the fusion: eqs. 15-17 or 18-20.
struct GatedPairWeights {
  PackedMatrix speech, text, gate;
};

// What a system puts before the classifier.
enum class Head {
  gated,          // GBAN and GMU: one or two gated pairs
  concatenation,  // a slice of [a_s, a_t, h_s, h_t]
  outer           // TFL: [a_s, 1] (outer) [a_t, 1]
};

struct Network {
  Config config;
  double temperature = 1.0;
  bool has_speech = false, has_text = false, aligned = false;
  Head head = Head::concatenation;
  std::int64_t slice_first = 0, slice_count = 0;  // of the four vectors, for a concatenation
  SpeechWeights speech;
  TextWeights text;
  std::vector<GatedPairWeights> pairs;  // aligned; and last, for GBAN
  PackedMatrix hidden, output;          // the classifier

  std::int64_t width() const;  // of h, the classifier's input
};

// Throws std::invalid_argument for a system that the engine does not run.
Network pack_network(const Model& model, Precision precision, VectorShape shape);

}  // namespace gban
