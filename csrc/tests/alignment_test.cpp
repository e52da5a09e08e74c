// The pooled form against the paper's literal equations 9-14, in long double.
#include "gban/alignment.h"

#include <cmath>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <vector>

namespace {

using Row = std::vector<long double>;

// mean over queries q of sum_k softmax_k(tanh(keys_k . queries_q)) keys_k
Row literal(const double* keys, std::int64_t K, const double* queries, std::int64_t Q,
            std::int64_t D) {
  Row mean(D, 0.0L);
  for (std::int64_t q = 0; q < Q; ++q) {
    Row weight(K);
    long double total = 0;
    for (std::int64_t k = 0; k < K; ++k) {
      long double score = 0;
      for (std::int64_t d = 0; d < D; ++d)
        score += static_cast<long double>(keys[k * D + d]) * queries[q * D + d];
      weight[k] = std::exp(std::tanh(score));
      total += weight[k];
    }
    for (std::int64_t k = 0; k < K; ++k)
      for (std::int64_t d = 0; d < D; ++d)
        mean[d] += weight[k] / total * keys[k * D + d] / static_cast<long double>(Q);
  }
  return mean;
}

double worst(const Row& gold, const double* got) {
  double error = 0;
  for (std::size_t d = 0; d < gold.size(); ++d)
    error = std::max(error, static_cast<double>(std::fabs(gold[d] - got[d])));
  return error;
}

double trial(std::mt19937_64& rng) {
  auto upto = [&](int limit) { return static_cast<std::int64_t>(1 + rng() % limit); };
  const std::int64_t B = upto(4), K = upto(50), L = upto(20), D = upto(40);
  std::normal_distribution<double> normal(0.0, 0.5);
  std::vector<double> speech(B * K * D), text(B * L * D);
  for (auto* values : {&speech, &text})
    for (double& value : *values) value = normal(rng);
  std::vector<std::int64_t> k(B), l(B);
  for (std::int64_t b = 0; b < B; ++b)
    k[b] = upto(static_cast<int>(K)), l[b] = upto(static_cast<int>(L));
  std::vector<double> a_s(B * D), a_t(B * D), w_s(B * K), w_t(B * L);
  gban::align_pool_forward(gban::AlignPool<double>{B, K, L, D, speech.data(), text.data(), k.data(),
                                                   l.data(), a_s.data(), a_t.data(), w_s.data(),
                                                   w_t.data()});
  double error = 0;
  for (std::int64_t b = 0; b < B; ++b) {
    const double *s = speech.data() + b * K * D, *t = text.data() + b * L * D;
    error = std::max(error, worst(literal(s, k[b], t, l[b], D), a_s.data() + b * D));
    error = std::max(error, worst(literal(t, l[b], s, k[b], D), a_t.data() + b * D));
  }
  return error;
}

bool refuses_a_length_beyond_the_batch() {
  std::vector<double> x(6, 0.5), out(12);
  const std::int64_t good = 1, bad = 3;
  try {
    gban::align_pool_forward(gban::AlignPool<double>{1, 2, 1, 3, x.data(), x.data(), &bad, &good,
                                                     out.data(), out.data() + 3, out.data() + 6,
                                                     out.data() + 9});
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

}  // namespace

int main() {
  std::mt19937_64 rng(7);
  double error = 0;
  for (int i = 0; i < 100; ++i) error = std::max(error, trial(rng));
  std::printf("100 random ragged shapes: largest error %.2e\n", error);
  const bool refused = refuses_a_length_beyond_the_batch();
  std::printf("a length beyond the batch is refused: %s\n", refused ? "yes" : "NO");
  return error < 1e-12 && refused ? 0 : 1;
}
