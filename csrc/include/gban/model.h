// A model file (gban_edge/bundle.py), read and checked: all that a runtime needs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace gban {

// No such file; Python's FileNotFoundError.
struct FileNotFound : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The sizes of a network: GBANConfig of gban_edge/config.py, under its names.
struct Config {
  std::int64_t vocabulary = 0;
  std::int64_t classes = 4;
  std::int64_t features = 52;
  std::vector<std::int64_t> conv_filters = {12, 20, 28, 36};
  std::int64_t conv_kernel = 4;
  std::int64_t embedding = 300;
  std::int64_t text_filters = 128;
  std::vector<std::int64_t> text_kernels = {2, 3, 4};
  std::int64_t hidden = 128;
  std::int64_t lstm_layers = 1;
  std::int64_t fusion = 128;
  std::int64_t classifier = 128;

  std::int64_t states() const { return 2 * hidden; }     // D
  std::int64_t text_width() const;                       // 384
  std::int64_t receptive_field() const;                  // 61 frames
  std::int64_t speech_steps(std::int64_t frames) const;  // K
  std::int64_t text_steps(std::int64_t words) const {
    return words < 2 ? 1 : (words + 1) / 2;
  }  // L
};

// float32, row-major, in memory that its Model owns.
struct Tensor {
  std::vector<std::int64_t> shape;
  const float* data = nullptr;

  std::int64_t size() const {
    std::int64_t n = 1;
    for (std::int64_t extent : shape) n *= extent;
    return n;
  }
};

struct Model {
  std::string name;  // the registry's: "gban", "h_s", ...
  Config config;
  std::vector<std::string> labels;        // [classes]
  std::vector<std::string> vocabulary;    // word of each id; 0 is <pad>, 1 is <unk>
  std::vector<float> mean, deviation;     // [features], of the standardisation
  double temperature = 1.0;               // probabilities are softmax(logits / temperature)
  std::map<std::string, Tensor> weights;  // under the names of gban_edge/shapes.py
  std::shared_ptr<const void> storage;    // what the tensors' data lies in

  // Throws std::invalid_argument where there is none.
  const Tensor& weight(const std::string& name) const;
};

// Names and shapes of the weights that the model called `name` has (gban_edge/shapes.py). Throws
// std::invalid_argument for an unknown name.
std::map<std::string, std::vector<std::int64_t>> expected_shapes(const std::string& name,
                                                                 const Config& config);

// Reads a model file and checks everything in it, as gban_edge.bundle.load does and with the same
// words. Throws FileNotFound, or std::invalid_argument naming the file and the part of it.
Model load_model(const std::string& path);

}  // namespace gban
