// The CUDA engine on the shim, from features and words to probabilities, against the gold: random
// models, ragged utterances, every bucket, both precisions; its errors; its graphs.
#include <cstdio>
#include <string>
#include <thread>

#include "engine_cuda_driver.h"
#include "engine_host.cuh"
#include "shim_test.h"

namespace {

using namespace engine_driver;
using gban::CudaEngine;
using gban::Precision;
using gban::testing::GoldNetwork;
using gban::testing::random_input;
using shim_test::expect;

gban::Config authors(std::int64_t hidden) {
  gban::Config c;
  c.vocabulary = 60;
  c.hidden = hidden;
  return c;
}

// Sizes that are multiples of nothing; 196 speech steps; two layers.
gban::Config odd() {
  gban::Config c;
  c.vocabulary = 11;
  c.classes = 3;
  c.features = 7;
  c.conv_filters = {5, 8};
  c.embedding = 10;
  c.text_filters = 6;
  c.text_kernels = {1, 2, 3, 5};
  c.hidden = 32;
  c.lstm_layers = 2;
  c.fusion = 21;
  c.classifier = 13;
  return c;
}

gban::Config small() {
  gban::Config c = authors(64);
  c.embedding = 20;
  c.text_filters = 40;
  c.fusion = c.classifier = 24;
  return c;
}

struct Size {
  std::int64_t frames, words;
};

// Runs them as one batch, twice, under two schedules.
void check_batch(const char* name, const CudaEngine& engine, const gban::Model& model,
                 const std::vector<Size>& sizes, double limit) {
  std::mt19937 rng(sizes.size());
  std::vector<RandomInput> batch;
  for (const Size& s : sizes) batch.push_back(random_input(model.config, s.frames, s.words, rng));
  shim::options().seed = 1;
  const std::vector<Outputs> got = run(engine, batch);
  shim::options().seed = 0;
  const std::vector<Outputs> again = run(engine, batch);
  double worst = 0;
  bool same = true;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto want = GoldNetwork(model)(batch[i].view());
    worst = std::max(worst, got[i].error(want));
    same &= got[i].same(again[i]);
  }
  const std::string what = std::string(name) + ", batch of " + std::to_string(sizes.size());
  std::printf("     %s: largest error %.1e\n", what.c_str(), worst);
  expect(worst <= limit, what + ", against float64");
  expect(same, what + ", the same bits again, under another schedule");
}

// What storing states as fp16 loses: those of the LSTM go through a gate that is steep.
double limit_of(Precision precision) { return precision == Precision::fp16 ? 3e-3 : 1e-5; }

void check_config(const char* name, const gban::Config& config, Precision precision,
                  std::size_t table_bytes, const std::vector<std::vector<Size>>& batches) {
  const gban::Model model = model_of(config, precision);
  gban::CudaOptions options;
  options.table_bytes = table_bytes;
  const CudaEngine engine(model, precision, options);
  expect(engine.has_table() == (table_bytes > 0), std::string(name) + ", table as asked for");
  for (const auto& sizes : batches) check_batch(name, engine, model, sizes, limit_of(precision));
}

void check_numbers() {
  constexpr std::size_t kTable = std::size_t{1} << 28;
  const std::vector<Size> ragged = {{747, 20}, {0, 0}, {61, 1}, {62, 2}, {300, 40}};
  const std::vector<Size> nine = {{0, 0},   {10, 1}, {77, 3}, {92, 9}, {93, 2},
                                  {120, 5}, {61, 8}, {76, 7}, {200, 4}};
#if defined(__SANITIZE_ADDRESS__)
  const std::vector<std::vector<Size>> few = {{{150, 5}}, {{90, 3}, {0, 17}}};
#else
  const std::vector<std::vector<Size>> few = {ragged, {{747, 20}}};
#endif
  check_config("small, fp32", small(), Precision::fp32, kTable, {nine, {{796, 100}}, {{61, 1}}});
  check_config("small, fp16", small(), Precision::fp16, kTable, {nine, {{253, 33}, {1, 8}}});
  check_config("small without a table", small(), Precision::fp32, 0, {{{100, 13}, {80, 2}}});
  check_config("small without a table, fp16", small(), Precision::fp16, 0, {{{0, 9}}});
  check_config("odd, fp32", odd(), Precision::fp32, kTable, {{{130, 5}, {13, 1}}, {{400, 11}}});
  check_config("odd without a table", odd(), Precision::fp32, 0, {{{40, 10}, {30, 7}, {0, 0}}});
  check_config("authors', fp32", authors(128), Precision::fp32, kTable, few);
  check_config("authors', fp16", authors(128), Precision::fp16, kTable, few);
  check_config("H = 256, fp32", authors(256), Precision::fp32, kTable, {few.back()});
  check_config("H = 256, fp16", authors(256), Precision::fp16, kTable, {few.back()});
}

