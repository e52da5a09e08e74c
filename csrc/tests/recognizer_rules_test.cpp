// The recogniser's rules: notes of the result, what is refused and in which words, options.
#include <limits>
#include <stdexcept>

#include "gban/isa.h"
#include "recognizer_test.h"

namespace gban::testing {
namespace {

void expect_notes(const Result& r, const std::vector<std::string>& notes) {
  std::string got;
  for (const std::string& note : r.notes) got += note + "; ";
  expect(r.notes == notes, "notes, got " + got);
}

void test_notes() {
  const Recognizer recognizer(test_model(), on_cpu());
  const std::vector<float> pcm = sound(160000, 1);
  const auto run = [&](std::int64_t samples, const std::string& words, int rate = 16000) {
    return recognizer.recognize(pcm.data(), samples, words, rate);
  };
  expect_notes(run(120000, "a"), {});
  expect_notes(run(160000, "a"), {"sound cut at 7.5 s of 10.0 s"});
  expect_notes(run(0, "a"), {"no sound"});
  expect_notes(run(0, "", 44100), {"no sound", "no words"});
  expect_notes(run(120000, " ,.- "), {"no words"});
  expect_notes(run(160000, "", 8000),
               {"resampled from 8000 Hz", "sound cut at 7.5 s of 20.0 s", "no words"});
  expect_notes(run(100, some_words(512)), {});
  expect_notes(run(100, some_words(600)), {"words cut at 512 of 600"});
  expect_notes(
      run(159999, some_words(513), 8000),
      {"resampled from 8000 Hz", "sound cut at 7.5 s of 20.0 s", "words cut at 512 of 513"});
  expect(run(160000, "a").probabilities == run(120000, "a").probabilities, "the rest is not heard");
  expect(run(100, some_words(600)).probabilities == run(100, some_words(512)).probabilities,
         "the rest is not read");
  expect(near(run(160000, "a", 8000).seconds, 7.5), "seconds heard");
  expect(run(5000, "").probabilities == run(5000, " ,.- ").probabilities, "no words");
  // An hour, as it would arrive; what lies beyond the cut may even be broken.
  Utterance utterance = recognizer.begin(48000);
  for (int i = 0; i < 1200; ++i) utterance.push(pcm.data(), 144000);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  utterance.push(&nan, 1);
  expect_notes(utterance.finish("a"),
               {"resampled from 48000 Hz", "sound cut at 7.5 s of 3600.0 s"});
}

void test_refusals() {
  const Recognizer recognizer(test_model(), on_cpu());
  const std::vector<float> good = sound(3000, 2);
  const Result before = recognizer.recognize(good.data(), 3000, "word3");
  using Invalid = std::invalid_argument;
  const auto at = [&](float value, const char* text) {
    std::vector<float> bad = good;
    bad[1017] = value;
    expect_refused<Invalid>(text, [&] { recognizer.recognize(bad.data(), 3000, "word3"); });
    Utterance utterance = recognizer.begin();
    utterance.push(bad.data(), 1000);
    expect_refused<Invalid>(text, [&] { utterance.push(bad.data() + 1000, 2000); });
    utterance.push(good.data() + 1000, 2000);  // as if nothing had been
    expect_refused<Invalid>("text must be UTF-8, got byte 0xff at offset 1",
                            [&] { utterance.finish("a\xff"); });
    expect(same(before, utterance.finish("word3")), "a refused call changes nothing");
  };
  at(std::numeric_limits<float>::quiet_NaN(), "pcm must be finite, got nan at sample 1017");
  at(-std::numeric_limits<float>::infinity(), "pcm must be finite, got -inf at sample 1017");
  at(12345.0f,
     "pcm must be in [-1, 1], got 12345.0 at sample 1017; divide 16-bit integers by 32768");
  at(-8.5f, "pcm must be in [-1, 1], got -8.5 at sample 1017; divide 16-bit integers by 32768");
  std::vector<float> loud(3000, 8.0f);
  recognizer.recognize(loud.data(), 3000, "");

  for (int rate : {0, 7999, 192001})
    expect_refused<Invalid>("sample_rate must lie in 8000..192000, got " + std::to_string(rate),
                            [&] { recognizer.recognize(good.data(), 3000, "", rate); });
  expect_refused<Invalid>("sample_rate must lie in 8000..192000, got -5",
                          [&] { recognizer.begin(-5); });
  expect_refused<Invalid>("samples must be at least 0, got -1",
                          [&] { recognizer.recognize(good.data(), -1, ""); });
  expect_refused<Invalid>("pcm must not be null",
                          [&] { recognizer.recognize(static_cast<const float*>(nullptr), 5, ""); });
  expect_refused<Invalid>("text must be UTF-8, got byte 0x80 at offset 0",
                          [&] { recognizer.recognize(good.data(), 3000, "\x80"); });
  expect(same(before, recognizer.recognize(good.data(), 3000, "word3")), "all is as before");
}

void test_options() {
  const Model model = test_model();
  using Invalid = std::invalid_argument;
  const auto refused = [&](const char* text, auto change) {
    RecognizerOptions options = on_cpu();
    change(options);
    expect_refused<Invalid>(text, [&] { Recognizer(model, options); });
  };
  refused("threads must be at least 1, got 0", [](auto& o) { o.threads = 0; });
  refused("device must be at least 0, got -1", [](auto& o) { o.device = -1; });
  refused("abstain_below must lie in 0..1, got 1.500000", [](auto& o) { o.abstain_below = 1.5; });
  expect_refused<Invalid>("backend must be one of auto, cpu, cuda, got 'gpu'",
                          [] { backend_of("gpu"); });
  Config wide = config_of({4});
  wide.features = 53;
  expect_refused<Invalid>("features must be 52, as many as the frontend makes, got 53",
                          [&] { Recognizer(random_model("gban", wide, 1)); });
  expect_refused<FileNotFound>("model file /no/such/file does not exist",
                               [] { Recognizer::load("/no/such/file"); });

  const std::vector<float> pcm = sound(20000, 6);
  RecognizerOptions options = on_cpu();
  options.precision = Precision::fp16;
  const Result sure = Recognizer(model, options).recognize(pcm.data(), 20000, "word3");
  const float greatest = sure.probabilities[sure.index];
  expect(!sure.abstained && !sure.label.empty(), "an answer");
  expect(sure.backend == "cpu fp16 " + std::string(isa_name(current_isa())), sure.backend);
  options.abstain_below = greatest;
  expect(!Recognizer(model, options).recognize(pcm.data(), 20000, "word3").abstained,
         "just enough");
  options.abstain_below = greatest + 1e-6;
  const Result unsure = Recognizer(model, options).recognize(pcm.data(), 20000, "word3");
  expect(unsure.abstained && unsure.label.empty() && unsure.index == sure.index, "abstains");
  options.threads = 2;
  expect(same(unsure, Recognizer(model, options).recognize(pcm.data(), 20000, "word3")), "threads");

#ifndef GBAN_HAS_CUDA
  const std::string why = "built without CUDA, put nvcc on the PATH and build with GBAN_CUDA=1";
  const Recognizer automatic(model);
  expect(automatic.backend_name().rfind("cpu fp32 ", 0) == 0, "auto takes the CPU");
  expect(automatic.backend_reason() == "cuda: " + why, "and says why");
  options.backend = Backend::cuda;
  expect_refused<std::runtime_error>("backend cuda cannot run: " + why + "; or use backend cpu",
                                     [&] { Recognizer(model, options); });
#endif
}

}  // namespace

void test_rules() {
  test_notes();
  test_refusals();
  test_options();
}

}  // namespace gban::testing
