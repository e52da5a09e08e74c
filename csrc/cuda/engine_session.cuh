// A network on a device: its weights, its memory, its graphs. What gban/engine_cuda.h promises of
// errors and threads is engine_host.cuh's business.
#pragma once

#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "engine_weights.h"
#include "gban/engine_cuda.h"
#include "gban/text.h"
#include "runtime.cuh"

namespace gban::cuda {

// Memory of the device's, or mapped memory of the host's.
class Memory {
 public:
  enum class Kind { device, mapped };

  Memory(Kind kind, std::size_t bytes) : kind_(kind) {
    if (kind == Kind::mapped)
      host_ = allocate_mapped(bytes, &device_);
    else
      device_ = allocate(bytes);
  }
  ~Memory() { kind_ == Kind::mapped ? release_mapped(host_) : release(device_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void* host() const { return host_; }
  void* device() const { return device_; }

 private:
  Kind kind_;
  void *host_ = nullptr, *device_ = nullptr;
};

struct StreamOwner {
  Stream stream = make_stream();
  StreamOwner() = default;
  ~StreamOwner() { end_stream(stream); }
  StreamOwner(const StreamOwner&) = delete;
  StreamOwner& operator=(const StreamOwner&) = delete;
};

// For one thread at a time. Calls throw dev::Failure where CUDA fails.
class AnySession {
 public:
  virtual ~AnySession() = default;
  virtual int prepare(const Bucket& bucket) = 0;
  // Up to kMostBatch utterances, checked already.
  virtual void run(const EngineInput* inputs, const EngineOutput* outputs, int count) = 0;
  virtual std::int64_t most_words() const = 0;
  virtual bool has_table() const = 0;
};

template <typename T>
class Session final : public AnySession {
 public:
  // Refuses what has no kernel before it allocates anything.
  Session(const Model& model, const CudaOptions& options, const DeviceLimits& device);

  int prepare(const Bucket& bucket) override { return graph(bucket).nodes(); }
  void run(const EngineInput* inputs, const EngineOutput* outputs, int count) override;
  std::int64_t most_words() const override { return tiles_.most_words; }
  bool has_table() const override { return has_table_; }

 private:
  template <typename V>
  const V* upload_all(const std::vector<V>& values) {
    memory_.push_back(std::make_unique<Memory>(Memory::Kind::device, values.size() * sizeof(V)));
    upload(memory_.back()->device(), values.data(), values.size() * sizeof(V));
    return static_cast<const V*>(memory_.back()->device());
  }
  template <typename V>
  V* reserve(std::int64_t count) {
    memory_.push_back(std::make_unique<Memory>(Memory::Kind::device, count * sizeof(V)));
    return static_cast<V*>(memory_.back()->device());
  }
  template <typename V>
  V* reserve_mapped(std::int64_t count, V** on_device) {
    memory_.push_back(std::make_unique<Memory>(Memory::Kind::mapped, count * sizeof(V)));
    std::memset(memory_.back()->host(), 0, count * sizeof(V));
    *on_device = static_cast<V*>(memory_.back()->device());
    return static_cast<V*>(memory_.back()->host());
  }

  void load(const Model& model);
  void reserve_buffers();
  ResultLayout result_layout() const;
  const Graph& graph(const Bucket& bucket);
  void launch_encode(const Bucket& bucket);
  void launch_head(const Bucket& bucket);
  BiLstm<T> lstm(const Bucket& bucket) const;
  void write_input(int b, const EngineInput& input, bool alpha);
  void wait(unsigned sequence) const;
  void read_output(int b, const EngineOutput& output) const;

  Config config_;
  CudaOptions options_;
  DeviceLimits device_;
  HeadPlan tiles_;
  float temperature_;
  bool has_table_;
  StreamOwner stream_;
  Sleeper sleeper_;
  std::vector<std::unique_ptr<Memory>> memory_;
  std::map<Bucket, Graph> graphs_;

  // Weights and buffers, all of the device's.
  EncodeParams<T> encode_{};
  HeadParams<T> head_{};
  const unsigned char *speech_lstm_ = nullptr, *text_lstm_ = nullptr;
  T *speech_states_ = nullptr, *text_states_ = nullptr;
  float *speech_last_ = nullptr, *text_last_ = nullptr;
  EngineRun* run_ = nullptr;
  unsigned char* lstm_workspace_ = nullptr;

  // The same mapped memory as the host sees it.
  EngineHeader* header_ = nullptr;
  float* features_ = nullptr;  // [kMostBatch][kMostFrames][features]
  int* words_ = nullptr;       // [kMostBatch][kMostWords]
  float* results_ = nullptr;   // [kMostBatch][layout.floats]
  unsigned* flag_ = nullptr;
};

}  // namespace gban::cuda

#include "engine_session_load.cuh"
#include "engine_session_run.cuh"
