// The device as the plugins' test sees it: the shim, or a GPU. The bodies are in
// tensorrt_device.cuh, so that no test source includes both NvInfer.h and the shim.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

struct CUstream_st;

namespace tensorrt_test {

using Stream = CUstream_st*;

// Why there is no device, in words; empty where there is one.
std::string no_device();

// One block; what is not uploaded is NaN.
class Block {
 public:
  explicit Block(std::size_t bytes);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  void* get() const { return memory_; }
  void upload(const void* host) const;
  void download(void* host) const;
  void fill_with_nan() const;

 private:
  void* memory_;
  std::size_t bytes_;
};

Stream make_stream();
void end_stream(Stream stream);
void wait(Stream stream);

// What `body` starts on the stream, to be started again by calling the result.
std::function<void(Stream)> capture(Stream stream, const std::function<void()>& body);

// Hidden units that the kernels here are built for; the shim has smaller ones.
int hidden_units();

// Whether faults can be injected. If so: the nth allocation from now on fails, 0 for none; how many
// blocks are allocated.
bool has_faults();
void fail_allocation(int nth);
int allocations();

}  // namespace tensorrt_test
