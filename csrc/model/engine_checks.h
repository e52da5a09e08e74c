// What every engine checks of its input, with the same words.
#pragma once

#include <cstdint>

#include "gban/engine.h"

namespace gban {

// Throws std::invalid_argument naming the first feature of features [frames, width] that is NaN or
// infinite.
void check_features(const float* features, std::int64_t frames, std::int64_t width);

// Throws std::invalid_argument naming the first of words [count] outside 0..vocabulary-1.
void check_words(const std::int32_t* words, std::int64_t count, std::int64_t vocabulary);

// Both, and that lengths are not negative.
void check_input(const EngineInput& input, const Config& config);

}  // namespace gban
