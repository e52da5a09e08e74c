#include "engine_checks.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "gban/numeric.h"

namespace gban {

namespace {

// As Python writes it.
std::string value_name(float x) {
  if (std::isnan(x)) return "nan";
  return x > 0 ? "inf" : "-inf";
}

// The compiler makes vector code of this; a loop that stops at the first would be no such thing.
bool all_finite(const float* x, std::int64_t n) {
  std::uint32_t most = 0;
  for (std::int64_t i = 0; i < n; ++i) most = std::max(most, float_bits(x[i]) & 0x7FFFFFFFu);
  return most < 0x7F800000u;
}

}  // namespace

void refuse_feature(float value, std::int64_t at, std::int64_t width) {
  throw std::invalid_argument("features must be finite, got " + value_name(value) + " at frame " +
                              std::to_string(at / width) + ", feature " +
                              std::to_string(at % width));
}

void check_features(const float* features, std::int64_t frames, std::int64_t width) {
  if (all_finite(features, frames * width)) return;
  const float* bad =
      std::find_if(features, features + frames * width, [](float x) { return !std::isfinite(x); });
  refuse_feature(*bad, bad - features, width);
}

void check_words(const std::int32_t* words, std::int64_t count, std::int64_t vocabulary) {
  for (std::int64_t i = 0; i < count; ++i)
    if (words[i] < 0 || words[i] >= vocabulary)
      throw std::invalid_argument("word id must lie in 0.." + std::to_string(vocabulary - 1) +
                                  ", got " + std::to_string(words[i]) + " at position " +
                                  std::to_string(i));
}

void check_lengths(const EngineInput& input, std::int64_t most_frames, std::int64_t most_words) {
  if (input.frames < 0 || input.frames > most_frames)
    throw std::invalid_argument("frames must lie in 0.." + std::to_string(most_frames) + ", got " +
                                std::to_string(input.frames));
  if (input.word_count < 0 || input.word_count > most_words)
    throw std::invalid_argument("words must be at most " + std::to_string(most_words) + ", got " +
                                std::to_string(input.word_count));
}

}  // namespace gban
