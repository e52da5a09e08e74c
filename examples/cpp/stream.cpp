// A WAV file as a microphone would bring it, 20 ms at a time:  stream MODEL WAV ["its words"]
//
// Blocks come as fast as they are taken, not at the pace of speech; what is printed is how long the
// answer takes once the last block is there.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>

#include "gban/recognizer.h"
#include "wav.h"

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

void listen(gban::Utterance& utterance, const Wav& wav, const std::string& words,
            gban::Result& result) {
  const std::size_t block = static_cast<std::size_t>(wav.rate) / 50;
  double longest = 0;
  Clock::time_point last = Clock::now();
  for (std::size_t at = 0; at < wav.pcm.size(); at += block) {
    last = Clock::now();
    const std::size_t count = std::min(block, wav.pcm.size() - at);
    utterance.push(wav.pcm.data() + at, static_cast<std::int64_t>(count));
    longest = std::max(longest, milliseconds_since(last));
  }
  utterance.finish(words, result);
  std::printf("%s: %.3f ms after the last block; the slowest block took %.3f ms\n",
              result.abstained ? "(none)" : result.label.c_str(), milliseconds_since(last),
              longest);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::fprintf(stderr, "usage: %s MODEL WAV [WORDS]\n", argv[0]);
    return 2;
  }
  try {
    const gban::Recognizer recognizer = gban::Recognizer::load(argv[1]);
    const Wav wav = read_wav(argv[2]);
    gban::Utterance utterance = recognizer.begin(wav.rate);
    gban::Result result;
    for (int turn = 0; turn < 3; ++turn)  // the first one allocates memory and warms caches
      listen(utterance, wav, argc > 3 ? argv[3] : "", result);
    std::printf("on %s\n", result.backend.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
