// The CUDA kernels of the alignment, run on the CPU by the shim, against the gold: random ragged
// shapes, number types, strides, GPUs and schedules. Every schedule must give the same bits.
#include <cstdio>
#include <functional>
#include <string>

#include "alignment_cuda_driver.h"
#include "shim_test.h"

namespace {

using namespace cuda_driver;
using shim_test::expect;

#if defined(__SANITIZE_ADDRESS__)
constexpr int kTrials = 36, kSchedules = 3;
#elif defined(GBAN_SHIM_THREADS)
constexpr int kTrials = 6, kSchedules = 1;
#else
constexpr int kTrials = 180, kSchedules = 2;
#endif

// An H200, an Orin, one so small that groups take utterances in turn, and two that keep little.
constexpr cuda::DeviceLimits kDevices[] = {{132, 232448, 233472},
                                           {8, 166912, 167936},
                                           {3, 101376, 102400},
                                           {2, 60000, 61000},
                                           {1, 60000, 61000}};
constexpr int kDeviceCount = sizeof kDevices / sizeof kDevices[0];

struct Shape {
  std::int64_t B, K, L, D;
  int device;
};

// All that there is time for where a CUDA thread is an OS thread: every kind of plan, with two
// column tiles where a block could run ahead from one to the next. Those at odd places are ragged.
constexpr Shape kFew[] = {{2, 70, 20, 8, 4}, {1, 40, 36, 16, 0}, {1, 70, 36, 16, 4},
                          {1, 70, 20, 8, 1}, {2, 70, 36, 8, 4},  {1, 33, 9, 8, 1}};

template <typename T>
struct Limits {  // of the errors, relative to the largest number: about what storing rounds off
  static constexpr double forward = 1e-5, backward = 2e-5;
};
template <>
struct Limits<Half> {
  static constexpr double forward = 1.0 / 1024, backward = 2.0 / 1024;
};
template <>
struct Limits<BFloat16> {
  static constexpr double forward = 1.0 / 128, backward = 2.0 / 128;
};

Shape random_shape(std::mt19937_64& rng, int i) {
  if (shim::kEngineIsThreads) return kFew[i];
  const auto upto = [&](std::uint64_t n) { return static_cast<std::int64_t>(1 + rng() % n); };
  if (i % 12 == 11) return {upto(4), upto(40), upto(20), 8 * upto(128), i / 12 % 2};
  if (i % 12 == 5) return {2, 280 + upto(400), upto(4), 8, 4};
  if (i % 12 == 9) return {2, upto(4), 280 + upto(400), 8, i / 12 % 3};
  if (i % 12 == 8) return {4, 128, 32, 8 * upto(2), 3};  // whole tiles; two groups take turns
  const int device = i % kDeviceCount;  // on the last two, always several row tiles
  const std::int64_t K = device < 3 ? upto(150) : 64 + upto(86);
  return {1 + i / kDeviceCount % 4, K, upto(70), 8 * upto(12), device};
}

template <typename T>
Case random_case(std::mt19937_64& rng, int i) {
  const Shape s = random_shape(rng, i);
  const bool ragged = i % (shim::kEngineIsThreads ? 2 : 4) != 0;
  gold::Problem p(rng, s.B, s.K, s.L, s.D, ragged, rounded<T>);
  if (i % 3 == 0) {
    std::fill(p.d_w_s.begin(), p.d_w_s.end(), 0.0), std::fill(p.d_w_t.begin(), p.d_w_t.end(), 0.0);
    p.solve();
  }
  return {std::move(p), kDevices[s.device], static_cast<std::int64_t>(8 * (i % 3)),
          i % 2 == 0,   i % 3 != 0,         ragged};
}

struct Worst {
  double forward = 0, backward = 0;
  bool same = true, sums_end = true;
};

// How often each kind of plan was run.
struct Plans {
  int one_block = 0, several_blocks = 0, streamed = 0, streamed_by_several = 0, in_turn = 0;

