#include "mma.h"

namespace shim {

namespace {

// The eight columns of a row; the compiler cuts it into the vectors that the processor has.
typedef double Row __attribute__((vector_size(64)));
typedef std::int64_t Bits __attribute__((vector_size(64)));
constexpr std::int64_t kFloatBits = ~((std::int64_t{1} << 29) - 1);

struct Operands {
  double a[16][16];
  Row b[16];
  int depth;
};

template <typename T>
double half_of(std::uint32_t pair, int which) {
  return gban::to_float(T{static_cast<std::uint16_t>(pair >> 16 * which)});
}

template <typename T>
void gather16(const Fragments& all, Operands& m) {
  m.depth = 16;
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 8; ++i)
      m.a[g + i / 2 % 2 * 8][2 * t + i / 4 * 8 + i % 2] = half_of<T>(all.a[lane][i / 2], i % 2);
    for (int i = 0; i < 4; ++i)
      m.b[2 * t + i / 2 * 8 + i % 2][g] = half_of<T>(all.b[lane][i / 2], i % 2);
  }
}

void gather_tf32(const Fragments& all, Operands& m) {
  m.depth = 8;
  const auto value = [](std::uint32_t bits) { return gban::bits_float(bits & ~0x1FFFu); };
  for (int lane = 0; lane < 32; ++lane) {
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; ++i) m.a[g + i % 2 * 8][t + i / 2 * 4] = value(all.a[lane][i]);
    for (int i = 0; i < 2; ++i) m.b[t + i * 4][g] = value(all.b[lane][i]);
  }
}

// To 24 significant bits. The sum itself was rounded to 53, which can hide a last bit in 2^29.
void cut(Row& sum) { sum = reinterpret_cast<Row>(reinterpret_cast<Bits>(sum) & kFloatBits); }

// Rows g and g + 8 of d together: lanes 4g .. 4g + 3 hold them.
void add_products(const Operands& m, const Fragments& all, int g) {
  Row low, high;
  for (int n = 0; n < 8; ++n) {
    const float* d = all.d[4 * g + n / 2];
    low[n] = d[n % 2];
    high[n] = d[2 + n % 2];
  }
  for (int k = 0; k < m.depth; ++k) {
    low += m.a[g][k] * m.b[k];
    high += m.a[g + 8][k] * m.b[k];
    cut(low);
    cut(high);
  }
  for (int n = 0; n < 8; ++n) {
    float* d = all.d[4 * g + n / 2];
    d[n % 2] = static_cast<float>(low[n]);
    d[2 + n % 2] = static_cast<float>(high[n]);
  }
}

}  // namespace

void multiply_fragments(const Fragments& all, Fragment kind) {
  Operands m;
  if (kind == Fragment::fp16) gather16<gban::Half>(all, m);
  if (kind == Fragment::bf16) gather16<gban::BFloat16>(all, m);
  if (kind == Fragment::tf32) gather_tf32(all, m);
  for (int g = 0; g < 8; ++g) add_products(m, all, g);
}

}  // namespace shim
