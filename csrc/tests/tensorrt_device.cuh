// The bodies of tensorrt_device.h, for nvcc (tensorrt_device.cu) and for the shim.
#pragma once

#include "tensorrt_device.h"

#include <vector>

#include "runtime.cuh"

namespace tensorrt_test {

namespace dev = gban::dev;

namespace {

dev::Stream native(Stream stream) { return reinterpret_cast<dev::Stream>(stream); }

}  // namespace

Block::Block(std::size_t bytes) : memory_(dev::allocate(bytes ? bytes : 1)), bytes_(bytes) {
  fill_with_nan();
}
Block::~Block() { dev::release(memory_); }
void Block::upload(const void* host) const { dev::upload(memory_, host, bytes_); }
void Block::download(void* host) const { dev::download(host, memory_, bytes_); }
void Block::fill_with_nan() const {
  const std::vector<unsigned char> nans(bytes_, 0xFF);
  dev::upload(memory_, nans.data(), bytes_);
}

Stream make_stream() { return reinterpret_cast<Stream>(dev::make_stream()); }
void end_stream(Stream stream) { dev::end_stream(native(stream)); }
void wait(Stream stream) { dev::Sleeper().wait(native(stream)); }

std::function<void(Stream)> capture(Stream stream, const std::function<void()>& body) {
  const auto graph = std::make_shared<dev::Graph>(dev::capture(native(stream), body));
  return [graph](Stream on) { graph->launch(native(on)); };
}

#if defined(GBAN_SHIM)
std::string no_device() { return ""; }
int hidden_units() { return 32; }
bool has_faults() { return true; }
void fail_allocation(int nth) { shim::faults().allocation = nth; }
int allocations() { return shim::allocations(); }
#else
std::string no_device() {
  try {
    dev::processors();
    return "";
  } catch (const dev::Failure& failure) {
    return failure.what();
  }
}
int hidden_units() { return 128; }
bool has_faults() { return false; }
void fail_allocation(int) {}
int allocations() { return 0; }
#endif

}  // namespace tensorrt_test
