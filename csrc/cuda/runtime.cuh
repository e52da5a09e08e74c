// The CUDA runtime as the engine uses it: memory, one stream, graphs, waiting.
//
// Every call throws Failure, with CUDA's reason, where CUDA reports one. With GBAN_SHIM the same
// names run on the CPU (csrc/tests/shim/runtime.h), where they can be made to fail.
#pragma once

#include "device.cuh"

#if defined(GBAN_SHIM)
#include "runtime.h"
#else

#include <utility>
#include <vector>

namespace gban::dev {

// What CUDA said. out_of_memory: the same call may succeed later; all else is here to stay.
struct Failure : std::runtime_error {
  Failure(const std::string& reason, bool memory)
      : std::runtime_error(reason), out_of_memory(memory) {}
  bool out_of_memory;
};

inline void expect(cudaError_t status) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // so that a later call does not report this one, where it is not sticky
  throw Failure(cudaGetErrorString(status), status == cudaErrorMemoryAllocation);
}

// Makes a device the calling thread's current one for its own lifetime.
class DeviceScope {
 public:
  explicit DeviceScope(int device) : device_(device) {
    expect(cudaGetDevice(&before_));
    if (before_ != device_) expect(cudaSetDevice(device_));
  }
  ~DeviceScope() {
    if (before_ != device_) cudaSetDevice(before_);
  }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int before_ = 0, device_ = 0;
};

inline int current_device() {
  int device = 0;
  expect(cudaGetDevice(&device));
  return device;
}

// Of the calling thread's current device.
inline int device_attribute(cudaDeviceAttr attribute) {
  int value = 0;
  expect(cudaDeviceGetAttribute(&value, attribute, current_device()));
  return value;
}
inline int processors() { return device_attribute(cudaDevAttrMultiProcessorCount); }
inline int shared_block() { return device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin); }
inline int shared_processor() {
  return device_attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor);
}

inline void* allocate(std::size_t bytes) {
  void* memory = nullptr;
  expect(cudaMalloc(&memory, bytes));
  return memory;
}
inline void release(void* memory) noexcept { cudaFree(memory); }

// Page-locked memory of the host's that kernels read and write; *device is their address of it.
inline void* allocate_mapped(std::size_t bytes, void** device) {
  void* memory = nullptr;
  expect(cudaHostAlloc(&memory, bytes, cudaHostAllocMapped));
  const cudaError_t status = cudaHostGetDevicePointer(device, memory, 0);
  if (status != cudaSuccess) cudaFreeHost(memory);
  expect(status);
  return memory;
}
inline void release_mapped(void* memory) noexcept { cudaFreeHost(memory); }

// These have happened when they return.
inline void upload(void* device, const void* host, std::size_t bytes) {
  expect(cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice));
  expect(cudaStreamSynchronize(nullptr));  // a copy from pageable memory may return before its end
}
inline void clear(void* device, std::size_t bytes) {
  expect(cudaMemset(device, 0, bytes));
  expect(cudaDeviceSynchronize());
}
inline void download(void* host, const void* device, std::size_t bytes) {
  expect(cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost));
}

// Writes zeros in the stream's turn; may be captured.
inline void clear_async(void* device, std::size_t bytes, Stream stream) {
  expect(cudaMemsetAsync(device, 0, bytes, stream));
}

inline Stream make_stream() {
  cudaStream_t stream = nullptr;
  expect(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return stream;
}
inline void end_stream(Stream stream) noexcept { cudaStreamDestroy(stream); }

// Whether all that was started on the stream has ended.
inline bool idle(Stream stream) {
  const cudaError_t status = cudaStreamQuery(stream);
  if (status == cudaErrorNotReady) return false;
  expect(status);
  return true;
}

// Sleeps until all that was started on a stream has ended.
class Sleeper {
 public:
  Sleeper() {
    expect(cudaEventCreateWithFlags(&event_, cudaEventBlockingSync | cudaEventDisableTiming));
  }
  ~Sleeper() { cudaEventDestroy(event_); }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  void wait(Stream stream) const {
    expect(cudaEventRecord(event_, stream));
    expect(cudaEventSynchronize(event_));
  }

 private:
  cudaEvent_t event_ = nullptr;
};

// What was launched on a stream while it was captured, to be launched again as a whole.
class Graph {
 public:
  Graph() = default;
  Graph(Graph&& other) noexcept { *this = std::move(other); }
  Graph& operator=(Graph&& other) noexcept {
    std::swap(executable_, other.executable_);
    std::swap(nodes_, other.nodes_);
    return *this;
  }
  ~Graph() {
    if (executable_) cudaGraphExecDestroy(executable_);
  }

  int nodes() const { return nodes_; }
  void launch(Stream stream) const { expect(cudaGraphLaunch(executable_, stream)); }

  // Takes the graph over.
  static Graph instantiate(cudaGraph_t captured, Stream stream) {
    Graph made;
    std::size_t count = 0;
    cudaError_t status = cudaGraphGetNodes(captured, nullptr, &count);
    if (status == cudaSuccess) status = cudaGraphInstantiate(&made.executable_, captured, 0);
    cudaGraphDestroy(captured);
    expect(status);
    expect(cudaGraphUpload(made.executable_, stream));  // or the first launch would
    made.nodes_ = static_cast<int>(count);
    return made;
  }

 private:
  cudaGraphExec_t executable_ = nullptr;
  int nodes_ = 0;
};

// The launches that `body` makes on the stream. Their parameters are copied now; the memory that
// these name must outlive the graph.
template <typename Body>
Graph capture(Stream stream, const Body& body) {
  // Relaxed: the driver may have to load a kernel that is launched for the first time.
  expect(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
  cudaGraph_t captured = nullptr;
  try {
    body();
  } catch (...) {
    if (cudaStreamEndCapture(stream, &captured) == cudaSuccess && captured)
      cudaGraphDestroy(captured);
    cudaGetLastError();
    throw;
  }
  expect(cudaStreamEndCapture(stream, &captured));
  return Graph::instantiate(captured, stream);
}

}  // namespace gban::dev

#endif
