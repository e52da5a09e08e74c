// Models with random weights, made in memory: for tests of the engines.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gban/engine.h"
#include "gban/model.h"

namespace gban::testing {

// The model called `name` with normal weights, of a deviation that keeps every stage lively.
inline Model random_model(const std::string& name, const Config& config, unsigned seed) {
  std::mt19937 random(seed);
  Model model;
  model.name = name;
  model.config = config;
  auto storage = std::make_shared<std::map<std::string, std::vector<float>>>();
  for (const auto& entry : expected_shapes(name, config)) {
    Tensor tensor{entry.second, nullptr};
    const bool bias = entry.second.size() == 1;
    const double fan_in = bias ? 25.0 : static_cast<double>(tensor.size() / entry.second[0]);
    std::normal_distribution<float> value(0.0f, static_cast<float>(1.2 / std::sqrt(fan_in)));
    std::vector<float>& values = (*storage)[entry.first];
    values.resize(static_cast<std::size_t>(tensor.size()));
    for (float& x : values) x = value(random);
    if (entry.first == "text.embedding.weight")
      std::fill_n(values.begin(), config.embedding, 0.0f);  // <pad>
    tensor.data = values.data();
    model.weights[entry.first] = tensor;
  }
  model.storage = storage;
  std::uniform_real_distribution<float> mean(-2.0f, 2.0f), deviation(0.5f, 2.0f);
  for (std::int64_t i = 0; i < config.features; ++i) {
    model.mean.push_back(mean(random));
    model.deviation.push_back(deviation(random));
  }
  for (std::int64_t i = 0; i < config.classes; ++i)
    model.labels.push_back("class" + std::to_string(i));
  model.vocabulary = {"<pad>", "<unk>"};
  for (std::int64_t i = 2; i < config.vocabulary; ++i)
    model.vocabulary.push_back("word" + std::to_string(i));
  model.temperature = 1.3;
  return model;
}

// One utterance's input.
struct RandomInput {
  std::vector<float> features;  // [frames, config.features]
  std::vector<std::int32_t> words;
  std::int64_t frames;

  EngineInput view() const {
    return {features.data(), frames, words.data(), static_cast<std::int64_t>(words.size())};
  }
};

inline RandomInput random_input(const Config& config, std::int64_t frames, std::int64_t words,
                                std::mt19937& random) {
  std::normal_distribution<float> value(0.0f, 2.0f);
  std::uniform_int_distribution<std::int32_t> id(1,
                                                 static_cast<std::int32_t>(config.vocabulary - 1));
  RandomInput in{{}, {}, frames};
  for (std::int64_t i = 0; i < frames * config.features; ++i) in.features.push_back(value(random));
  for (std::int64_t i = 0; i < words; ++i) in.words.push_back(id(random));
  return in;
}

}  // namespace gban::testing
