// Recognizer and Utterance: results against doubles, pieces against the whole, threads and memory.
#include "gban/recognizer.h"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

#include "counted_new.h"
#include "gban/resample.h"
#include "model_writer.h"
#include "network_gold.h"
#include "recognizer_test.h"

namespace gban::testing {
namespace {

double mean(const Row& x) {
  double sum = 0;
  for (double value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

// `stride` and `field` in seconds, worked out by hand for the sizes.
void check_alignment(const Result& r, const Gold& gold, double stride, double field,
                     const std::string& what) {
  double total = 0;
  for (std::size_t m = 0; m < r.alignment.size(); ++m) {
    const AlignedWord& w = r.alignment[m];
    const Row& alpha = gold.alpha[m / 2];
    std::size_t k = 0;  // the step that was meant
    while (k + 1 < alpha.size() && stride * static_cast<double>(k) < w.start - 1e-9) ++k;
    const double start = stride * static_cast<double>(k);
    expect(near(w.start, std::min(start, r.seconds)) &&
               near(w.end, std::min(start + field, r.seconds)),
           what + " word " + std::to_string(m) + " lies at a speech step");
    // Where the sound is shorter than one step's field there is but one step.
    expect(alpha[k] > *std::max_element(alpha.begin(), alpha.end()) - 1e-6,
           what + " word " + std::to_string(m) + " lies at the greatest alpha");
    const bool alone = m + 1 == r.alignment.size() && m % 2 == 0;
    expect(near(w.weight, gold.text_weights[m / 2] / (alone ? 1 : 2)), what + " word's weight");
    total += w.weight;
  }
  expect(r.alignment.empty() || near(total, 1), what + " weights of words sum to 1");
}

void check_against_gold(const std::string& name, const Config& config, double stride, double field,
                        std::int64_t samples, int words) {
  const Model model = random_model(name, config, 17);
  const Recognizer recognizer(model, on_cpu());
  const std::vector<float> pcm = sound(samples, 3);
  const Result r = recognizer.recognize(pcm.data(), samples, some_words(words));
  RandomInput in{{}, {}, frame_count(samples)};
  in.features.resize(static_cast<std::size_t>(in.frames * kFeatures));
  extract_features(pcm.data(), samples, in.features.data());
  for (int i = 0; i < words; ++i) in.words.push_back(2 + i * 7 % 60 < 50 ? 2 + i * 7 % 60 : 1);
  const Gold gold = GoldNetwork(model)(in.view());

  const std::string what = name + " " + std::to_string(samples) + "/" + std::to_string(words);
  for (std::size_t i = 0; i < gold.probabilities.size(); ++i)
    expect(near(r.probabilities[i], gold.probabilities[i]), what + " probabilities");
  const auto best = std::max_element(r.probabilities.begin(), r.probabilities.end());
  expect(r.index == best - r.probabilities.begin() && r.label == model.labels[r.index], what);
  expect(r.has_contributions == (name == "gban"), what + " has contributions");
  if (r.has_contributions)
    expect(near(r.contributions.a_s, mean(gold.aligned_gate)) &&
               near(r.contributions.a_t, 1 - mean(gold.aligned_gate)) &&
               near(r.contributions.h_s, mean(gold.last_gate)) &&
               near(r.contributions.h_t, 1 - mean(gold.last_gate)),
           what + " contributions");
  const bool aligned = name != "h_s" && name != "h_t";
  expect(r.alignment.size() == static_cast<std::size_t>(aligned ? words : 0), what + " words");
  expect(r.speech_weights.size() == gold.speech_weights.size() &&
             r.text_weights.size() == gold.text_weights.size(),
         what + " weights");
  if (aligned) check_alignment(r, gold, stride, field, what);
  expect(near(r.seconds, static_cast<double>(samples) / 16000), what + " seconds");
}

void test_against_doubles() {
  for (const char* name : {"gban", "a_t", "h_s", "h_t"})
    check_against_gold(name, config_of({12, 20, 28, 36}), 0.16, 0.632, 50000, 7);
  const Config authors = config_of({12, 20, 28, 36});
  for (std::int64_t samples : {0, 1, 511, 9000, 9760, 120000})
    for (int words : {0, 1, 2, 20})
      check_against_gold("gban", authors, 0.16, 0.632, samples, words);
  Config two = config_of({6, 5});  // field of 1 + 2 * ... frames: ((1 * 2 + 2) * 2 + 2) = 10
  two.conv_kernel = 3;
  check_against_gold("gban", two, 0.04, 9 * 0.01 + 0.032, 30000, 9);
}

void test_pieces() {
  const Recognizer recognizer(test_model(), on_cpu());
  std::mt19937 random(4);
  for (int rate : {16000, 8000, 44100}) {
    Utterance floats = recognizer.begin(rate), shorts = recognizer.begin(rate);
    Result reused;
    for (std::int64_t samples : {0, 700, 60000, 30000, 400000}) {
      std::vector<float> pcm = sound(samples, 8);
      std::vector<std::int16_t> whole(pcm.size());
      for (std::size_t i = 0; i < pcm.size(); ++i) {
        whole[i] = static_cast<std::int16_t>(std::lround(pcm[i] * 20000));
        pcm[i] = static_cast<float>(whole[i]) / 32768.0f;
      }
      const std::string what = std::to_string(samples) + " samples at " + std::to_string(rate);
      const Result one = recognizer.recognize(pcm.data(), samples, "word3 word4", rate);
      expect(same(one, recognizer.recognize(whole.data(), samples, "word3 word4", rate)),
             what + " as 16-bit numbers");
      for (std::int64_t at = 0, n; at < samples; at += n) {
        n = std::min<std::int64_t>(samples - at, static_cast<std::int64_t>(random() % 3000));
        floats.push(pcm.data() + at, n);
        shorts.push(whole.data() + at, n);
      }
      expect(near(floats.seconds(), one.seconds), what + " so far");
      floats.finish("word3 word4", reused);
      expect(same(one, reused), what + " in pieces");
      expect(same(one, shorts.finish("word3 word4")), what + " in 16-bit pieces");
      expect(floats.seconds() == 0, what + " are over");
    }
  }
  // A result that another system wrote before has nothing of it left.
  const Recognizer speech_alone(test_model("h_s"), on_cpu());
  Result used = recognizer.recognize(sound(5000, 1).data(), 5000, "word3 word4");
  Utterance utterance = speech_alone.begin();
  utterance.finish("word3", used);
  expect(same(used, speech_alone.recognize(sound(0, 1).data(), 0, "word3")), "memory used again");
  // Another rate is that sound resampled: the same numbers come from outside.
  const std::vector<float> pcm = sound(90000, 9);
  const std::vector<float> converted = resample(pcm.data(), 90000, 44100);
  const Result direct = recognizer.recognize(converted.data(), count(converted), "word3");
  const Result within = recognizer.recognize(pcm.data(), 90000, "word3", 44100);
  expect(direct.probabilities == within.probabilities, "the recogniser resamples as resample()");
}

// Utterances of four threads on one recognizer, by both ways in, and after it is gone.
void test_threads(int rounds) {
  auto recognizer = std::make_unique<Recognizer>(test_model(), on_cpu());
  const std::vector<float> pcm = sound(60000, 12);
  const auto length = [](int i) { return std::int64_t{1200} * (i % 17) + i; };
  const auto rate = [](int i) { return i % 5 == 0 ? 22050 : 16000; };
  std::vector<Result> singly;
  for (int i = 0; i < 34; ++i)
    singly.push_back(recognizer->recognize(pcm.data(), length(i), some_words(i % 6), rate(i)));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Utterance utterance = recognizer->begin();
      for (int n = 0; n < rounds; ++n) {
        const int i = (n * 7 + t * 11) % 34;
        const std::string words = some_words(i % 6);
        if (!same(recognizer->recognize(pcm.data(), length(i), words, rate(i)), singly[i])) ++wrong;
        if (rate(i) != kSampleRate) continue;
        utterance.push(pcm.data(), length(i) / 2);
        utterance.push(pcm.data() + length(i) / 2, length(i) - length(i) / 2);
        if (!same(utterance.finish(words), singly[i])) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  expect(wrong == 0, std::to_string(wrong) + " results of threads differ");

  Utterance survivor = recognizer->begin();
  const Recognizer moved = std::move(*recognizer);
  recognizer.reset();
  survivor.push(pcm.data(), length(8));
  expect(same(survivor.finish(some_words(2)), singly[8]), "the recognizer was moved");
}

void test_no_allocation() {
  const Recognizer recognizer(test_model(), on_cpu());
  const std::vector<float> pcm = sound(130000, 13);
  const std::vector<std::int16_t> whole(130000, 100);
  for (int rate : {16000, 44100}) {
    Utterance utterance = recognizer.begin(rate);
    Result result;
    long in_push = 0, in_finish = 0, with_words = 0;
    for (int round = 0; round < 6; ++round) {
      const long start = allocations();
      for (std::int64_t at = 0; at < 130000; at += 325) utterance.push(pcm.data() + at, 325);
      utterance.discard();
      for (std::int64_t at = 0; at < 119600; at += 325) utterance.push(pcm.data() + at, 325);
      utterance.push(whole.data(), 200);
      const long pushed = allocations();
      utterance.finish("", result);
      const long finished = allocations();
      utterance.finish("word3 word4 word5", result);
      if (round < 3) continue;
      in_push += pushed - start;
      in_finish += finished - pushed;
      with_words += allocations() - finished;
    }
    expect(in_push == 0, "push allocates " + std::to_string(in_push));
    // The note "resampled from 44100 Hz" is one for each of the three.
    expect(in_finish == (rate == 16000 ? 0 : 3), "finish allocates " + std::to_string(in_finish));
    std::printf("%d Hz: 3 finish() with 3 words: %ld allocations\n", rate, with_words);
  }
}

// A file for the test of the C interface.
int write_model(const char* path) {
  test::ModelFile file = test::small_model("gban");
  const Model model = random_model("gban", test::small_config(), 3);
  for (auto& entry : file.tensors) {
    const Tensor& tensor = model.weight(entry.first);
    entry.second.values.assign(tensor.data, tensor.data + tensor.size());
  }
  std::ofstream out(path, std::ios::binary);
  out << file.bytes();
  return out.flush() ? 0 : 1;
}

int run_all(bool threads_alone) {
  test_threads(threads_alone ? 60 : 300);
  if (!threads_alone) {
    test_against_doubles();
    test_pieces();
    test_rules();
    test_no_allocation();
  }
  std::printf(failures ? "%d failures\n" : "all well\n", failures);
  return failures ? 1 : 0;
}

}  // namespace
}  // namespace gban::testing

// With "threads": what threads share alone, for ThreadSanitizer. With "write" and a path: writes
// a model file.
int main(int argc, char** argv) {
  if (argc > 2 && std::strcmp(argv[1], "write") == 0) return gban::testing::write_model(argv[2]);
  return gban::testing::run_all(argc > 1);
}
