// The frontend of every instruction set here: its spectrum and MFCC against a transform written as
// a sum, in long double, and utterances in random pushes against the same ones in one piece.
#include "gban/frontend.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "../cpu/frontend_plan.h"
#include "gban/isa.h"

namespace {

using Row = std::vector<long double>;
using Random = std::mt19937_64;

const long double kTurn = 2 * std::acos(-1.0L);

// |X|^2 [209] of pcm [512] under a Hamming window, as the definition has it
Row literal_power(const double* pcm) {
  Row frame(gban::kFft), cosines(gban::kFft), sines(gban::kFft), power(gban::kBins);
  for (int n = 0; n < gban::kFft; ++n) {
    cosines[n] = std::cos(kTurn * n / gban::kFft);
    sines[n] = std::sin(kTurn * n / gban::kFft);
  }
  for (int n = 0; n < gban::kWindow; ++n)
    frame[n + gban::kWindowStart] =
        pcm[n + gban::kWindowStart] * (0.54L - 0.46L * std::cos(kTurn * n / gban::kWindow));
  for (int k = 0; k < gban::kBins; ++k) {
    long double re = 0, im = 0;
    for (int n = 0; n < gban::kFft; ++n) {
      re += frame[n] * cosines[k * n % gban::kFft];
      im -= frame[n] * sines[k * n % gban::kFft];
    }
    power[k] = re * re + im * im;
  }
  return power;
}

Row literal_mfcc(const Row& power) {
  const gban::FrontendPlan& plan = gban::frontend_plan();
  Row mel(gban::kMels, 1e-10L), mfcc(gban::kMfccs, 0.0L);
  for (int m = 0; m < gban::kMels; ++m) {
    for (int bin = plan.mel_edges[m]; bin < plan.mel_edges[m + 1]; ++bin)
      mel[m] += plan.rising[bin] * power[bin];
    for (int bin = plan.mel_edges[m + 1]; bin < plan.mel_edges[m + 2]; ++bin)
      mel[m] += plan.falling[bin] * power[bin];
  }
  for (int k = 0; k < gban::kMfccs; ++k)
    for (int m = 0; m < gban::kMels; ++m) mfcc[k] += plan.dct[k][m] * std::log(mel[m]);
  return mfcc;
}

// A full-scale tone over noise 1e-6 as loud, where single precision would see only the tone.
std::vector<double> tone(Random& rng, std::int64_t samples) {
  std::normal_distribution<double> normal(0.0, 1e-6);
  std::vector<double> pcm(samples);
  const double step = std::uniform_real_distribution<double>(0.05, 3.0)(rng);
  for (std::int64_t i = 0; i < samples; ++i) pcm[i] = std::sin(step * i) + normal(rng);
  return pcm;
}

// Largest error of |X|, relative to the loudest bin of its frame.
double power_error(Random& rng) {
  const gban::FrontendKernels& kernels = gban::frontend_kernels();
  const std::vector<double> pcm = tone(rng, gban::kGroupSamples);
  std::vector<double> power(gban::kBins * kernels.lanes);
  kernels.power(gban::frontend_plan(), pcm.data(), power.data());
  long double error = 0;
  for (int lane = 0; lane < kernels.lanes; ++lane) {
    const Row gold = literal_power(pcm.data() + lane * gban::kHop);
    long double loudest = 0;
    for (long double p : gold) loudest = std::max(loudest, std::sqrt(p));
    for (int k = 0; k < gban::kBins; ++k) {
      const long double got = std::sqrt(static_cast<long double>(power[k * kernels.lanes + lane]));
      error = std::max(error, std::fabs(got - std::sqrt(gold[k])) / loudest);
    }
  }
  return static_cast<double>(error);
}

// Largest error in decibels of the MFCC in double precision, before they are rounded to float32.
double mfcc_error(Random& rng) {
  const std::vector<double> pcm = tone(rng, gban::kGroupSamples);
  std::vector<double> mfcc(gban::kFrameGroup * gban::kMfccs);
  std::vector<float> features(gban::kFrameGroup * gban::kFeatures);
  gban::frontend_kernels().frames(gban::frontend_plan(), pcm.data(), gban::kFrameGroup,
                                  features.data(), mfcc.data());
  long double error = 0;
  for (int f = 0; f < gban::kFrameGroup; ++f) {
    const Row gold = literal_mfcc(literal_power(pcm.data() + f * gban::kHop));
    for (int k = 0; k < gban::kMfccs; ++k)
      error = std::max(error, std::fabs(mfcc[f * gban::kMfccs + k] - gold[k]));
  }
  return static_cast<double>(error);
}

std::vector<float> whole(const std::vector<double>& pcm) {
  const auto samples = static_cast<std::int64_t>(pcm.size());
  std::vector<float> features(gban::frame_count(samples) * gban::kFeatures);
  gban::extract_features(pcm.data(), samples, features.data());
  return features;
}

// The same frontend for every utterance, pushes of 0 to `most` samples.
bool pushes_equal_the_whole(Random& rng, gban::Frontend& frontend, std::int64_t samples, int most) {
  const std::vector<double> pcm = tone(rng, samples);
  for (std::int64_t at = 0; at < samples;) {
    const std::int64_t count =
        std::min<std::int64_t>(samples - at, static_cast<std::int64_t>(rng() % (most + 1)));
    frontend.push(pcm.data() + at, count);
    at += count;
  }
  const bool counted = frontend.samples() == std::min(samples, gban::kMaxSamples) &&
                       frontend.frames() == gban::frame_count(samples);
  return counted && frontend.finish() == whole(pcm) && frontend.samples() == 0;
}

bool a_refused_push_loses_nothing(Random& rng) {
  const std::vector<double> pcm = tone(rng, 3000);
  std::vector<double> bad(pcm.begin() + 1000, pcm.end());
  bad[1234] = -std::numeric_limits<double>::infinity();
  gban::Frontend frontend;
  frontend.push(pcm.data(), 1000);
  try {
    frontend.push(bad.data(), 2000);
    return false;
  } catch (const std::invalid_argument& error) {
    if (std::string(error.what()) != "pcm must be finite, got -inf at sample 2234") return false;
  }
  frontend.push(pcm.data() + 1000, 2000);
  return frontend.finish() == whole(pcm);
}

bool passes(const char* isa) {
  Random rng(11);
  double power = 0, mfcc = 0;
  for (int i = 0; i < 3; ++i) power = std::max(power, power_error(rng));
  for (int i = 0; i < 2; ++i) mfcc = std::max(mfcc, mfcc_error(rng));
  gban::Frontend frontend;
  bool equal = pushes_equal_the_whole(rng, frontend, 3000, 1) &&
               pushes_equal_the_whole(rng, frontend, gban::kMaxSamples + 777, 5000);
  for (int i = 0; i < 50; ++i)
    equal &= pushes_equal_the_whole(rng, frontend, static_cast<std::int64_t>(rng() % 9000),
                                    1 + static_cast<int>(rng() % 3000));
  const bool kept = a_refused_push_loses_nothing(rng);
  std::printf("%-8s |X| within %.1e of the loudest, MFCC within %.1e dB, pushes %s, refusals %s\n",
              isa, power, mfcc, equal ? "equal" : "DIFFER", kept ? "kept" : "LOST");
  return power < 1e-14 && mfcc < 1e-11 && equal && kept;
}

}  // namespace

int main() {
  bool good = true;
  for (gban::Isa isa : gban::available_isas()) {
    gban::set_isa(gban::isa_name(isa));
    good &= passes(gban::isa_name(isa));
  }
  return good ? 0 : 1;
}
