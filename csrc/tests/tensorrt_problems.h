// Random calls of both plugins with their gold: csrc/tests/bilstm_gold.h and alignment_gold.h.
#pragma once

#include <random>

#include "tensorrt_driver.h"

namespace tensorrt_test {

struct Sizes {
  std::int64_t B, K, L;
};

// A call of AlignPool, ragged; T is float or half.
Case align_pool_case(std::mt19937_64& rng, const Sizes& sizes, nvinfer1::DataType type);

// A BiLSTM node: its weights in float64 and as attributes, gates in ONNX's order.
struct BiLstmNode {
  std::int64_t hidden, widths[2];
  nvinfer1::DataType type;
  Numbers w[2], r[2], b[2];  // of speech and text; [2, 4 H, width], [2, 4 H, H], [2, 8 H]

  BiLstmNode(std::mt19937_64& rng, nvinfer1::DataType type);
  Attributes attributes() const;
  // A ragged call of it; lengths as int64 or int32.
  Case call(std::mt19937_64& rng, const Sizes& sizes,
            nvinfer1::DataType lengths = nvinfer1::DataType::kINT64) const;
};

}  // namespace tensorrt_test