  void add(const cuda::ForwardPlan& plan, std::int64_t batch) {
    const bool several = plan.blocks > 1;
    ++(plan.e_stride ? several ? several_blocks : one_block
       : several     ? streamed_by_several
                     : streamed);
    in_turn += several && batch > plan.groups && (plan.groups > 1 || shim::kEngineIsThreads);
  }
  bool all() const {
    return one_block && several_blocks && streamed && streamed_by_several && in_turn;
  }
};

// Whether the row sums are positive up to the true lengths and zero beyond.
bool sums_end(const std::vector<float>& sums, const std::vector<std::int64_t>& lengths) {
  const std::size_t limit = sums.size() / lengths.size();
  for (std::size_t i = 0; i < sums.size(); ++i)
    if (!(i % limit < static_cast<std::size_t>(lengths[i / limit]) ? sums[i] > 0 : sums[i] == 0))
      return false;
  return true;
}

template <typename T>
void trial(std::mt19937_64& rng, int i, Worst& worst, Plans& plans) {
  const Case c = random_case<T>(rng, i);
  const gold::Problem& p = c.problem;
  plans.add(cuda::plan_forward<T>({p.B, p.K, p.L, p.D}, c.device), p.B);
  shim::options() = {static_cast<std::uint64_t>(i), shim::Granularity::warp, 227 * 1024};
  const Outputs<T> out = run<T>(c);
  for (int schedule = 1; schedule < kSchedules; ++schedule) {
    shim::options().seed = 1000 * schedule + i;
    worst.same &= run<T>(c).same(out);
  }
  worst.sums_end &= sums_end(out.r, p.k) && sums_end(out.c, p.l);
  const auto check = [](double& error, const Numbers& want, const std::vector<T>& got) {
    error = std::max(error, gold::error(want, wide(got)));
  };
  check(worst.forward, p.a_s, out.a_s), check(worst.forward, p.a_t, out.a_t);
  check(worst.forward, p.w_s, out.w_s), check(worst.forward, p.w_t, out.w_t);
  if (c.maps) check(worst.forward, p.alpha, out.alpha), check(worst.forward, p.beta, out.beta);
  check(worst.backward, p.dS, out.dS), check(worst.backward, p.dT, out.dT);
}

template <typename T>
void trials(const char* name, int type, Plans& plans) {
  std::mt19937_64 rng(type + 1);
  Worst worst;
  const int each = kTrials / 3;
  for (int i = type * each; i < (type + 1) * each; ++i) trial<T>(rng, i, worst, plans);
  std::printf("     %s: largest error forward %.1e, backward %.1e\n", name, worst.forward,
              worst.backward);
  expect(worst.forward <= Limits<T>::forward && worst.backward <= Limits<T>::backward,
         std::string(name) + ", random ragged shapes");
  expect(worst.sums_end, std::string(name) + ", sums are zero beyond the true lengths alone");
  expect(worst.same, std::string(name) + ", the same bits under every schedule");
}

void check_numbers() {
  Plans plans;
  trials<float>("float", 0, plans);
  trials<Half>("half", 1, plans);
  trials<BFloat16>("bfloat16", 2, plans);
  std::printf(
      "     kept by one block %d, by several %d; streamed by one %d, by several %d; "
      "utterances in turn %d\n",
      plans.one_block, plans.several_blocks, plans.streamed, plans.streamed_by_several,
      plans.in_turn);
  expect(plans.all(), "every kind of plan was run");
}

// The sizes of the benchmarks would take minutes here; their plans must be what was meant.
void check_plans() {
  const auto plan = [](std::int64_t B, std::int64_t K, std::int64_t L, std::int64_t D, int device) {
    return cuda::plan_forward<float>({B, K, L, D}, kDevices[device]);
  };
  const auto small = plan(1, 44, 10, 256, 1), long_one = plan(1, 750, 64, 256, 0);
  expect(small.blocks == 1 && !small.cooperative && small.e_stride, "44x10x256: one block keeps E");
  expect(long_one.blocks == 12 && long_one.cooperative, "750x64x256, B=1: twelve blocks");
  expect(plan(64, 750, 64, 512, 0).groups > 1, "750x64x512, B=64: groups in turn");
  expect(plan(1, 100000, 3000, 1024, 1).e_stride == 0, "a huge utterance is streamed");
  expect(!plan(1, 10, 10, 1024, 3).fits(), "what cannot fit is known");
}

template <typename T>
bool all_nan(const std::vector<T>& x, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i)
    if (!std::isnan(gban::to_float(x[i]))) return false;
  return true;
}
template <typename T>
bool all_finite(const std::vector<T>& x, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i)
    if (!std::isfinite(gban::to_float(x[i]))) return false;
  return true;
}

// NaN in one utterance, or a length that cannot be, must show there and nowhere else.
void check_nan(const char* what, const std::function<void(Case&)>& spoil, int device) {
  std::mt19937_64 rng(3);
  const std::int64_t K = 90, L = 20, D = 16;
  Case c{
      gold::Problem(rng, 2, K, L, D, true, rounded<float>), kDevices[device], 0, true, true, true};
  spoil(c);
  shim::options().seed = 1;
  const Outputs<float> out = run<float>(c);
  const bool spoiled = all_nan(out.a_s, 0, D) && all_nan(out.a_t, 0, D) && all_nan(out.dS, 0, D) &&
                       all_nan(out.dT, 0, D) && all_nan(out.w_s, 0, 1) && all_nan(out.w_t, 0, 1) &&
                       all_nan(out.alpha, 0, 1) && all_nan(out.beta, 0, 1);
  const bool clean = all_finite(out.a_s, D, 2 * D) && all_finite(out.a_t, D, 2 * D) &&
                     all_finite(out.dS, K * D, 2 * K * D) && all_finite(out.dT, L * D, 2 * L * D) &&
                     all_finite(out.w_s, K, 2 * K) && all_finite(out.w_t, L, 2 * L) &&
                     all_finite(out.alpha, K * L, 2 * K * L) &&
                     all_finite(out.beta, K * L, 2 * K * L);
  expect(spoiled && clean, std::string(what) + ": NaN in that utterance alone");
}

void check_nans() {
  for (int device : {0, 3}) {
    check_nan("NaN in a state", [](Case& c) { c.problem.text[3] = NAN; }, device);
    check_nan("a length too large", [](Case& c) { c.problem.k[0] = 91; }, device);
    check_nan("a length of zero", [](Case& c) { c.problem.l[0] = 0; }, device);
  }
}

template <typename Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing";
}

void check_refusals() {
  std::vector<float> x(64);
  gban::AlignForward<float> a{};
  a.sizes = {1, 1, 1, 12};
  const auto forward = [&] { cuda::launch_forward(a, nullptr, kDevices[0], nullptr); };
  expect(refusal(forward).find("states must be a multiple of 8") == 0, "12 states are refused");
  a.sizes.states = 8;
  a.speech = {x.data() + 1, 8, 8};
  expect(refusal(forward).find("speech must start at") == 0, "unaligned rows are refused");
  a.sizes.batch = 0;
  a.speech = a.text = {nullptr, 8, 8};
  expect(refusal(forward) == "nothing", "an empty batch is no launch");
}

}  // namespace

int main() {
  check_plans();
  check_refusals();
  check_numbers();
  if (!shim::kEngineIsThreads) check_nans();
  return shim_test::failures != 0;
}
