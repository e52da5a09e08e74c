// The safetensors format: 8 bytes little-endian length, a JSON header of that length, the data.
//
// What is refused is what the reference library (Rust, 0.8) refuses, and for one thing more: it
// takes a tensor's record as a list and a dtype as an object, which no writer makes.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <new>

#include "parts.h"
#include "unicode.h"

namespace gban {
namespace {

using json::Kind;
using json::Value;

constexpr std::uint64_t kMostHeader = 100'000'000;
constexpr std::size_t kMostDimensions = 64;  // NumPy's

struct Dtype {
  const char* name;
  std::uint64_t bits;
  const char* numpy;  // null where NumPy has none and the Python reader gives up
};
constexpr Dtype kDtypes[] = {
    {"F32", 32, "float32"},      {"F64", 64, "float64"},   {"F16", 16, "float16"},
    {"BF16", 16, nullptr},       {"I64", 64, "int64"},     {"I32", 32, "int32"},
    {"I16", 16, "int16"},        {"I8", 8, "int8"},        {"U64", 64, "uint64"},
    {"U32", 32, "uint32"},       {"U16", 16, "uint16"},    {"U8", 8, "uint8"},
    {"BOOL", 8, "bool"},         {"C64", 64, "complex64"}, {"F8_E5M2", 8, nullptr},
    {"F8_E4M3", 8, nullptr},     {"F8_E8M0", 8, nullptr},  {"F8_E4M3FNUZ", 8, nullptr},
    {"F8_E5M2FNUZ", 8, nullptr}, {"F6_E2M3", 6, nullptr},  {"F6_E3M2", 6, nullptr},
    {"F4", 4, nullptr},
};

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

const Dtype& dtype_of(const std::string& name) {
  for (const Dtype& dtype : kDtypes)
    if (name == dtype.name) return dtype;
  fail("unknown dtype " + json::repr(name));
}

std::vector<std::uint64_t> numbers_of(const Value& list, const char* name) {
  if (list.kind() != Kind::list) fail(std::string(name) + " is not a list");
  std::vector<std::uint64_t> numbers;
  list.entries([&](Value entry) {
    std::uint64_t number = 0;
    if (!entry.unsigned_integer(&number)) fail(std::string(name) + " holds " + entry.repr());
    numbers.push_back(number);
  });
  return numbers;
}

Entry entry_of(const std::string& name, const Value& record) {
  if (record.kind() != Kind::object) fail(json::repr(name) + " is not an object");
  Entry entry;
  int dtypes = 0, shapes = 0, offsets = 0;
  record.members([&](Value field, Value value) {
    const std::string key = field.string();
    if (key == "dtype") {
      ++dtypes;
      if (value.kind() != Kind::string) fail("dtype is not a string");
      entry.dtype = dtype_of(value.string()).name;
    } else if (key == "shape") {
      ++shapes;
      entry.shape = numbers_of(value, "shape");
    } else if (key == "data_offsets") {
      ++offsets;
      const auto numbers = numbers_of(value, "data_offsets");
      if (numbers.size() != 2) fail("data_offsets are not two");
      entry.begin = numbers[0];
      entry.end = numbers[1];
    }
  });
  if (dtypes != 1 || shapes != 1 || offsets != 1)
    fail(json::repr(name) + " has not one dtype, one shape and one data_offsets");
  return entry;
}

void metadata_of(const Value& value, const std::vector<std::string>& keys, SafeTensors* file) {
  if (value.kind() == Kind::null) return;
  if (value.kind() != Kind::object) fail("__metadata__ is not an object");
  value.members([&](Value key, Value text) {
    if (text.kind() != Kind::string) fail("__metadata__ holds what is not a string");
    const std::string name = key.string();
    if (std::find(keys.begin(), keys.end(), name) != keys.end())
      file->metadata[name] = text.string();
  });
}

bool multiplied(std::uint64_t* product, std::uint64_t factor) {
  if (factor != 0 && *product > std::numeric_limits<std::uint64_t>::max() / factor) return false;
  *product *= factor;
  return true;
}

// NumPy counts an empty extent as one where it asks whether an array is too big.
bool numpy_takes(const Entry& entry, const Dtype& dtype) {
  std::uint64_t bytes = dtype.bits / 8;
  for (std::uint64_t extent : entry.shape)
    if (extent != 0 && !multiplied(&bytes, extent)) return false;
  return dtype.numpy && entry.shape.size() <= kMostDimensions && bytes <= ~std::uint64_t{0} >> 1;
}

// Tensors must follow each other without hole or overlap and fill the data.
void check_layout(const SafeTensors& file, std::uint64_t bytes) {
  std::vector<const std::pair<const std::string, Entry>*> order;
  for (const auto& entry : file.entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::make_pair(a->second.begin, a->second.end) <
           std::make_pair(b->second.begin, b->second.end);
  });
  std::uint64_t at = 0;
  for (const auto* item : order) {
    const auto& [name, entry] = *item;
    if (entry.begin != at || entry.end < at) fail("wrong offsets of " + json::repr(name));
    at = entry.end;
    const Dtype& dtype = dtype_of(entry.dtype);
    std::uint64_t bits = 1;
    bool fits = true;
    for (std::uint64_t extent : entry.shape) fits = fits && multiplied(&bits, extent);
    if (!fits || !multiplied(&bits, dtype.bits) || bits % 8 != 0 ||
        entry.end - entry.begin != bits / 8)
      fail(json::repr(name) + " has not the size of its shape");
    if (!numpy_takes(entry, dtype)) fail(json::repr(name) + " is of a shape or dtype not read");
  }
  if (at != bytes) fail("tensors do not fill the file");
}

void parse_header(std::string_view text, const std::vector<std::string>& keys, SafeTensors* file) {
  if (unicode::invalid(text) < text.size()) fail("header is not UTF-8");
  const Value header = Value::parse(text, json::Dialect::serde);
  if (header.kind() != Kind::object) fail("header is not an object");
  bool described = false;
  header.members([&](Value key, Value value) {
    std::string name = key.string();
    if (name != "__metadata__") {
      file->entries[std::move(name)] = entry_of(key.string(), value);
      return;
    }
    if (described) fail("__metadata__ stands twice");
    described = true;
    metadata_of(value, keys, file);
  });
}

void read(std::ifstream& stream, char* to, std::uint64_t bytes) {
  stream.read(to, static_cast<std::streamsize>(bytes));
  if (!stream) fail("it cannot be read to its end");
}

std::uint64_t header_length(std::ifstream& stream, std::uint64_t size) {
  unsigned char bytes[8];
  if (size < sizeof bytes) fail("header too small");
  read(stream, reinterpret_cast<char*>(bytes), sizeof bytes);
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | bytes[i];
  if (length > kMostHeader) fail("header too large");
  if (length > size - sizeof bytes) fail("header longer than the file");
  return length;
}

}  // namespace

const char* dtype_name(const std::string& dtype) { return dtype_of(dtype).numpy; }

SafeTensors read_safetensors(const std::string& path, const std::vector<std::string>& keys) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  std::ifstream stream(path, std::ios::binary);
  if (error || !stream) fail("it cannot be opened");
  SafeTensors file;
  std::uint64_t bytes = size - 8;
  {
    std::string header(header_length(stream, size), '\0');
    read(stream, header.data(), header.size());
    bytes -= header.size();
    parse_header(header, keys, &file);
  }
  check_layout(file, bytes);
  float* const data = new float[bytes / sizeof(float) + 1];
  file.data = std::shared_ptr<const char>(reinterpret_cast<const char*>(data),
                                          [data](const char*) { delete[] data; });
  read(stream, reinterpret_cast<char*>(data), bytes);
  return file;
}

}  // namespace gban
