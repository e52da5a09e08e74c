// One utterance of the alignment, forward and backward, in vectors.
#include "alignment_simd.h"

#include "simd_math.h"
#include "tile.h"

namespace gban::GBAN_ISA {
namespace {

// exp(x) for x in [-1, 1]: least-squares polynomial of degree 8, relative error below 2e-7.
Floats exp_unit(Floats x) {
  constexpr float c[] = {1.0f,          0.99999994f,   0.5000003f,     0.1666677f,    0.04166525f,
                         0.0083291866f, 0.0013909752f, 0.00020435831f, 2.4121202e-05f};
  Floats y = all(c[8]);
  for (int i = 7; i >= 0; --i) y = y * x + c[i];
  return y;
}

// -1 (true) in the lanes j, j + 1, ... that are below L.
Ints below(std::int64_t j, std::int64_t L) {
  const std::int64_t left = L - j < kFloats ? L - j : kFloats;
  return lanes() < static_cast<std::int32_t>(left);
}

// Rows of scores x [rows, width] to E, in place and zero beyond L. Apart from the sums, so that no
// row waits for another.
void exponentials(float* x, std::int64_t rows, std::int64_t width, std::int64_t L) {
  for (std::int64_t j = 0; j < L; j += kFloats) {
    const Ints inside = below(j, L);
    for (std::int64_t k = 0; k < rows; ++k) {
      float* at = x + k * width + j;
      const Floats e = exp_unit(1.0f - 2.0f * tanh_complement(load(at)));
      store(at, inside ? e : Floats{});
    }
  }
}

// Adds rows [N, width] of E to c, and the sum of each to r [N]; N is at most 4.
template <int N>
void row_sums(const float* E, std::int64_t width, std::int64_t L, float* c, float* r) {
  Floats total[4] = {};
  for (std::int64_t j = 0; j < L; j += kFloats) {
    Floats column = load(c + j);
    for (int n = 0; n < N; ++n) {
      const Floats e = load(E + n * width + j);
      total[n] += e;
      column += e;
    }
    store(c + j, column);
  }
  const Four sum = sums(total[0], total[1], total[2], total[3]);
  std::memcpy(r, &sum, N * sizeof(float));
}

// out [L] += sum of factors[n] x_n for N rows of x [N, width], N at most 4
template <int N>
void add_scaled(const float* factors, const float* x, std::int64_t width, std::int64_t L,
                float* out) {
  for (std::int64_t j = 0; j < L; j += kFloats) {
    Floats total = load(out + j);
    for (int n = 0; n < N; ++n) total += factors[n] * load(x + n * width + j);
    store(out + j, total);
  }
}

// out [N] = x [N, width] y, N at most 4; one of them is zero from L to the end of the last vector.
template <int N>
void dot_rows(const float* x, std::int64_t width, const float* y, std::int64_t L, float* out) {
  Floats total[4] = {};
  for (std::int64_t j = 0; j < L; j += kFloats)
    for (int n = 0; n < N; ++n) total[n] += load(x + n * width + j) * load(y + j);
  const Four sum = sums(total[0], total[1], total[2], total[3]);
  std::memcpy(out, &sum, N * sizeof(float));
}

float dot(const float* x, const float* y, std::int64_t n) {
  Floats total = {};
  for (std::int64_t i = 0; i < n; i += kFloats)
    total += load_upto(x + i, n - i) * load_upto(y + i, n - i);
  return sum(total);
}

// Pictures: alpha [L, K] (rows alpha_stride apart) and beta [K, L] (beta_stride) out of E, c, r.
void write_maps(const Utterance& u, const float* E, std::int64_t width, const ForwardOutputs& out) {
  for (std::int64_t k = 0; k < u.K; ++k)
    for (std::int64_t j = 0; j < u.L; ++j) {
      const float e = E[k * width + j];
      if (out.alpha) out.alpha[j * out.alpha_stride + k] = e / out.text_sums[j];
      if (out.beta) out.beta[k * out.beta_stride + j] = e / out.speech_sums[k];
    }
}

// Rows whose scores are made before any is looked at: a vector that was just stored in pieces
// cannot be loaded until all of them have left the store buffer.
constexpr std::int64_t kChunk = 8 * kRows;

// Speech of more floats than this does not come out of the first-level cache.
constexpr std::int64_t kNearFloats = 32768;

// Scores of rows first .. end - 1 into x [K, width]; gives back end.
std::int64_t score_chunk(const Utterance& u, std::int64_t first, float* x, std::int64_t width) {
  const std::int64_t end = u.K - first < kChunk ? u.K : first + kChunk;
  const bool far = u.K * u.D > kNearFloats;
  for (std::int64_t k = first; k < end; k += kRows) {
    const int rows = end - k < kRows ? static_cast<int>(end - k) : kRows;
    products(rows, u.speech + k * u.speech_stride, u.speech_stride, u.text, u.text_stride, u.L, u.D,
             x + k * width, width, far && u.K - k >= 2 * kRows);
  }
  return end;
}

// What N <= 4 rows of E give: r, and their part of c and of w_t.
template <int N>
void take_rows(const Utterance& u, const float* E, std::int64_t width, float* r, float* c,
               float* text_weights) {
  row_sums<N>(E, width, u.L, c, r);
  float share[N];
  for (int n = 0; n < N; ++n) share[n] = 1.0f / (static_cast<float>(u.K) * r[n]);
  add_scaled<N>(share, E, width, u.L, text_weights);
}

void forward(const Utterance& u, const ForwardOutputs& out, float* scratch) {
  const std::int64_t K = u.K, L = u.L, D = u.D, width = padded(L);
  float* E = scratch;                   // [K, width]
  float* c = E + K * width;             // [width]
  float* text_weights = c + width;      // [width]
  float* share = text_weights + width;  // [width], 1 / (L c_j)
  std::memset(c, 0, static_cast<std::size_t>(3 * width) * sizeof(float));
  for (std::int64_t k = 0; k < K;) {
    const std::int64_t end = score_chunk(u, k, E, width);
    exponentials(E + k * width, end - k, width, L);
    for (; k + 4 <= end; k += 4)
      take_rows<4>(u, E + k * width, width, out.speech_sums + k, c, text_weights);
    for (; k < end; ++k)
      take_rows<1>(u, E + k * width, width, out.speech_sums + k, c, text_weights);
  }
  for (std::int64_t j = 0; j < L; ++j) share[j] = 1.0f / (static_cast<float>(L) * c[j]);
  std::int64_t k = 0;
  for (; k + 4 <= K; k += 4) dot_rows<4>(E + k * width, width, share, L, out.speech_weights + k);
  for (; k < K; ++k) dot_rows<1>(E + k * width, width, share, L, out.speech_weights + k);
  std::memcpy(out.text_weights, text_weights, static_cast<std::size_t>(L) * sizeof(float));
  std::memcpy(out.text_sums, c, static_cast<std::size_t>(L) * sizeof(float));
  weighted_sum(out.speech_weights, u.speech, u.speech_stride, K, D, out.pooled_speech);
  weighted_sum(out.text_weights, u.text, u.text_stride, L, D, out.pooled_text);
  if (out.alpha || out.beta) write_maps(u, E, width, out);
}

// Scratch of the backward, [width] each but for H.
struct Backward {
  float* H;               // [K, width], E (1 - A^2), then G
  float* q;               // q_j
  float* m;               // m_j
  float* share;           // 1 / (L c_j)
  float* text_weights;    // w_t
  float* p;               // [K], p_k
  float* n;               // [K], n_k
  float* speech_weights;  // [K], w_s
};

// Row k of scores to H, in place: n_k, w_s[k], and this row's part of m and w_t.
void score_row(const Utterance& u, const BackwardInputs& in, const Backward& s, std::int64_t k,
               std::int64_t width) {
  float* row = s.H + k * width;
  const float inverse = 1.0f / in.speech_sums[k], share = inverse / static_cast<float>(u.K);
  Floats n = {}, weight = {};
  for (std::int64_t j = 0; j < u.L; j += kFloats) {
    const Floats c = tanh_complement(load(row + j));
    const Floats e = below(j, u.L) ? exp_unit(1.0f - 2.0f * c) : Floats{};
    n += e * load(s.q + j);
    weight += e * load(s.share + j);
    store(s.m + j, load(s.m + j) + s.p[k] * e);
    store(s.text_weights + j, load(s.text_weights + j) + share * e);
    store(row + j, below(j, u.L) ? e * (4.0f * c * (1.0f - c)) : Floats{});
  }
  s.n[k] = sum(n) * inverse;
  s.speech_weights[k] = sum(weight);
}

// H to G = H [(p_k - m_j) / (L c_j) + (q_j - n_k) / (K r_k)].
void gradient_row(const Utterance& u, const BackwardInputs& in, const Backward& s, std::int64_t k,
                  std::int64_t width) {
  float* row = s.H + k * width;
  const float share = 1.0f / (in.speech_sums[k] * static_cast<float>(u.K));
  for (std::int64_t j = 0; j < u.L; j += kFloats)
    store(row + j, load(row + j) * ((s.p[k] - load(s.m + j)) * load(s.share + j) +
                                    (load(s.q + j) - s.n[k]) * share));
}

Backward carve(const Utterance& u, const BackwardInputs& in, float* scratch, std::int64_t width) {
  Backward s;
  s.H = scratch;
  s.q = s.H + u.K * width;
  s.m = s.q + width;
  s.share = s.m + width;
  s.text_weights = s.share + width;
  s.p = s.text_weights + width;
  s.n = s.p + u.K;
  s.speech_weights = s.n + u.K;
  std::memset(s.q, 0, static_cast<std::size_t>(4 * width) * sizeof(float));
  for (std::int64_t j = 0; j < u.L; ++j) {
    s.q[j] = dot(u.text + j * u.text_stride, in.d_pooled_text, u.D) +
             (in.d_text_weights ? in.d_text_weights[j] : 0.0f);
    s.share[j] = 1.0f / (static_cast<float>(u.L) * in.text_sums[j]);
  }
  for (std::int64_t k = 0; k < u.K; ++k)
    s.p[k] = dot(u.speech + k * u.speech_stride, in.d_pooled_speech, u.D) +
             (in.d_speech_weights ? in.d_speech_weights[k] : 0.0f);
  return s;
}

void backward(const Utterance& u, const BackwardInputs& in, float* d_speech, float* d_text,
              float* scratch) {
  const std::int64_t width = padded(u.L);
  const Backward s = carve(u, in, scratch, width);
  for (std::int64_t k = 0; k < u.K;) {
    const std::int64_t end = score_chunk(u, k, s.H, width);
    for (; k < end; ++k) score_row(u, in, s, k, width);
  }
  for (std::int64_t j = 0; j < u.L; ++j) s.m[j] /= in.text_sums[j];
  for (std::int64_t k = 0; k < u.K; ++k) gradient_row(u, in, s, k, width);
  product_and_outer({s.H, width, 1}, u.K, u.L, u.text, u.text_stride, s.speech_weights,
                    in.d_pooled_speech, u.D, d_speech);
  product_and_outer({s.H, 1, width}, u.L, u.K, u.speech, u.speech_stride, s.text_weights,
                    in.d_pooled_text, u.D, d_text);
}

}  // namespace

extern const AlignKernels align_kernels;
const AlignKernels align_kernels = {forward, backward};

}  // namespace gban::GBAN_ISA
