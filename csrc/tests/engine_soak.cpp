// The memory of a process that hears one utterance after the other, through the public API.
//
//   engine_soak MODEL [UTTERANCES [fp32|fp16|int8]]   exits 1 where it is too much, or grows
//   engine_soak write MODEL [WORDS]                   writes random weights at the authors' sizes
//
// Resident sets are the kernel's (/proc/self/status): Linux alone.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "gban/recognizer.h"
#include "model_writer.h"
#include "random_model.h"

namespace gban::testing {
namespace {

constexpr std::int64_t kBlock = kSampleRate / 50;  // 20 ms, as a microphone gives them
constexpr std::int64_t kMostWords = 40;
constexpr double kMostFiles = 3;           // resident set at most, in sizes of the model file
constexpr std::int64_t kMostGrown = 1024;  // KiB between a tenth of the utterances and all

struct Memory {
  std::int64_t resident, peak;  // KiB
};

Memory memory() {
  Memory found = {0, 0};
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) found.resident = std::atoll(line.c_str() + 6);
    if (line.rfind("VmHWM:", 0) == 0) found.peak = std::atoll(line.c_str() + 6);
  }
  if (found.resident == 0) throw std::runtime_error("/proc/self/status does not say VmRSS");
  return found;
}

// The same utterances for every precision: 0 to 7.5 s, 0 to 40 words.
class Speaker {
 public:
  Speaker() : noise_(2 * kMaxSamples) {
    std::normal_distribution<float> value(0.0f, 0.1f);
    for (float& x : noise_) x = value(random_);
  }

  void longest() { choose(kMaxSamples, kMostWords); }
  void next() { choose(between(0, kMaxSamples), between(0, kMostWords)); }

  const float* pcm() const { return noise_.data() + offset_; }
  std::int64_t samples() const { return samples_; }
  const std::string& words() const { return words_; }

 private:
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(random_);
  }
  void choose(std::int64_t samples, std::int64_t words) {
    samples_ = samples;
    offset_ = between(0, kMaxSamples);
    words_.clear();
    for (std::int64_t i = 0; i < words; ++i)
      words_ += "word" + std::to_string(between(2, 400)) + " ";
  }

  std::mt19937 random_{1};
  std::vector<float> noise_;
  std::int64_t offset_ = 0, samples_ = 0;
  std::string words_;
};

void hear(Utterance& utterance, const Speaker& speaker, Result& result) {
  for (std::int64_t at = 0; at < speaker.samples(); at += kBlock)
    utterance.push(speaker.pcm() + at, std::min(kBlock, speaker.samples() - at));
  utterance.finish(speaker.words(), result);
}

// Says where the process stands, beside the model file.
Memory report(const std::string& when, std::int64_t file) {
  const Memory now = memory();
  std::printf("%-18s %8lld KiB resident, %8lld at most; %.2f model files\n", when.c_str(),
              static_cast<long long>(now.resident), static_cast<long long>(now.peak),
              1024.0 * static_cast<double>(now.resident) / static_cast<double>(file));
  std::fflush(stdout);
  return now;
}

// After a tenth of the utterances and after all.
struct Found {
  Memory settled, last;
};

Found listen(const Recognizer& recognizer, std::int64_t utterances, std::int64_t file) {
  const std::int64_t tenth = std::max<std::int64_t>(1, utterances / 10);
  Speaker speaker;
  Utterance utterance = recognizer.begin();
  Result result;
  Found found = {};
  double seconds = 0;
  speaker.longest();  // so that every buffer has its size
  for (std::int64_t done = 1; done <= utterances; ++done, speaker.next()) {
    hear(utterance, speaker, result);
    seconds += result.seconds;
    if (done != 1 && done % tenth != 0 && done != utterances) continue;
    found.last = report("heard " + std::to_string(done), file);
    if (done == tenth) found.settled = found.last;
  }
  std::printf("%.0f s of sound, 0 to 7.5 s an utterance, in blocks of 20 ms\n", seconds);
  return found;
}

int soak(const std::string& path, std::int64_t utterances, Precision precision) {
  if (utterances < 1)
    throw std::invalid_argument("UTTERANCES must be at least 1, got " + std::to_string(utterances));
  RecognizerOptions options;
  options.backend = Backend::cpu;
  options.precision = precision;
  const auto file = static_cast<std::int64_t>(std::filesystem::file_size(path));
  report("at the beginning", file);
  const Recognizer recognizer = Recognizer::load(path, options);
  report("model loaded", file);
  const Found found = listen(recognizer, utterances, file);
  std::printf("%s, model file of %lld bytes\n", recognizer.backend_name().c_str(),
              static_cast<long long>(file));

  // The last is the greatest: the model and an utterance's own memory.
  const double files =
      1024.0 * static_cast<double>(found.last.resident) / static_cast<double>(file);
  const std::int64_t grown = found.last.resident - found.settled.resident;
  if (files > kMostFiles)
    std::fprintf(stderr, "FAILED: resident are %.2f model files, more than %g\n", files,
                 kMostFiles);
  if (grown > kMostGrown)
    std::fprintf(stderr, "FAILED: grown by %lld KiB, more than %lld\n",
                 static_cast<long long>(grown), static_cast<long long>(kMostGrown));
  return files > kMostFiles || grown > kMostGrown;
}

int write(const std::string& path, std::int64_t words) {
  Config config;
  config.vocabulary = words;
  std::ofstream out(path, std::ios::binary);
  out << test::model_file(random_model("gban", config, 1)).bytes();
  return out.flush() ? 0 : 1;
}

}  // namespace
}  // namespace gban::testing

int main(int argc, char** argv) {
  using namespace gban;
  try {
    if (argc > 2 && std::strcmp(argv[1], "write") == 0)
      return testing::write(argv[2], argc > 3 ? std::atoll(argv[3]) : 300);
    if (argc > 1)
      return testing::soak(argv[1], argc > 2 ? std::atoll(argv[2]) : 300,
                           precision_of(argc > 3 ? argv[3] : "fp32"));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
  std::fprintf(stderr, "engine_soak MODEL [UTTERANCES [fp32|fp16|int8]]\n");
  return 2;
}
