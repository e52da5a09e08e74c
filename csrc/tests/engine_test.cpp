// The CPU engine against doubles: every system, precision and instruction set, odd sizes; batches,
// threads, memory and bad input.
#include "gban/engine.h"

#include <atomic>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <thread>

#include "counted_new.h"
#include "engine_outputs.h"
#include "gban/isa.h"
#include "network_gold.h"
#include "random_model.h"

namespace gban::testing {
namespace {

double tolerance(Precision p) {
  return p == Precision::fp32 ? 1e-5 : p == Precision::fp16 ? 2e-3 : 3e-2;
}

Config odd_config(std::mt19937& random) {
  const auto from = [&](int low, int high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  Config c;
  c.vocabulary = from(3, 40);
  c.classes = from(2, 19);
  c.features = from(1, 60);
  c.conv_filters.clear();
  for (std::int64_t i = from(1, 4); i > 0; --i) c.conv_filters.push_back(from(1, 70));
  c.conv_kernel = from(1, 5);
  c.embedding = from(1, 40);
  c.text_filters = from(1, 40);
  c.text_kernels.clear();
  for (std::int64_t i = from(1, 3); i > 0; --i) c.text_kernels.push_back(from(1, 6));
  c.hidden = from(1, 40);
  c.lstm_layers = from(1, 3);
  c.fusion = from(1, 40);
  c.classifier = from(1, 40);
  return c;
}

const std::vector<std::string> kSystems = {"gban", "gmu", "tfl", "concat_1", "concat_2",
                                           "a_s",  "a_t", "h_s", "h_t"};

void test_odd_sizes(Precision precision, const std::string& isa) {
  set_isa(isa);
  std::mt19937 random(7);
  double worst = 0;
  for (unsigned i = 0; i < 36; ++i) {
    const std::string& name = kSystems[i % kSystems.size()];
    const Model model = random_model(name, odd_config(random), i);
    const Engine engine(model, precision);
    const GoldNetwork gold(model);
    for (std::int64_t frames : {0, 1, 7, 83})
      worst = std::max(
          worst, compare(engine, gold, random_input(model.config, frames, (frames + i) % 9, random),
                         name + " " + std::to_string(i)));
  }
  expect(worst < tolerance(precision),
         isa + " " + precision_name(precision) + ", odd sizes: " + std::to_string(worst));
  std::printf("%-8s %s  odd sizes %.2g\n", isa.c_str(), precision_name(precision), worst);
}

// A vocabulary so large that there is no table of taps, and the authors' sizes.
void test_large(Precision precision, const std::string& isa) {
  set_isa(isa);
  std::mt19937 random(8);
  double worst = 0;
  for (std::int64_t vocabulary : {30, 6000}) {
    Config c;
    c.vocabulary = vocabulary;
    if (vocabulary > 1000) c.text_filters = 16, c.hidden = 24;
    const Model model = random_model("gban", c, 3);
    const Engine engine(model, precision);
    const GoldNetwork gold(model);
    worst = std::max({worst, compare(engine, gold, random_input(c, 747, 20, random), "large"),
                      compare(engine, gold, random_input(c, 100, 3, random), "large")});
  }
  expect(worst < tolerance(precision),
         isa + " " + precision_name(precision) + ", authors' sizes: " + std::to_string(worst));
  std::printf("%-8s %s  authors' sizes %.2g\n", isa.c_str(), precision_name(precision), worst);
}

Config small_config() {
  Config c;
  c.vocabulary = 50;
  c.embedding = 30;
  c.text_filters = 20;
  c.hidden = 20;
  c.lstm_layers = 2;
  c.fusion = 16;
  c.classifier = 12;
  return c;
}

void test_batches_and_threads() {
  const Model model = random_model("gban", small_config(), 5);
  std::mt19937 random(9);
  std::vector<RandomInput> inputs;
  for (int i = 0; i < 23; ++i)
    inputs.push_back(random_input(model.config, (i * 37) % 300, i % 12, random));
  for (Precision precision : {Precision::fp32, Precision::fp16, Precision::int8}) {
    const Engine engine(model, precision);
    std::vector<Outputs> singly;
    for (const RandomInput& in : inputs) {
      singly.emplace_back(engine, in.view());
      engine.run(in.view(), singly.back().view(engine));
    }
    for (int threads : {1, 2, 3, 8}) {
      std::vector<Outputs> together;
      std::vector<EngineInput> in;
      std::vector<EngineOutput> out;
      for (const RandomInput& one : inputs) together.emplace_back(engine, one.view());
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        in.push_back(inputs[i].view());
        out.push_back(together[i].view(engine));
      }
      engine.run(in.data(), out.data(), static_cast<std::int64_t>(in.size()), threads);
      for (std::size_t i = 0; i < in.size(); ++i) {
        expect(together[i].same(singly[i]), "a batch gives what singles give");
        Outputs again(engine, in[i]);
        engine.run(in[i], again.view(engine), threads);
        expect(again.same(singly[i]), "threads give what one thread gives");
      }
    }
  }
}

void test_callers_at_once() {
  const Model model = random_model("gban", small_config(), 6);
  const Engine engine(model, Precision::fp32);
  std::mt19937 random(10);
  std::vector<RandomInput> inputs;
  std::vector<Outputs> gold;
  for (int i = 0; i < 8; ++i) {
    inputs.push_back(random_input(model.config, 30 * i, i, random));
    gold.emplace_back(engine, inputs.back().view());
    engine.run(inputs.back().view(), gold.back().view(engine));
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&, t] {
      for (int i = 0; i < 40; ++i) {
        const std::size_t at = static_cast<std::size_t>(i * 3 + t) % inputs.size();
        Outputs out(engine, inputs[at].view());
        engine.run(inputs[at].view(), out.view(engine), 1 + t % 2);
        if (!out.same(gold[at])) ++wrong;
      }
    });
  for (std::thread& caller : callers) caller.join();
  expect(wrong == 0, "callers at once get what one gets");
}

void test_no_allocation() {
  const Model model = random_model("gban", small_config(), 6);
  std::mt19937 random(11);
  const RandomInput large = random_input(model.config, 400, 30, random);
  const RandomInput small = random_input(model.config, 90, 4, random);
  for (int threads : {1, 2}) {
    const Engine engine(model, Precision::int8);
    Outputs out(engine, large.view()), other(engine, small.view());
    engine.run(large.view(), out.view(engine), threads);
    const long before = allocations();
    for (int i = 0; i < 10; ++i) {
      engine.run(small.view(), other.view(engine), threads);
      engine.run(large.view(), out.view(engine), threads);
    }
    const bool none = allocations() == before;
    expect(none, "a warm engine allocates nothing");
  }
}

template <typename Call>
void expect_refused(const std::string& words, const Call& call) {
  try {
    call();
    expect(false, "refused: " + words);
  } catch (const std::exception& error) {
    expect(std::string(error.what()).find(words) != std::string::npos,
           "an error that says \"" + words + "\", got: " + error.what());
  }
}

void test_bad_input() {
  const Model model = random_model("gban", small_config(), 6);
  const Engine engine(model, Precision::fp32);
  std::mt19937 random(12);
  const RandomInput good = random_input(model.config, 70, 3, random);
  Outputs before(engine, good.view()), out(engine, good.view());
  engine.run(good.view(), before.view(engine));
  const auto run = [&](const RandomInput& in) { engine.run(in.view(), out.view(engine)); };
  RandomInput bad = good;
  bad.features[52 * 3 + 7] = std::numeric_limits<float>::quiet_NaN();
  expect_refused("features must be finite, got nan at frame 3, feature 7", [&] { run(bad); });
  bad.features[52 * 3 + 7] = -std::numeric_limits<float>::infinity();
  expect_refused("got -inf at frame 3, feature 7", [&] { run(bad); });
  bad = good;
  bad.words[2] = 50;
  expect_refused("word id must lie in 0..49, got 50 at position 2", [&] { run(bad); });
  bad.words[2] = -1;
  expect_refused("got -1 at position 2", [&] { run(bad); });
  bad.words.assign(kMaxWords + 1, 2);
  expect_refused("words must be at most 512, got 513", [&] { run(bad); });
  expect_refused("threads must be at least 1, got 0",
                 [&] { engine.run(good.view(), out.view(engine), 0); });
  expect(out.logits[0] == Outputs::kSentinel, "nothing is written where the input is refused");
  run(good);
  expect(out.same(before), "after an error all is as before");

  Model huge = random_model("h_s", small_config(), 6);
  *const_cast<float*>(huge.weight("classifier.output.bias").data) =
      std::numeric_limits<float>::infinity();
  const Engine broken(huge, Precision::fp32);
  Outputs none(broken, good.view());
  expect_refused("not finite", [&] { broken.run(good.view(), none.view(broken)); });
  expect_refused("model must be one of a_s, a_t",
                 [] { Engine(random_model("mdre", small_config(), 1), Precision::fp32); });
  expect_refused("precision must be one of fp32, fp16, int8, got half",
                 [] { precision_of("half"); });
}

void test_timings() {
  const Model model = random_model("gban", small_config(), 6);
  const Engine engine(model, Precision::fp32);
  std::mt19937 random(13);
  const RandomInput in = random_input(model.config, 300, 8, random);
  Outputs out(engine, in.view());
  engine.run(in.view(), out.view(engine));
  for (const Engine::Timing& t : engine.timings()) expect(t.seconds == 0, "not measured unasked");
  engine.measure(true);
  engine.run(in.view(), out.view(engine));
  for (const Engine::Timing& t : engine.timings()) expect(t.seconds > 0, t.stage + " is measured");
}

// Rows of zeros, which ReLU makes, must not let anything through of what integers leave out.
void test_rows_of_zeros() {
  const Model model = random_model("gban", small_config(), 14);
  for (const auto& entry : model.weights)
    if (entry.first.find("convs") != std::string::npos && entry.second.shape.size() == 1)
      std::fill_n(const_cast<float*>(entry.second.data), entry.second.size(), -1000.0f);
  std::mt19937 random(15);
  const RandomInput in = random_input(model.config, 200, 7, random);
  const GoldNetwork gold(model);
  for (Isa isa : available_isas())
    for (Precision precision : {Precision::fp32, Precision::fp16, Precision::int8}) {
      set_isa(isa_name(isa));
      const double worst = compare(Engine(model, precision), gold, in, "rows of zeros");
      expect(worst < tolerance(precision),
             std::string(isa_name(isa)) + " " + precision_name(precision) + ", rows of zeros");
    }
}

// `what`: everything, all but the authors' sizes, or what threads share.
int run_all(const std::string& what) {
  if (what != "threads") {
    for (Isa isa : available_isas())
      for (Precision precision : {Precision::fp32, Precision::fp16, Precision::int8}) {
        test_odd_sizes(precision, isa_name(isa));
        if (what == "all") test_large(precision, isa_name(isa));
      }
    test_rows_of_zeros();
  }
  test_batches_and_threads();
  test_callers_at_once();
  test_no_allocation();
  test_bad_input();
  test_timings();
  std::printf(failures ? "%d failures\n" : "all well\n", failures);
  return failures ? 1 : 0;
}

}  // namespace
}  // namespace gban::testing

int main(int argc, char** argv) { return gban::testing::run_all(argc > 1 ? argv[1] : "all"); }
