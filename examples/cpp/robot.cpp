// A robot's ear: raw sound on standard input, one line of JSON for every utterance on standard
// output.
//
//   arecord -f S16_LE -r 16000 -c 1 -t raw | robot MODEL [RATE] [WORDS] [ABSTAIN_BELOW]
//
// Features are computed while the person speaks; once the gate has closed only the network runs.
// WORDS stands where a robot's speech recogniser would say what it understood; without it the
// emotion comes from the sound alone. An answer less probable than ABSTAIN_BELOW has no label.
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "gban/recognizer.h"

namespace {

using Clock = std::chrono::steady_clock;
using Block = std::vector<std::int16_t>;

constexpr int kBlocksPerSecond = 50;    // blocks of 20 ms
constexpr std::size_t kToOpen = 3;      // this many loud blocks in a row open the gate
constexpr std::size_t kBefore = 10;     // quiet blocks kept before them: a soft first consonant
constexpr std::size_t kToClose = 30;    // this many quiet blocks in a row close it: 0.6 s
constexpr std::size_t kAfter = 10;      // of which these still belong to the utterance
constexpr std::size_t kShortest = 8;    // loud blocks; fewer are a click or a cough
constexpr double kQuietest = 0.005;     // RMS of full scale (-46 dB) that is never speech below
constexpr double kAboveFloor = 4.0;     // speech is this much louder than the room, 12 dB
constexpr double kFloorRises = 1.005;   // a block: the room's level doubles in 2.8 s at the most
constexpr double kFullScale = 32768.0;  // of 16-bit sound

double rms(const Block& block) {
  double sum = 0;
  for (const std::int16_t sample : block) sum += static_cast<double>(sample) * sample;
  return block.empty() ? 0 : std::sqrt(sum / static_cast<double>(block.size())) / kFullScale;
}

// Whether a block is louder than the room, whose level is the least one, rising slowly.
class Loudness {
 public:
  bool operator()(const Block& block) {
    const double level = rms(block);
    floor_ = std::fmin(level, std::fmax(floor_, 1e-4) * kFloorRises);
    return level > std::fmax(kQuietest, kAboveFloor * floor_);
  }

 private:
  double floor_ = kQuietest / kAboveFloor;
};

// A JSON string; the text is UTF-8.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    char escaped[8];
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned char>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

struct Times {
  double start, end;  // of the utterance, seconds of sound since the program began
  double gate_ms;     // how long it had been quiet when the gate closed
  double latency_ms;  // from there to the answer
};

void print(const gban::Result& r, const std::vector<std::string>& labels, const Times& t) {
  std::printf("{\"start\": %.4f, \"end\": %.4f, \"label\": %s, \"confidence\": %.6f, ", t.start,
              t.end, r.abstained ? "null" : quoted(r.label).c_str(),
              r.probabilities[static_cast<std::size_t>(r.index)]);
  std::printf("\"probabilities\": {");
  for (std::size_t i = 0; i < labels.size(); ++i)
    std::printf("%s%s: %.6f", i ? ", " : "", quoted(labels[i]).c_str(), r.probabilities[i]);
  const gban::Contributions& c = r.contributions;
  if (r.has_contributions)
    std::printf(
        "}, \"contributions\": {\"a_s\": %.6f, \"a_t\": %.6f, \"h_s\": %.6f, \"h_t\": %.6f}", c.a_s,
        c.a_t, c.h_s, c.h_t);
  else
    std::printf("}, \"contributions\": null");
  std::printf(", \"seconds\": %.4f, \"notes\": [", r.seconds);
  for (std::size_t i = 0; i < r.notes.size(); ++i)
    std::printf("%s%s", i ? ", " : "", quoted(r.notes[i]).c_str());
  std::printf("], \"gate_ms\": %.0f, \"latency_ms\": %.3f}\n", t.gate_ms, t.latency_ms);
  if (std::fflush(stdout) != 0) throw std::runtime_error("standard output was closed");
}

// Finds utterances in blocks of sound and answers each.
class Ear {
 public:
  Ear(const gban::Recognizer& recognizer, int rate, std::string words)
      : recognizer_(recognizer),
        utterance_(recognizer.begin(rate)),
        words_(std::move(words)),
        rate_(rate) {}

  void hear(const Block& block) {
    const bool is_loud = loud_(block);
    heard_ += block.size();
    waiting_.push_back(block);
    if (!open_) {
      loud_blocks_ = is_loud ? loud_blocks_ + 1 : 0;
      if (loud_blocks_ == kToOpen)
        begin();
      else if (waiting_.size() > kBefore + kToOpen - 1)
        waiting_.erase(waiting_.begin());
      return;
    }
    quiet_blocks_ = is_loud ? 0 : quiet_blocks_ + 1;
    loud_blocks_ += is_loud;
    // Quiet beyond kAfter is taken only if the person goes on.
    if (quiet_blocks_ <= kAfter) take();
    if (quiet_blocks_ == kToClose) finish();
  }

