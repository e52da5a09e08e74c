// The engine's calls: checks, sessions and threads around the network.
#include "gban/engine.h"

#include <algorithm>
#include <mutex>
#include <stdexcept>

#include "../model/engine_checks.h"
#include "crew.h"
#include "dispatch.h"
#include "engine_kernels.h"
#include "network.h"
#include "utterance.h"

namespace gban {

GBAN_DECLARE_KERNELS(EngineKernels, engine_kernels)
GBAN_WITH_AVX512VNNI(namespace avx512vnni { extern const EngineKernels engine_kernels; })

const EngineKernels& engine_kernels() { GBAN_CHOOSE_KERNELS(engine_kernels, avx512vnni) }

const char* precision_name(Precision precision) {
  return precision == Precision::fp32 ? "fp32" : precision == Precision::fp16 ? "fp16" : "int8";
}

Precision precision_of(const std::string& name) {
  for (Precision precision : {Precision::fp32, Precision::fp16, Precision::int8})
    if (name == precision_name(precision)) return precision;
  throw std::invalid_argument("precision must be one of fp32, fp16, int8, got " + name);
}

namespace {

// What one call works with; kept for the next one.
struct Session {
  Crew crew;
  std::vector<std::unique_ptr<UtteranceRun>> runs;  // one a thread
};

}  // namespace

struct Engine::State {
  const EngineKernels& kernels;
  Network network;
  Precision precision;
  StageClock clock;
  std::mutex mutex;
  std::vector<std::unique_ptr<Session>> idle;

  State(const Model& model, Precision p)
      : kernels(engine_kernels()), network(pack_network(model, p, kernels.shape)), precision(p) {}

  std::unique_ptr<Session> take() {
    const std::lock_guard<std::mutex> lock(mutex);
    if (idle.empty()) return std::make_unique<Session>();
    std::unique_ptr<Session> session = std::move(idle.back());
    idle.pop_back();
    return session;
  }
  void give_back(std::unique_ptr<Session> session) {
    const std::lock_guard<std::mutex> lock(mutex);
    idle.push_back(std::move(session));
  }
  void furnish(Session& session, int threads) {
    while (static_cast<int>(session.runs.size()) < threads)
      session.runs.push_back(std::make_unique<UtteranceRun>(network, kernels, clock));
  }

  void check(const EngineInput& input) const;
  bool run_one(Session& session, const EngineInput& input, const EngineOutput& output, int threads);
  bool run_many(Session& session, const EngineInput* inputs, const EngineOutput* outputs,
                std::int64_t count, int threads);
};

void Engine::State::check(const EngineInput& in) const {
  const Config& c = network.config;
  check_lengths(in, kMaxFrames, kMaxWords);
  check_words(in.words, in.word_count, c.vocabulary);
  const std::int64_t bad = kernels.first_not_finite(in.features, in.frames * c.features);
  if (bad >= 0) refuse_feature(in.features[bad], bad, c.features);
}

// One utterance, whose directions and modalities are shared among the threads.
bool Engine::State::run_one(Session& session, const EngineInput& input, const EngineOutput& output,
                            int threads) {
  furnish(session, 1);
  UtteranceRun& run = *session.runs[0];
  if (threads < 2) return run.run(input, output);
  struct Layer {
    UtteranceRun& run;
    std::int64_t layer;
  } at = {run, 0};
  run.begin(input, output);
  session.crew.run(
      threads, 2, [](void* p, std::int64_t job, int) { static_cast<Layer*>(p)->run.encode(job); },
      &at);
  for (; at.layer < network.config.lstm_layers; ++at.layer)
    session.crew.run(
        threads, kDirections,
        [](void* p, std::int64_t job, int) {
          static_cast<Layer*>(p)->run.recur(static_cast<Layer*>(p)->layer, job);
        },
        &at);
  return run.finish();
}

bool Engine::State::run_many(Session& session, const EngineInput* inputs,
                             const EngineOutput* outputs, std::int64_t count, int threads) {
  furnish(session, threads);
  struct Batch {
    Session& session;
    const EngineInput* inputs;
    const EngineOutput* outputs;
    std::atomic<bool> finite{true};
  } batch = {session, inputs, outputs};
  session.crew.run(
      threads, count,
      [](void* p, std::int64_t i, int worker) {
        Batch& b = *static_cast<Batch*>(p);
        if (!b.session.runs[worker]->run(b.inputs[i], b.outputs[i])) b.finite = false;
      },
      &batch);
  return batch.finite;
}

Engine::Engine(const Model& model, Precision precision)
    : state_(std::make_unique<State>(model, precision)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

void Engine::run(const EngineInput& input, const EngineOutput& output, int threads) const {
  run(&input, &output, 1, threads);
}

void Engine::run(const EngineInput* inputs, const EngineOutput* outputs, std::int64_t count,
                 int threads) const {
  if (threads < 1)
    throw std::invalid_argument("threads must be at least 1, got " + std::to_string(threads));
  for (std::int64_t i = 0; i < count; ++i) state_->check(inputs[i]);
  std::unique_ptr<Session> session = state_->take();
  const int useful =
      static_cast<int>(std::min<std::int64_t>(threads, std::max<std::int64_t>(count, 1)));
  const bool finite = count == 1 ? state_->run_one(*session, *inputs, *outputs, threads)
                                 : state_->run_many(*session, inputs, outputs, count, useful);
  state_->give_back(std::move(session));
  if (!finite)
    throw std::runtime_error(
        "the network's values are not finite for this utterance; its model file is damaged or "
        "was not trained to the end");
}

Steps Engine::steps(const EngineInput& input) const {
  return {config().speech_steps(input.frames), config().text_steps(input.word_count)};
}
const Config& Engine::config() const { return state_->network.config; }
Precision Engine::precision() const { return state_->precision; }
bool Engine::has_gates() const { return state_->network.pairs.size() == 2; }
bool Engine::has_alignment() const { return state_->network.aligned; }

void Engine::measure(bool on) const { state_->clock.on.store(on); }

std::vector<Engine::Timing> Engine::timings() const {
  std::vector<Timing> all;
  for (int i = 0; i < kStages; ++i)
    all.push_back({stage_name(i), 1e-9 * state_->clock.nanoseconds[i].exchange(0)});
  return all;
}

}  // namespace gban
