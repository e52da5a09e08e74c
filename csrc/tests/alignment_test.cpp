// The CPU forms against the gold, for every instruction set that this machine has.
#include "gban/alignment.h"

#include <array>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "alignment_gold.h"
#include "gban/isa.h"

namespace {

using gold::Numbers;

int failures = 0;

void expect(bool holds, const std::string& what) {
  std::printf("%s %s\n", holds ? "ok  " : "FAIL", what.c_str());
  failures += !holds;
}

// Rows with room between them, as a strided view has.
template <typename T>
struct View {
  std::vector<T> data;
  std::int64_t rows, stride, batch_stride;

  View(const Numbers& from, std::int64_t B, std::int64_t rows_in, std::int64_t D, std::int64_t gap)
      : rows(rows_in), stride(D + gap), batch_stride((D + gap) * rows_in + gap) {
    data.assign(B * batch_stride + 1, static_cast<T>(NAN));  // what stands between must not matter
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t i = 0; i < rows * D; ++i)
        data[b * batch_stride + i / D * stride + i % D] = static_cast<T>(from[b * rows * D + i]);
  }
  gban::Rows<const T> get() const { return {data.data(), batch_stride, stride}; }
};

template <typename T>
Numbers wide(const std::vector<T>& from) {
  return Numbers(from.begin(), from.end());
}

struct Errors {
  double forward = 0, backward = 0;
  void merge(const Errors& other) {
    forward = std::max(forward, other.forward);
    backward = std::max(backward, other.backward);
  }
};

template <typename T>
Errors trial(const gold::Problem& p, std::int64_t gap, int threads) {
  const auto [B, K, L, D] = std::array<std::int64_t, 4>{p.B, p.K, p.L, p.D};
  const View<T> speech(p.speech, B, K, D, gap), text(p.text, B, L, D, gap);
  std::vector<T> a_s(B * D), a_t(B * D), w_s(B * K), w_t(B * L), alpha(B * L * K), beta(B * K * L);
  std::vector<typename gban::Sum<T>::Type> r(B * K), c(B * L);
  const gban::AlignSizes sizes{B, K, L, D};
  gban::align_pool_forward(
      gban::AlignForward<T>{sizes, speech.get(), text.get(), p.k.data(), p.l.data(), a_s.data(),
                            a_t.data(), w_s.data(), w_t.data(), r.data(), c.data(), alpha.data(),
                            beta.data()},
      threads);
  Errors e;
  const std::vector<T>* got[] = {&a_s, &a_t, &w_s, &w_t, &alpha, &beta};
  const Numbers* want[] = {&p.a_s, &p.a_t, &p.w_s, &p.w_t, &p.alpha, &p.beta};
  for (int i = 0; i < 6; ++i) e.forward = std::max(e.forward, gold::error(*want[i], wide(*got[i])));
  if constexpr (std::is_same_v<T, float>) {
    const auto narrow = [](const Numbers& x) { return std::vector<float>(x.begin(), x.end()); };
    const std::vector<float> d_a_s = narrow(p.d_a_s), d_a_t = narrow(p.d_a_t);
    const std::vector<float> d_w_s = narrow(p.d_w_s), d_w_t = narrow(p.d_w_t);
    std::vector<float> dS(B * K * D), dT(B * L * D);
    gban::align_pool_backward(
        {sizes, speech.get(), text.get(), p.k.data(), p.l.data(), r.data(), c.data(), d_a_s.data(),
         d_a_t.data(), d_w_s.data(), d_w_t.data(), dS.data(), dT.data()},
        threads);
    e.backward = std::max(gold::error(p.dS, wide(dS)), gold::error(p.dT, wide(dT)));
  }
  return e;
}

template <typename T>
Errors trials(int count, std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  const auto upto = [&](std::uint64_t n) { return static_cast<std::int64_t>(1 + rng() % n); };
  Errors worst;
  for (int i = 0; i < count; ++i) {
    const std::int64_t B = upto(4), K = upto(70), L = upto(40), D = upto(i % 5 ? 80 : 300);
    const gold::Problem p(rng, B, K, L, D, i % 4 != 0,
                          [](double x) { return static_cast<double>(static_cast<T>(x)); });
    worst.merge(trial<T>(p, i % 3, 1 + i % 2));
  }
  return worst;
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
  std::vector<double> x(16, 0.5), out(64);
  const std::int64_t good = 1, bad = 3;
  gban::AlignForward<double> a{{1, 2, 1, 3}, {x.data(), 6, 3}, {x.data(), 3, 3}, &bad,    &good,
                               &out[0],      &out[3],          &out[6],          &out[8], &out[9],
                               &out[11],     nullptr,          nullptr};
  expect(refusal([&] { gban::align_pool_forward(a); }) ==
             "speech_lengths must lie in 1..2, got 3 at index 0",
         "a length beyond the batch is refused");
  expect(refusal([] { gban::set_isa("sse9"); }).find("isa must be one of portable") == 0,
         "an unknown instruction set is refused");
}

}  // namespace

int main() {
  std::mt19937_64 rng(7);
  expect(gold::check_derivative(rng) < 1e-8, "the gold's derivative agrees with differences");
  expect(trials<double>(100, 1).forward < 1e-12, "double, 100 random ragged shapes");
  for (gban::Isa isa : gban::available_isas()) {
    gban::set_isa(gban::isa_name(isa));
    const Errors e = trials<float>(250, 2);
    std::printf("     %s: largest error forward %.1e, backward %.1e\n", gban::isa_name(isa),
                e.forward, e.backward);
    expect(e.forward < 1e-5 && e.backward < 2e-5,
           std::string("float, 250 random ragged shapes, ") + gban::isa_name(isa));
  }
  check_refusals();
  return failures != 0;
}
