// What every engine checks of its input, with the same words. All throw std::invalid_argument.
#pragma once

#include <cstdint>

#include "gban/engine.h"

namespace gban {

// Names a feature of [frames, width] that is not finite: `at` counts from the first.
[[noreturn]] void refuse_feature(float value, std::int64_t at, std::int64_t width);

// Names the first feature of [frames, width] that is NaN or infinite, where there is one.
void check_features(const float* features, std::int64_t frames, std::int64_t width);

// Names the first of words [count] outside 0..vocabulary-1, where there is one.
void check_words(const std::int32_t* words, std::int64_t count, std::int64_t vocabulary);

// Both lengths of an utterance.
void check_lengths(const EngineInput& input, std::int64_t most_frames, std::int64_t most_words);

}  // namespace gban
