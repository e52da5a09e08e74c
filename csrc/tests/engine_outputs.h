// Where an engine writes in tests, and how far that is from doubles.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "gban/engine.h"
#include "network_gold.h"
#include "random_model.h"

namespace gban::testing {

inline int failures = 0;

inline void expect(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  ++failures;
}

// Where an engine writes, with a sentinel behind each array.
struct Outputs {
  std::vector<float> logits, probabilities, aligned_gate, last_gate, speech_weights, text_weights,
      alpha;
  std::int64_t K, L;

  static constexpr float kSentinel = -12345.0f;
  Outputs(const Engine& e, const EngineInput& in) {
    const Config& c = e.config();
    K = e.steps(in).speech;
    L = e.steps(in).text;
    const auto make = [](std::vector<float>& v, std::int64_t n) {
      v.assign(static_cast<std::size_t>(n + 1), kSentinel);
    };
    make(logits, c.classes);
    make(probabilities, c.classes);
    make(aligned_gate, c.fusion);
    make(last_gate, c.fusion);
    make(speech_weights, K);
    make(text_weights, L);
    make(alpha, K * L);
  }
  EngineOutput view(const Engine& e) {
    const bool gates = e.has_gates(), alignment = e.has_alignment();
    return {logits.data(),
            probabilities.data(),
            gates ? aligned_gate.data() : nullptr,
            gates ? last_gate.data() : nullptr,
            alignment ? speech_weights.data() : nullptr,
            alignment ? text_weights.data() : nullptr,
            alignment ? alpha.data() : nullptr};
  }
  bool same(const Outputs& o) const {
    return logits == o.logits && probabilities == o.probabilities &&
           aligned_gate == o.aligned_gate && last_gate == o.last_gate &&
           speech_weights == o.speech_weights && text_weights == o.text_weights && alpha == o.alpha;
  }
};

// The greatest deviation from gold, of the size of gold's greatest entry or of 1.
inline double deviation(const std::vector<float>& ours, const Row& gold, const std::string& what) {
  expect(ours.back() == Outputs::kSentinel, what + " is written beyond its end");
  double worst = 0, scale = 1;
  for (double x : gold) scale = std::max(scale, std::fabs(x));
  for (std::size_t i = 0; i < gold.size(); ++i)
    worst = std::max(worst, std::isnan(ours[i]) ? 1e9 : std::fabs(ours[i] - gold[i]) / scale);
  return worst;
}

inline double compare(const Engine& engine, const GoldNetwork& gold_network, const RandomInput& in,
                      const std::string& what) {
  Outputs out(engine, in.view());
  engine.run(in.view(), out.view(engine));
  const Gold gold = gold_network(in.view());
  Row alpha;
  for (const Row& row : gold.alpha) alpha.insert(alpha.end(), row.begin(), row.end());
  double worst =
      std::max(deviation(out.logits, gold.logits, what + " logits"),
               deviation(out.probabilities, gold.probabilities, what + " probabilities"));
  if (engine.has_gates())
    worst = std::max({worst, deviation(out.aligned_gate, gold.aligned_gate, what + " z_p"),
                      deviation(out.last_gate, gold.last_gate, what + " z_q")});
  if (engine.has_alignment())
    worst = std::max({worst, deviation(out.speech_weights, gold.speech_weights, what + " w_s"),
                      deviation(out.text_weights, gold.text_weights, what + " w_t"),
                      deviation(out.alpha, alpha, what + " alpha")});
  return worst;
}

}  // namespace gban::testing
