// The CUDA kernels of the BiLSTM, run on the CPU by the shim, against double precision: random
// ragged shapes, GPUs and schedules. Every schedule must give the same bits.
#include <cstdio>
#include <functional>
#include <string>

#include "bilstm_cuda_driver.h"
#include "shim_test.h"

namespace {

using namespace bilstm_driver;
using shim_test::expect;

#if defined(__SANITIZE_ADDRESS__)
constexpr int kRandom = 6, kSchedules = 1;
#elif defined(GBAN_SHIM_THREADS)
constexpr int kRandom = 0, kSchedules = 1;
#else
constexpr int kRandom = 14, kSchedules = 3;
#endif

// {batch, hidden, layers, {steps}, {widths}, processors}
std::vector<Shape> shapes(std::mt19937_64& rng) {
  if (shim::kEngineIsThreads)  // directions in turn; two layers; both sequences side by side
    return {{2, 32, 1, {4}, {4}, 4},
            {1, 32, 2, {3}, {8}, 4},
            {1, 32, 1, {3, 2}, {4, 8}, 8},
            {1, 64, 1, {3}, {4}, 4}};
  std::vector<Shape> all = {
      {1, 128, 1, {17, 5}, {36, 384}, 8}, {3, 128, 2, {6}, {36}, 5},      {9, 128, 1, {4}, {20}, 4},
      {1, 256, 1, {7}, {36}, 16},         {2, 256, 1, {3}, {12}, 8},      {1, 256, 2, {3}, {4}, 8},
      {1, 32, 1, {50, 1}, {36, 12}, 132}, {1, 32, 3, {9, 9}, {8, 4}, 16}, {9, 32, 2, {8}, {40}, 4}};
  const auto upto = [&](std::uint64_t n) { return static_cast<std::int64_t>(1 + rng() % n); };
  constexpr int kProcessors[] = {4, 8, 12, 16, 132};
  for (int i = 0; i < kRandom; ++i) {
    Shape s{upto(11), rng() % 3 ? 32 : 64, upto(3), {upto(24)}, {4 * upto(12)}, kProcessors[i % 5]};
    if (s.H == 64) s.B = 1 + s.B % 3;
    if (i % 2) s.K.push_back(upto(12)), s.width.push_back(4 * upto(100));
    all.push_back(s);
  }
  return all;
}

template <typename T>
std::vector<Sequence> random_sequences(std::mt19937_64& rng, const Shape& shape, bool ragged) {
  std::vector<Sequence> all;
  for (std::size_t i = 0; i < shape.K.size(); ++i)
    all.push_back(random_sequence<T>(rng, shape, static_cast<int>(i), ragged));
  return all;
}

struct Worst {
  double error = 0;
  bool zero_beyond = true, gaps_kept = true, same = true;
};

double apart(double got, double want) { return std::isnan(got) ? HUGE_VAL : std::fabs(got - want); }

template <typename T>
void compare(const Sequence& s, const Shape& shape, const Way& way, Memory<T>& states,
             const std::vector<float>& last, Worst& worst) {
  const std::int64_t D = 2 * shape.H;
  for (std::int64_t b = 0; b < shape.B; ++b) {
    std::vector<Numbers> x(s.x[b].begin(), s.x[b].begin() + s.lengths[b]);
    const bilstm_gold::Result want = bilstm_gold::run_utterance(s.layers, x);
    for (std::int64_t d = 0; d < D; ++d) {
      worst.error = std::max(worst.error, apart(last[b * D + d], want.last[d]));
      for (std::int64_t k = 0; k < s.K; ++k) {
        const double got = gban::to_float(states.at(b, k, d));
        if (k < s.lengths[b])
          worst.error = std::max(worst.error, apart(got, want.states[k][d]));
        else
          worst.zero_beyond &= got == 0.0;
      }
    }
    for (std::int64_t k = 0; k < s.K; ++k)
      for (std::int64_t i = 0; i < way.gap; ++i)
        worst.gaps_kept &= std::isnan(gban::to_float(states.at(b, k, D + i)));
  }
}

template <typename T>
void check_numbers(const char* name, double limit) {
  std::mt19937_64 rng(sizeof(T));
  Worst worst;
  int number = 0;
  for (const Shape& shape : shapes(rng)) {
    const bool ragged = number % 4 != 0;
    const Way way{!ragged && number % 8 ? 0 : number % 2 ? 4 : 8, 4 * (number % 3)};
    const std::vector<Sequence> sequences = random_sequences<T>(rng, shape, ragged);
    shim::options().seed = static_cast<std::uint64_t>(number++);
    Outputs<T> out = run<T>(sequences, shape, way);
    for (std::size_t i = 0; i < sequences.size(); ++i)
      compare(sequences[i], shape, way, out.states[i], out.last[i], worst);
    for (int schedule = 1; schedule < std::min(kSchedules, shape.H > 64 ? 2 : 3); ++schedule) {
      shim::options().seed = static_cast<std::uint64_t>(1000 * schedule + number);
      worst.same &= run<T>(sequences, shape, way).same(out);
    }
  }
  std::printf("     %s: largest error %.1e in %d shapes\n", name, worst.error, number);
  expect(worst.error <= limit, std::string(name) + ", random ragged shapes");
  expect(worst.zero_beyond, std::string(name) + ", states beyond the true lengths are zero");
  expect(worst.gaps_kept, std::string(name) + ", nothing is written between rows");
  expect(worst.same, std::string(name) + ", the same bits under every schedule");
}

// What one utterance gives alone it gives among others, whatever the plan: to the last bit where
// the plans multiply in the same order.
template <typename T>
void check_batches(const char* name, double limit) {
  std::mt19937_64 rng(5);
  const Shape together{8, 32, 2, {11}, {12}, 4};
  const std::vector<Sequence> all = random_sequences<T>(rng, together, true);
  Outputs<T> out = run<T>(all, together, {8, 0});
  double error = 0;
  for (std::int64_t b = 0; b < together.B; ++b) {
    Sequence one = all[0];
    one.lengths = {one.lengths[b]}, one.x = {one.x[b]};
    Shape shape = together;
    shape.B = 1;
    Outputs<T> single = run<T>({one}, shape, {4, 0});
    for (int d = 0; d < 64; ++d)
      error = std::max(error, apart(out.last[0][b * 64 + d], single.last[0][d]));
  }
  expect(error <= limit, std::string(name) + ", batches are their utterances");
}

// NaN in utterance 1, or a length that cannot be, must show there and nowhere else.
template <typename T>
void check_nan(const std::string& what, int processors,
               const std::function<void(Sequence&)>& spoil) {
  std::mt19937_64 rng(3);
  const Shape shape{3, 32, 2, {7}, {8}, processors};
  std::vector<Sequence> sequences = random_sequences<T>(rng, shape, true);
  for (std::int64_t& n : sequences[0].lengths) n = 5;
  spoil(sequences[0]);
  const Outputs<T> out = run<T>(sequences, shape, {4, 0});
  bool spoiled = true, clean = true;
  for (int b = 0; b < 3; ++b)
    for (int d = 0; d < 64; ++d) {
      const float x = out.last[0][b * 64 + d];
      if (b == 1)
        spoiled &= std::isnan(x);
      else
        clean &= std::isfinite(x);
    }
  expect(spoiled && clean, what + ": NaN in that utterance alone");
}

void check_nans() {
  for (int processors : {4, 132}) {  // one item of three columns, three items of one
    check_nan<Half>("NaN in an input, half", processors, [](Sequence& s) { s.x[1][2][3] = NAN; });
    check_nan<float>("NaN in an input", processors, [](Sequence& s) { s.x[1][2][3] = NAN; });
    check_nan<Half>("a length of zero", processors, [](Sequence& s) { s.lengths[1] = 0; });
    check_nan<float>("a length too large", processors, [](Sequence& s) { s.lengths[1] = 8; });
    check_nan<float>("a negative length", processors, [](Sequence& s) { s.lengths[1] = -1; });
  }
}

template <typename Call>
std::string message(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing";
}

void check_refusals() {
  expect(cuda::refusal(2, 64, {132, false}) ==
             "hidden must be 128 or 256 on a GPU, got 64; use backend cpu",
         "a hidden size without a kernel");
  expect(cuda::refusal(4, 256, {4, false}).find("needs a GPU of at least 8 processors") !=
             std::string::npos,
         "a GPU that is too small");
  expect(cuda::refusal(2, 256, {4, false}).empty() && cuda::refusal(4, 128, {2, false}).empty(),
         "the smallest GPUs that suffice");
  std::vector<float> x(64);
  cuda::BiLstm<Half> a{1, 128, 1, 1, {}};
  a.sequences[0] = {1, 36, {}, nullptr, 0, x.data(), {}, nullptr};
  const auto call = [&] { cuda::launch_project(a, nullptr, {8, false}, nullptr); };
  const auto refused = [&](const std::string& start, const char* what) {
    expect(message(call).find(start) == 0, what);
  };
  a.sequences[0].width = 37;
  refused("width must be a multiple of 4 from 4 on, got 37", "an odd width");
  a.sequences[0].width = 36;
  a.layers = 0;
  refused("layers must be at least 1, got 0", "no layers");
  a.layers = 1;
  a.sequences[0].steps = 0;
  refused("sequence 0: steps must be at least 1, got 0", "no steps");
  a.sequences[0].steps = 1;
  a.sequences[0].input.row_stride = 37;
  refused("sequence 0: input must start at, and step by, multiples of 4 bytes", "odd strides");
  a.sequences[0].input.row_stride = 36;
  a.sequences[0].lengths = x.data();
  refused("sequence 0: length_bytes must be 4 or 8, got 0", "lengths of no type");
  a.sequences[0].lengths = nullptr;
  a.batch = std::int64_t{1} << 24;
  refused("sequence 0: batch and steps must be fewer", "more states than an int counts");
  a.batch = 1;
  a.count = 3;
  refused("count must be 1 or 2, got 3", "three sequences");
  a.count = 1;
  a.batch = 0;
  expect(message(call) == "nothing", "an empty batch is no launch");
}

// The real sizes on the real GPUs.
void check_plans() {
  const auto plan = [](auto type, std::int64_t B, std::int64_t H, int processors) {
    cuda::BiLstm<decltype(type)> a{B, H, 1, 2, {}};
    return cuda::plan_bilstm(a, {processors, false});
  };
  const auto is = [](const cuda::BiLstmPlan& p, int columns, int directions, int crews, bool meet) {
    return p.columns == columns && p.directions == directions && p.crews == crews &&
           p.cooperative == meet && p.division.threads == 512;
  };
  expect(is(plan(Half{}, 1, 128, 8), 1, 2, 2, false),
         "H=128 on 8 processors: 4 blocks side by side");
  expect(is(plan(Half{}, 8, 128, 132), 1, 2, 16, false), "H=128, B=8 on an H200: 32 blocks");
  expect(is(plan(Half{}, 8, 128, 8), 8, 2, 2, false), "H=128, B=8 on 8 processors: 4 blocks of 8");
  expect(is(plan(Half{}, 1, 256, 132), 1, 2, 2, true), "H=256: 16 blocks side by side");
  expect(is(plan(Half{}, 1, 256, 8), 1, 2, 1, true), "H=256 on 8 processors: sequences in turn");
  expect(is(plan(0.0f, 1, 256, 8), 1, 1, 1, true), "H=256 in float on 8: directions in turn");
}

}  // namespace

int main() {
  check_plans();
  check_refusals();
  check_numbers<float>("float", 1e-5);
  check_numbers<Half>("half", 4e-3);
  if (!shim::kEngineIsThreads) {
    check_batches<float>("float", 2e-6);
    check_batches<Half>("half", 2e-3);
    check_nans();
  }
  return shim_test::failures != 0;
}