  // The sound is over, in the middle of an utterance or not.
  void stop() {
    if (open_) finish();
  }

 private:
  void begin() {
    open_ = true;
    quiet_blocks_ = 0;
    std::size_t samples = 0;
    for (const Block& block : waiting_) samples += block.size();
    start_ = end_ = heard_ - samples;
    take();
  }

  void take() {
    for (const Block& block : waiting_) {
      utterance_.push(block.data(), static_cast<std::int64_t>(block.size()));
      end_ += block.size();
    }
    waiting_.clear();
  }

  void finish() {
    const Clock::time_point closed = Clock::now();
    if (loud_blocks_ < kShortest) {
      utterance_.discard();
    } else {
      utterance_.finish(words_, result_);
      const std::chrono::duration<double, std::milli> spent = Clock::now() - closed;
      const double gate = 1e3 * static_cast<double>(quiet_blocks_) / kBlocksPerSecond;
      print(result_, recognizer_.labels(),
            {seconds_at(start_), seconds_at(end_), gate, spent.count()});
    }
    open_ = false;
    loud_blocks_ = 0;
    // What followed the utterance may precede the next.
    while (waiting_.size() > kBefore) waiting_.erase(waiting_.begin());
  }

  double seconds_at(std::size_t sample) const { return static_cast<double>(sample) / rate_; }

  const gban::Recognizer& recognizer_;
  gban::Utterance utterance_;
  gban::Result result_;
  Loudness loud_;
  std::string words_;
  int rate_;
  bool open_ = false;
  std::size_t loud_blocks_ = 0, quiet_blocks_ = 0;
  std::size_t heard_ = 0, start_ = 0, end_ = 0;  // samples
  std::vector<Block> waiting_;                   // heard, but not yet of an utterance
};

int rate_of(const char* text) {
  char* end = nullptr;
  const long rate = std::strtol(text, &end, 10);
  if (end == text || *end != '\0' || rate < 8000 || rate > 192000)
    throw std::invalid_argument(std::string("RATE must be an integer in 8000..192000, got '") +
                                text + "'");
  return static_cast<int>(rate);
}

double number_of(const char* text) {
  char* end = nullptr;
  const double number = std::strtod(text, &end);
  if (end == text || *end != '\0')
    throw std::invalid_argument(std::string("ABSTAIN_BELOW must be a number, got '") + text + "'");
  return number;
}

// A warm-up: the first answer allocates memory and fills caches, which no person should wait for.
void warm(const gban::Recognizer& recognizer, int rate, const std::string& words) {
  const Block silence(static_cast<std::size_t>(rate));
  recognizer.recognize(silence.data(), rate, words, rate);
}

void listen(Ear& ear, int rate) {
  if (isatty(STDIN_FILENO))
    throw std::runtime_error(
        "standard input is a terminal; pipe sound into it: arecord -f S16_LE -r 16000 -c 1 -t raw "
        "| robot MODEL");
  const std::size_t bytes = 2 * static_cast<std::size_t>(rate / kBlocksPerSecond);
  bool first = true;
  for (;;) {
    Block block(bytes / 2);
    const std::size_t read = std::fread(block.data(), 1, bytes, stdin);
    if (std::ferror(stdin)) throw std::runtime_error("standard input cannot be read");
    const char* const raw = reinterpret_cast<const char*>(block.data());
    if (first && read == 0) throw std::runtime_error("no sound on standard input");
    if (first && read >= 4 && std::string(raw, 4) == "RIFF")
      throw std::runtime_error(
          "standard input is a WAV file, raw 16-bit mono is wanted: arecord's -t raw");
    first = false;
    block.resize(read / 2);
    if (!block.empty()) ear.hear(block);
    if (read % 2 != 0) {
      ear.stop();
      throw std::runtime_error("the sound ends within a sample: an odd number of bytes came");
    }
    if (read < bytes) return ear.stop();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 5) {
    std::fprintf(stderr, "usage: %s MODEL [RATE] [WORDS] [ABSTAIN_BELOW] < raw 16-bit mono sound\n",
                 argv[0]);
    return 2;
  }
  try {
    const int rate = argc > 2 ? rate_of(argv[2]) : gban::kSampleRate;
    const std::string words = argc > 3 ? argv[3] : "";
    gban::RecognizerOptions options;
    if (argc > 4) options.abstain_below = number_of(argv[4]);
    const gban::Recognizer recognizer = gban::Recognizer::load(argv[1], options);
    warm(recognizer, rate, words);
    std::fprintf(stderr, "listening at %d Hz on %s\n", rate, recognizer.backend_name().c_str());
    Ear ear(recognizer, rate, words);
    listen(ear, rate);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
