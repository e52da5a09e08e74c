// NumPy arrays in and out of an engine's run, for the CPU's and the GPU's binding alike.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "gban/engine.h"

namespace gban::bindings {

namespace py = pybind11;

using Features = py::array_t<float, py::array::c_style>;
using Words = py::array_t<std::int32_t, py::array::c_style>;

// Holds the arrays of one call. Made, and asked for results, with the GIL.
class EngineArrays {
 public:
  EngineArrays(const std::vector<Features>& features, const std::vector<Words>& words,
               const Config& config, bool gates, bool alignment) {
    if (features.size() != words.size())
      throw std::invalid_argument("features and words must be equally many, got " +
                                  std::to_string(features.size()) + " and " +
                                  std::to_string(words.size()));
    for (std::size_t i = 0; i < features.size(); ++i) {
      add_input(features[i], words[i], config);
      add_output(inputs_.back(), config, gates, alignment);
    }
  }

  const EngineInput* inputs() const { return inputs_.data(); }
  const EngineOutput* outputs() const { return outputs_.data(); }
  std::int64_t count() const { return static_cast<std::int64_t>(inputs_.size()); }
  // A dict an utterance; None for what the system has not.
  py::list results() const { return results_; }

 private:
  void add_input(const Features& features, const Words& words, const Config& config) {
    if (features.ndim() != 2 || features.shape(1) != config.features)
      throw std::invalid_argument("features must have shape [N, " +
                                  std::to_string(config.features) + "]");
    if (words.ndim() != 1) throw std::invalid_argument("words must have shape [M]");
    inputs_.push_back({features.data(), features.shape(0), words.data(), words.shape(0)});
  }

  void add_output(const EngineInput& in, const Config& c, bool gates, bool alignment) {
    const std::int64_t K = c.speech_steps(in.frames), L = c.text_steps(in.word_count);
    py::dict result;
    const auto array = [&result](const char* name, std::vector<py::ssize_t> shape, bool has) {
      if (!has) {
        result[name] = py::none();
        return static_cast<float*>(nullptr);
      }
      py::array_t<float> values(std::move(shape));
      result[name] = values;
      return values.mutable_data();
    };
    EngineOutput out;
    out.logits = array("logits", {c.classes}, true);
    out.probabilities = array("probabilities", {c.classes}, true);
    out.aligned_gate = array("aligned_gate", {c.fusion}, gates);
    out.last_gate = array("last_gate", {c.fusion}, gates);
    out.speech_weights = array("speech_weights", {K}, alignment);
    out.text_weights = array("text_weights", {L}, alignment);
    out.alpha = array("alpha", {L, K}, alignment);
    outputs_.push_back(out);
    results_.append(result);
  }

  std::vector<EngineInput> inputs_;
  std::vector<EngineOutput> outputs_;
  py::list results_;
};

}  // namespace gban::bindings
