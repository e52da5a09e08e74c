// The emotion in a WAV file:  recognize_wav MODEL WAV ["its words"] [auto|cpu|cuda]
// [fp32|fp16|int8]
#include <cstdio>
#include <exception>

#include "gban/recognizer.h"
#include "wav.h"

namespace {

void print(const gban::Result& r, const std::vector<std::string>& labels) {
  std::printf("label: %s\n", r.abstained ? "(none)" : r.label.c_str());
  for (std::size_t i = 0; i < labels.size(); ++i)
    std::printf("probability %s: %.6f\n", labels[i].c_str(), r.probabilities[i]);
  const gban::Contributions& c = r.contributions;
  if (r.has_contributions)
    std::printf("contributions: a_s %.4f, a_t %.4f, h_s %.4f, h_t %.4f\n", c.a_s, c.a_t, c.h_s,
                c.h_t);
  for (const gban::AlignedWord& w : r.alignment)
    std::printf("%.2f-%.2f s  %.4f  %s\n", w.start, w.end, w.weight, w.word.c_str());
  for (const std::string& note : r.notes) std::printf("note: %s\n", note.c_str());
  std::printf("heard %.2f s; features %.3f ms, network %.3f ms on %s\n", r.seconds,
              1e3 * r.timings.features, 1e3 * r.timings.network, r.backend.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 6) {
    std::fprintf(stderr, "usage: %s MODEL WAV [WORDS] [auto|cpu|cuda] [fp32|fp16|int8]\n", argv[0]);
    return 2;
  }
  try {
    gban::RecognizerOptions options;
    if (argc > 4) options.backend = gban::backend_of(argv[4]);
    if (argc > 5) options.precision = gban::precision_of(argv[5]);
    const gban::Recognizer recognizer = gban::Recognizer::load(argv[1], options);
    const Wav wav = read_wav(argv[2]);
    print(recognizer.recognize(wav.pcm.data(), static_cast<std::int64_t>(wav.pcm.size()),
                               argc > 3 ? argv[3] : "", wav.rate),
          recognizer.labels());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
