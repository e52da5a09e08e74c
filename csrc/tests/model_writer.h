// A small model file, valid or with parts of it replaced, written without Python.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gban/model.h"

namespace gban::test {

struct Written {
  std::string dtype = "F32";
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

struct ModelFile {
  std::map<std::string, std::string> metadata;  // JSON texts
  std::map<std::string, Written> tensors;

  std::string header() const;
  std::string bytes() const { return framed(header()); }
  // The file with another header text, and its length before it.
  std::string framed(const std::string& header) const;
};

// Of the system called `name`, at small sizes, with weights that differ from each other.
ModelFile small_model(const std::string& name);
Config small_config();

// The file of a model in memory.
ModelFile model_file(const Model& model);

// `text` as JSON's string.
std::string quoted(const std::string& text);

}  // namespace gban::test