// Results must not depend on the bucket, on who shares the batch, or on what ran before.
void check_buckets() {
  const gban::Model model = model_of(small(), Precision::fp32);
  const CudaEngine engine(model, Precision::fp32);
  std::mt19937 rng(1);
  const RandomInput a = random_input(model.config, 100, 5, rng);
  const RandomInput longer = random_input(model.config, 500, 70, rng);
  const Outputs alone = run(engine, {a})[0];
  const auto want = GoldNetwork(model)(a.view());
  const Outputs shared = run(engine, {longer, a})[1];
  expect(shared.error(want) <= 1e-5, "beside a longer utterance");
  expect(run(engine, {a})[0].same(alone), "the same bits after a longer one");
  run(engine, {longer, longer, longer, longer});
  expect(run(engine, {a, a, a})[2].error(want) <= 1e-5, "a place of the batch is left empty");
  RandomInput none = a, unknown = a;
  none.words.clear(), unknown.words = {1};
  expect(run(engine, {none})[0].same(run(engine, {unknown})[0]), "no words count as one <unk>");
  const gban::EngineOutput nothing{};
  const gban::EngineInput input = a.view();
  engine.run(input, nothing);
  engine.run(nullptr, nullptr, 0);
  bool four = true;
  for (std::int64_t frames : {0, 252, 253, 444, 445, 796})
    for (std::int64_t words : {0, 8, 9, 64, 65, 512})
      for (std::int64_t count : {1, 3, 8, 100}) four &= engine.prepare(frames, words, count) == 4;
  expect(four, "four nodes a graph, in every bucket");
}

// Several threads on one engine take turns. Where CUDA threads are OS threads alone: a fiber
// belongs to the thread that made it.
void check_threads(const gban::Config& config) {
  const gban::Model model = model_of(config, Precision::fp32);
  const CudaEngine engine(model, Precision::fp32);
  std::mt19937 rng(2);
  const std::vector<RandomInput> mine = {random_input(model.config, 20, 2, rng),
                                         random_input(model.config, 0, 1, rng)};
  std::vector<Outputs> got(2);
  const auto call = [&](int i) { got[i] = run(engine, {mine[i]})[0]; };
  std::thread other(call, 1);
  call(0);
  other.join();
  bool right = true;
  for (int i = 0; i < 2; ++i) {
    const auto want = GoldNetwork(model)(mine[i].view());
    right &= got[i].error(want) <= 1e-5;
  }
  expect(right, "calls from two threads");
}

template <typename Error, typename Call>
std::string message(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}
template <typename Call>
std::string refusal(const Call& call) {
  return message<std::invalid_argument>(call);
}

void check_refusals() {
  const gban::Model model = model_of(small(), Precision::fp32);
  const CudaEngine engine(model, Precision::fp32);
  std::mt19937 rng(1);
  const auto refused = [&](const auto& spoil) {
    RandomInput u = random_input(model.config, 9, 4, rng);
    spoil(u);
    return refusal([&] { run(engine, {random_input(model.config, 9, 4, rng), u}); });
  };
  expect(refused([](RandomInput& u) { u.features[3 * 52 + 7] = NAN; }) ==
             "features must be finite, got nan at frame 3, feature 7",
         "NaN is refused");
  expect(refused([](RandomInput& u) { u.features[8 * 52 + 51] = -INFINITY; }) ==
             "features must be finite, got -inf at frame 8, feature 51",
         "infinity is refused");
  expect(refused([](RandomInput& u) { u.words[2] = 9999; }) ==
             "word id must lie in 0..59, got 9999 at position 2",
         "an unknown id is refused");
  expect(refused([](RandomInput& u) { u.words[0] = -1; }) ==
             "word id must lie in 0..59, got -1 at position 0",
         "a negative id is refused");
  expect(refused([](RandomInput& u) { u.features.resize(797 * 52), u.frames = 797; }) ==
             "frames must lie in 0..796, got 797",
         "too many frames are refused");
  expect(
      refused([](RandomInput& u) { u.words.resize(513); }) == "words must be at most 512, got 513",
      "too many words are refused");
  const auto model_refused = [&](gban::Model changed, Precision precision) {
    return refusal([&] { CudaEngine(changed, precision); });
  };
  gban::Model other = model;
  other.name = "h_s";
  expect(model_refused(other, Precision::fp32) ==
             "backend cuda runs the network gban, got h_s; use backend cpu",
         "another network is refused");
  expect(model_refused(model, Precision::int8) ==
             "precision must be fp32 or fp16 on backend cuda, got int8; use backend cpu",
         "int8 is refused");
  other = model;
  other.config.conv_kernel = 3;
  expect(model_refused(other, Precision::fp32) ==
             "conv_kernel must be 4 on backend cuda, got 3; use backend cpu",
         "another convolution is refused");
  other = model;
  other.config.hidden = 48;
  expect(model_refused(other, Precision::fp32).find("use backend cpu") != std::string::npos,
         "H = 48 is refused");
}

