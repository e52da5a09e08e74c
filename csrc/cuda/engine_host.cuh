// CudaEngine of gban/engine_cuda.h: checks, turns, errors. Compiled into the core by engine.cu, and
// by the tests with the shim.
#pragma once

#include <mutex>
#include <string>

#include "../model/engine_checks.h"
#include "engine_session.cuh"

namespace gban {

struct CudaEngine::State {
  Config config;
  Precision precision;
  CudaOptions options;
  std::unique_ptr<cuda::AnySession> session;
  std::mutex turns;
  std::string broken;  // why, where the device was lost

  std::string device() const { return "device " + std::to_string(options.device); }

  // Does `work` on the device; an error of CUDA's becomes one that says what was being done. Where
  // memory alone was missing the engine stays usable.
  template <typename Work>
  void guard(const std::string& doing, const Work& work) {
    if (!broken.empty())
      throw std::runtime_error("this engine is unusable since " + broken +
                               "; make it anew, or use backend cpu");
    std::string failed = doing + " on " + device() + " failed: ";
    try {
      const dev::DeviceScope scope(options.device);
      return work();
    } catch (const dev::Failure& failure) {
      failed += failure.what();
      if (failure.out_of_memory)
        throw std::runtime_error(failed + "; free memory on " + device() + " or use backend cpu");
    } catch (const std::invalid_argument&) {
      throw;
    } catch (const std::runtime_error& error) {  // from a launch: what it says names the kernel
      failed += error.what();
    }
    if (session) broken = failed;
    throw std::runtime_error(failed + "; use backend cpu" +
                             (session ? ", or make the engine anew" : ""));
  }

  void load(const Model& model) {
    cuda::require_network(model);
    if (precision == Precision::int8)
      throw std::invalid_argument(
          "precision must be fp32 or fp16 on backend cuda, got int8; use backend cpu");
    guard("loading the model", [&] {
      const cuda::DeviceLimits limits{dev::processors(), dev::shared_block(),
                                      dev::shared_processor()};
      if (precision == Precision::fp16)
        session = std::make_unique<cuda::Session<Half>>(model, options, limits);
      else
        session = std::make_unique<cuda::Session<float>>(model, options, limits);
    });
  }

  void run(const EngineInput* inputs, const EngineOutput* outputs, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      check_lengths(inputs[i], CudaEngine::kMaxFrames, session->most_words());
      check_words(inputs[i].words, inputs[i].word_count, config.vocabulary);
      check_features(inputs[i].features, inputs[i].frames, config.features);
    }
    const std::lock_guard<std::mutex> turn(turns);
    for (std::int64_t i = 0; i < count; i += cuda::kMostBatch)
      guard("running the network", [&] {
        const auto n = std::min<std::int64_t>(count - i, cuda::kMostBatch);
        session->run(inputs + i, outputs + i, static_cast<int>(n));
      });
  }

  int prepare(std::int64_t frames, std::int64_t words, std::int64_t count) {
    check_lengths({nullptr, frames, nullptr, words}, CudaEngine::kMaxFrames, session->most_words());
    const std::lock_guard<std::mutex> turn(turns);
    int nodes = 0;
    const auto batch = std::min<std::int64_t>(count, cuda::kMostBatch);
    guard("capturing the network's graph",
          [&] { nodes = session->prepare(cuda::bucket_for(frames, words, batch)); });
    return nodes;
  }
};

CudaEngine::CudaEngine(const Model& model, Precision precision, const CudaOptions& options)
    : state_(new State{model.config, precision, options, nullptr, {}, {}}) {
  state_->load(model);
}

CudaEngine::~CudaEngine() = default;
CudaEngine::CudaEngine(CudaEngine&&) noexcept = default;
CudaEngine& CudaEngine::operator=(CudaEngine&&) noexcept = default;

void CudaEngine::run(const EngineInput& input, const EngineOutput& output) const {
  state_->run(&input, &output, 1);
}

void CudaEngine::run(const EngineInput* inputs, const EngineOutput* outputs,
                     std::int64_t count) const {
  state_->run(inputs, outputs, count);
}

int CudaEngine::prepare(std::int64_t frames, std::int64_t words, std::int64_t count) const {
  return state_->prepare(frames, words, count);
}

Steps CudaEngine::steps(const EngineInput& input) const {
  return {state_->config.speech_steps(input.frames), state_->config.text_steps(input.word_count)};
}

const Config& CudaEngine::config() const { return state_->config; }
Precision CudaEngine::precision() const { return state_->precision; }
bool CudaEngine::has_table() const { return state_->session->has_table(); }

}  // namespace gban
