#include "runtime.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace shim {

namespace {

int allocated = 0, capturing = 0;

// True for the call that a count was set for.
bool falls_due(int& count) { return count > 0 && --count == 0; }

void require_device() {
  if (faults().lost) throw gban::dev::Failure("unspecified launch failure", false);
}

// CUDA refuses what would wait or allocate while this thread captures a stream.
void require_no_capture(const char* what) {
  if (capturing)
    throw gban::dev::Failure(std::string(what) + ": not permitted when stream is capturing", false);
}

void* allocate_filled(std::size_t bytes) {
  require_device();
  require_no_capture("allocation");
  if (falls_due(faults().allocation)) throw gban::dev::Failure("out of memory", true);
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes) != 0) throw std::bad_alloc();
  std::memset(memory, 0xFF, bytes);
  ++allocated;
  return memory;
}

}  // namespace

Faults& faults() {
  static Faults chosen;
  return chosen;
}

int allocations() { return allocated; }

void submit(Queue* queue, const std::function<void()>& work) {
  if (queue && queue->capturing)
    queue->recorded.push_back(work);
  else
    work();
}

}  // namespace shim

namespace gban::dev {

DeviceScope::DeviceScope(int device) {
  if (device != 0) throw Failure("invalid device ordinal", false);
}

Emulated& emulated() {
  static Emulated chosen;
  return chosen;
}

void* allocate(std::size_t bytes) { return shim::allocate_filled(bytes); }

void release(void* memory) noexcept {
  if (memory) --shim::allocated;
  std::free(memory);
}

void* allocate_mapped(std::size_t bytes, void** device) {
  return *device = shim::allocate_filled(bytes);
}

void release_mapped(void* memory) noexcept { release(memory); }

void upload(void* device, const void* host, std::size_t bytes) {
  shim::require_device();
  shim::require_no_capture("copy");
  std::memcpy(device, host, bytes);
}

void clear(void* device, std::size_t bytes) {
  shim::require_device();
  shim::require_no_capture("memset");
  std::memset(device, 0, bytes);
}

void download(void* host, const void* device, std::size_t bytes) {
  shim::require_device();
  shim::require_no_capture("copy");
  std::memcpy(host, device, bytes);
}

void clear_async(void* device, std::size_t bytes, Stream stream) {
  shim::require_device();
  shim::submit(stream, [=] { std::memset(device, 0, bytes); });
}

Stream make_stream() {
  shim::require_device();
  return new shim::Queue;
}

void end_stream(Stream stream) noexcept { delete stream; }

bool idle(Stream) {
  shim::require_device();
  return true;
}

Sleeper::Sleeper() { shim::require_device(); }

void Sleeper::wait(Stream) const { shim::require_device(); }

void begin_capture(Stream stream) {
  shim::require_device();
  stream->capturing = true;
  ++shim::capturing;
}

Graph end_capture(Stream stream) {
  Graph graph;
  graph.launches_.swap(stream->recorded);
  stream->capturing = false;
  --shim::capturing;
  return graph;
}

void Graph::launch(Stream) const {
  shim::require_device();
  shim::require_no_capture("launch");
  const bool refused = shim::falls_due(shim::faults().launch);
  const bool vanishes = shim::falls_due(shim::faults().vanish);
  shim::faults().lost |= refused || vanishes;
  if (vanishes) return;
  shim::require_device();
  for (const auto& launch : launches_) launch();
}

}  // namespace gban::dev
