// What the parts of the recogniser's test share.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "gban/recognizer.h"
#include "random_model.h"

namespace gban::testing {

inline int failures = 0;

inline void expect(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  ++failures;
}

template <typename Error, typename F>
inline void expect_refused(const std::string& text, F work) {
  try {
    work();
  } catch (const Error& error) {
    return expect(error.what() == text, "'" + text + "', got '" + error.what() + "'");
  }
  expect(false, "'" + text + "' is refused");
}

inline Config config_of(std::vector<std::int64_t> filters) {
  Config c;
  c.vocabulary = 50;
  c.conv_filters = std::move(filters);
  c.embedding = 30;
  c.text_filters = 20;
  c.hidden = 20;
  c.fusion = 16;
  c.classifier = 12;
  return c;
}

inline Model test_model(const std::string& name = "gban") {
  return random_model(name, config_of({12, 20, 28, 36}), 5);
}

// What the tests speak of, where there is a GPU too.
inline RecognizerOptions on_cpu() {
  RecognizerOptions options;
  options.backend = Backend::cpu;
  return options;
}

// Noise whose level changes, so that its steps differ.
inline std::vector<float> sound(std::int64_t samples, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 0.2f);
  std::vector<float> pcm(static_cast<std::size_t>(samples));
  for (std::size_t i = 0; i < pcm.size(); ++i)
    pcm[i] = normal(random) * static_cast<float>(1.05 + std::sin(0.0007 * static_cast<double>(i)));
  return pcm;
}

inline std::int64_t count(const std::vector<float>& pcm) {
  return static_cast<std::int64_t>(pcm.size());
}

inline std::string some_words(int n) {
  std::string text;
  for (int i = 0; i < n; ++i) text += (i ? ", Word" : "Word") + std::to_string(2 + i * 7 % 60);
  return text;  // those from 50 on are not in the vocabulary
}

inline bool same(const Result& a, const Result& b) {
  bool equal = a.label == b.label && a.index == b.index && a.abstained == b.abstained &&
               a.probabilities == b.probabilities && a.speech_weights == b.speech_weights &&
               a.text_weights == b.text_weights && a.seconds == b.seconds && a.notes == b.notes &&
               a.contributions.a_s == b.contributions.a_s &&
               a.contributions.h_s == b.contributions.h_s &&
               a.alignment.size() == b.alignment.size();
  for (std::size_t i = 0; equal && i < a.alignment.size(); ++i) {
    const AlignedWord &x = a.alignment[i], &y = b.alignment[i];
    equal = x.word == y.word && x.start == y.start && x.end == y.end && x.weight == y.weight;
  }
  return equal;
}

inline bool near(double a, double b) { return std::fabs(a - b) < 2e-5; }

// Notes of the result, what is refused, options: recognizer_rules_test.cpp.
void test_rules();

}  // namespace gban::testing