// With fewer words where shared memory is short: K is 196 there.
void check_small_devices() {
  const gban::Model model = model_of(odd(), Precision::fp32);
  gban::dev::emulated().shared_block = 60000;
  const CudaEngine engine(model, Precision::fp32);
  std::mt19937 rng(1);
  const RandomInput u = random_input(model.config, 796, 32, rng);
  const auto want = GoldNetwork(model)(u.view());
  expect(run(engine, {u})[0].error(want) <= 1e-5, "a GPU with little shared memory");
  const RandomInput long_one = random_input(model.config, 10, 500, rng);
  expect(refusal([&] { run(engine, {long_one}); }).find("words must be at most ") == 0,
         "fewer words where there is little shared memory");
  gban::dev::emulated().shared_block = 20000;
  expect(refusal([&] { CudaEngine(model, Precision::fp32); }).find("the network must fit") == 0,
         "a GPU with too little of it");
  gban::dev::emulated() = {};
}

void check_memory_runs_out() {
  const gban::Model model = model_of(small(), Precision::fp32);
  int failed = 0;
  bool clean = true, worded = true;
  for (;; ++failed) {
    shim::faults().allocation = failed + 1;
    const std::string what =
        message<std::runtime_error>([&] { CudaEngine(model, Precision::fp32); });
    clean &= shim::allocations() == 0;
    if (what == "nothing") break;
    worded &= what ==
              "loading the model on device 0 failed: out of memory; free memory on device 0 or use "
              "backend cpu";
  }
  shim::faults() = {};
  expect(failed > 10 && worded && clean, "memory runs out at every allocation: said, none is kept");
  gban::CudaOptions options;
  options.device = 3;
  expect(message<std::runtime_error>([&] { CudaEngine(model, Precision::fp32, options); }) ==
             "loading the model on device 3 failed: invalid device ordinal; use backend cpu",
         "a device that is not there");
}

void check_lost(gban::CudaWait wait, int shim::Faults::* fault, const char* what) {
  const gban::Model model = model_of(small(), Precision::fp32);
  gban::CudaOptions options;
  options.wait = wait;
  {
    const CudaEngine engine(model, Precision::fp32, options);
    std::mt19937 rng(1);
    const RandomInput u = random_input(model.config, 30, 3, rng);
    const Outputs good = run(engine, {u})[0];
    expect(run(engine, {u})[0].same(good), std::string(what) + ": not yet");
    shim::faults().*fault = 1;
    const std::string first = message<std::runtime_error>([&] { run(engine, {u}); });
    shim::faults() = {};
    const std::string later = message<std::runtime_error>([&] { run(engine, {u}); });
    const std::string reason = "running the network on device 0 failed: unspecified launch failure";
    expect(first == reason + "; use backend cpu, or make the engine anew", what);
    expect(
        later == "this engine is unusable since " + reason + "; make it anew, or use backend cpu",
        std::string(what) + ": later calls are refused");
  }
  expect(shim::allocations() == 0, std::string(what) + ": memory is given back");
}

}  // namespace

int main() {
  if (shim::kEngineIsThreads) {
    check_threads(odd());
    return shim_test::failures != 0;
  }
  check_refusals();
  check_memory_runs_out();
  check_lost(gban::CudaWait::spin, &shim::Faults::launch, "a launch is refused");
  check_lost(gban::CudaWait::spin, &shim::Faults::vanish, "the device vanishes, spinning");
  check_lost(gban::CudaWait::block, &shim::Faults::vanish, "the device vanishes, blocking");
  check_buckets();
  check_small_devices();
  check_numbers();
  return shim_test::failures != 0;
}
