#include "backend.h"

#include <cmath>
#include <stdexcept>

#include "gban/isa.h"

#ifdef GBAN_HAS_CUDA
#include "gban/devices.h"
#endif

namespace gban {
namespace {

void check(const RecognizerOptions& o) {
  if (o.threads < 1)
    throw std::invalid_argument("threads must be at least 1, got " + std::to_string(o.threads));
  if (o.device < 0)
    throw std::invalid_argument("device must be at least 0, got " + std::to_string(o.device));
  if (!(o.abstain_below >= 0 && o.abstain_below <= 1))
    throw std::invalid_argument("abstain_below must lie in 0..1, got " +
                                std::to_string(o.abstain_below));
}

}  // namespace

Backend backend_of(const std::string& name) {
  if (name == "auto") return Backend::automatic;
  if (name == "cpu") return Backend::cpu;
  if (name == "cuda") return Backend::cuda;
  throw std::invalid_argument("backend must be one of auto, cpu, cuda, got '" + name + "'");
}

NetworkBackend::NetworkBackend(const Model& model, const RecognizerOptions& options)
    : threads_(options.threads), hears_words_(model.name != "h_s") {
  check(options);
  if (options.backend != Backend::cpu) {
    const std::string missing = open_cuda(model, options);
    if (missing.empty()) return;
    if (options.backend == Backend::cuda)
      throw std::runtime_error("backend cuda cannot run: " + missing + "; or use backend cpu");
    reason_ = "cuda: " + missing;
  }
  open_cpu(model, options);
}

void NetworkBackend::open_cpu(const Model& model, const RecognizerOptions& options) {
  cpu_ = std::make_unique<Engine>(model, options.precision);
  has_gates_ = cpu_->has_gates();
  has_alignment_ = cpu_->has_alignment();
  name_ = std::string("cpu ") + precision_name(options.precision) + " " + isa_name(current_isa());
}

#ifdef GBAN_HAS_CUDA

// Why there is none, or nothing. A network or precision that the GPU's engine does not run is the
// caller's error where he asked for it.
std::string NetworkBackend::open_cuda(const Model& model, const RecognizerOptions& options) {
  const cuda::Devices devices = cuda::devices();
  if (devices.found.empty()) return devices.reason;
  const auto count = static_cast<int>(devices.found.size());
  if (options.device >= count)
    throw std::invalid_argument("device must lie in 0.." + std::to_string(count - 1) + ", got " +
                                std::to_string(options.device));
  try {
    CudaOptions cuda;
    cuda.device = options.device;
    cuda_ = std::make_unique<CudaEngine>(model, options.precision, cuda);
  } catch (const std::exception& error) {
    if (options.backend == Backend::cuda) throw;
    return error.what();
  }
  has_gates_ = has_alignment_ = true;  // it runs "gban" alone
  name_ = std::string("cuda ") + precision_name(options.precision) + " " +
          devices.found[static_cast<std::size_t>(options.device)].name;
  return "";
}

#else

std::string NetworkBackend::open_cuda(const Model&, const RecognizerOptions&) {
  return "built without CUDA, put nvcc on the PATH and build with GBAN_CUDA=1";
}

#endif

void NetworkBackend::run(const EngineInput& input, const EngineOutput& output) const {
#ifdef GBAN_HAS_CUDA
  if (cuda_) return cuda_->run(input, output);
#endif
  cpu_->run(input, output, threads_);
}

}  // namespace gban
