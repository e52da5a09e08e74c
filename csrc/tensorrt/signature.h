// What goes into a plugin and comes out, as a table; and the checks of types and shapes on it.
//
// Every check throws std::invalid_argument with a sentence that names the tensor, what it must be
// and what it is.
#pragma once

#include <NvInfer.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace gban::tensorrt {

// What a tensor holds: T, float32 or float16; true lengths; or float32 whatever T is.
enum class Kind { values, lengths, sums };

struct Port {
  const char* name;
  const char* shape;  // a letter a dimension
  Kind kind;
};

// What the letters stand for. In messages a letter whose value was known beforehand is a number.
class Sizes {
 public:
  static constexpr std::int64_t kUnknown = -1;

  Sizes() { values_.fill(kUnknown); }
  std::int64_t operator[](char letter) const { return values_[static_cast<unsigned char>(letter)]; }
  void set(char letter, std::int64_t value) { values_[static_cast<unsigned char>(letter)] = value; }
  bool operator==(const Sizes& other) const { return values_ == other.values_; }

 private:
  std::array<std::int64_t, 128> values_;
};

struct Signature {
  std::vector<Port> inputs, outputs;
  Sizes constants;          // letters that the attributes decide
  bool narrow_lengths;      // lengths may be int32 too
  bool typed;               // whether the attributes decide T
  nvinfer1::DataType type;  // then: T
  const char* steps;        // letters that must be at least 1

  int input_count() const { return static_cast<int>(inputs.size()); }
  int output_count() const { return static_cast<int>(outputs.size()); }
  const Port& port(int i) const {
    return i < input_count() ? inputs[i] : outputs[i - input_count()];
  }
};

std::string type_name(nvinfer1::DataType type);

void check_counts(const Signature& s, int inputs, int outputs);

// T, given the first input's type.
void check_values_type(const Signature& s, nvinfer1::DataType first);

// Tensor i, inputs first, where T is `values`.
void check_type(const Signature& s, int i, nvinfer1::DataType type, nvinfer1::DataType values);
void check_format(const Signature& s, int i, nvinfer1::TensorFormat format);

// All tensors of a call.
void check_tensor(const Signature& s, int i, const nvinfer1::PluginTensorDesc& tensor,
                  nvinfer1::DataType values);

// Holds a shape against what is known of its letters, and learns the others. A dimension below zero
// is one that is not known yet.
void bind(const Signature& s, int i, const nvinfer1::Dims& shape, Sizes& sizes);

// All dimensions of all inputs are known: no step count may be zero, no size negative.
void check_sizes(const Signature& s, const Sizes& sizes);

// [B, K, 36]
std::string letters(const Port& port, const Sizes& constants);

}  // namespace gban::tensorrt
