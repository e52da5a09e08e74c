// The host half of csrc/cuda/runtime.cuh: memory of the CPU, streams that do their work at once,
// graphs that replay launches; and faults, so that tests reach what is done about them.
#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "shim.h"

namespace shim {

// What goes wrong. Counts run down with every call of their kind; the call that finds 1 fails, and
// 0 means never.
struct Faults {
  int allocation = 0;  // out of memory
  int launch = 0;      // of a graph: refused, and the device is lost
  int vanish = 0;      // a graph's launch is accepted, nothing runs, and the device is lost
  bool lost = false;   // every call fails
};
Faults& faults();

// How many blocks of memory are allocated now.
int allocations();

}  // namespace shim

namespace gban::dev {

struct Failure : std::runtime_error {
  Failure(const std::string& reason, bool memory)
      : std::runtime_error(reason), out_of_memory(memory) {}
  bool out_of_memory;
};

// There is device 0, and none beside it.
class DeviceScope {
 public:
  explicit DeviceScope(int device);
};

// The limits of the GPU that is emulated.
struct Emulated {
  int processors = 8, shared_block = 166912, shared_processor = 167936;  // a Jetson Orin
};
Emulated& emulated();
inline int current_device() { return 0; }
inline int processors() { return emulated().processors; }
inline int shared_block() { return emulated().shared_block; }
inline int shared_processor() { return emulated().shared_processor; }

void* allocate(std::size_t bytes);  // filled with NaN
void release(void* memory) noexcept;
void* allocate_mapped(std::size_t bytes, void** device);
void release_mapped(void* memory) noexcept;
void upload(void* device, const void* host, std::size_t bytes);
void clear(void* device, std::size_t bytes);
void download(void* host, const void* device, std::size_t bytes);
void clear_async(void* device, std::size_t bytes, Stream stream);

Stream make_stream();
void end_stream(Stream stream) noexcept;
bool idle(Stream stream);

class Sleeper {
 public:
  Sleeper();
  void wait(Stream stream) const;
};

class Graph {
 public:
  int nodes() const { return static_cast<int>(launches_.size()); }
  void launch(Stream stream) const;

 private:
  friend Graph end_capture(Stream stream);
  std::vector<std::function<void()>> launches_;
};

void begin_capture(Stream stream);
Graph end_capture(Stream stream);

template <typename Body>
Graph capture(Stream stream, const Body& body) {
  begin_capture(stream);
  try {
    body();
  } catch (...) {
    end_capture(stream);
    throw;
  }
  return end_capture(stream);
}

}  // namespace gban::dev
