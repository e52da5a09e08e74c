// Utterances for the CUDA engine's tests: random ragged ones, run and held against the gold.
#pragma once

#include <cstring>
#include <vector>

#include "alignment_gold.h"
#include "gban/engine_cuda.h"
#include "gban/numeric.h"
#include "network_gold.h"
#include "random_model.h"

namespace engine_driver {

using gban::testing::Gold;
using gban::testing::RandomInput;
using gold::Numbers;

// What an engine gives for one utterance; NaN where it wrote nothing.
struct Outputs {
  std::vector<float> logits, probabilities, aligned_gate, last_gate, speech_weights, text_weights,
      alpha;

  gban::EngineOutput pointers() {
    return {logits.data(),         probabilities.data(), aligned_gate.data(), last_gate.data(),
            speech_weights.data(), text_weights.data(),  alpha.data()};
  }
  bool same(const Outputs& o) const {
    const auto equal = [](const std::vector<float>& x, const std::vector<float>& y) {
      return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof x[0]) == 0;
    };
    return equal(logits, o.logits) && equal(probabilities, o.probabilities) &&
           equal(aligned_gate, o.aligned_gate) && equal(last_gate, o.last_gate) &&
           equal(speech_weights, o.speech_weights) && equal(text_weights, o.text_weights) &&
           equal(alpha, o.alpha);
  }
  // Largest difference from the gold, relative to each result's largest magnitude.
  double error(const Gold& want) const {
    const auto one = [](const Numbers& w, const std::vector<float>& got) {
      return gold::error(w, Numbers(got.begin(), got.end()));
    };
    Numbers alpha_rows;
    for (const Numbers& row : want.alpha)
      alpha_rows.insert(alpha_rows.end(), row.begin(), row.end());
    return std::max({one(want.logits, logits), one(want.probabilities, probabilities),
                     one(want.aligned_gate, aligned_gate), one(want.last_gate, last_gate),
                     one(want.speech_weights, speech_weights), one(want.text_weights, text_weights),
                     one(alpha_rows, alpha)});
  }
};

// With weights that the precision can hold, so that the gold is of the same network.
inline gban::Model model_of(const gban::Config& config, gban::Precision precision) {
  gban::Model model = gban::testing::random_model("gban", config, 7);
  if (precision != gban::Precision::fp16) return model;
  auto storage = std::make_shared<std::map<std::string, std::vector<float>>>();
  for (auto& [name, tensor] : model.weights) {
    std::vector<float>& values = (*storage)[name];
    for (std::int64_t i = 0; i < tensor.size(); ++i)
      values.push_back(gban::to_float(gban::to_half(tensor.data[i])));
    tensor.data = values.data();
  }
  model.storage = storage;
  return model;
}

inline std::vector<Outputs> run(const gban::CudaEngine& engine,
                                const std::vector<RandomInput>& batch) {
  std::vector<Outputs> results(batch.size());
  std::vector<gban::EngineInput> inputs;
  std::vector<gban::EngineOutput> outputs;
  const gban::Config& c = engine.config();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    inputs.push_back(batch[i].view());
    const gban::Steps n = engine.steps(inputs.back());
    Outputs& r = results[i];
    r.logits.assign(c.classes, NAN), r.probabilities = r.logits;
    r.aligned_gate.assign(c.fusion, NAN), r.last_gate = r.aligned_gate;
    r.speech_weights.assign(n.speech, NAN), r.text_weights.assign(n.text, NAN);
    r.alpha.assign(n.speech * n.text, NAN);
    outputs.push_back(r.pointers());
  }
  engine.run(inputs.data(), outputs.data(), static_cast<std::int64_t>(batch.size()));
  return results;
}

}  // namespace engine_driver
