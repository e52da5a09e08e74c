// The conversions of numeric.h against definitions made another way: values by ldexp, roundings by
// the two neighbours among all 16-bit values.
#include "gban/numeric.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

namespace {

int failures = 0;

void expect(bool good, const char* what, std::uint32_t bits) {
  if (good || ++failures > 20) return;
  std::printf("%s: wrong for bits %08x\n", what, bits);
}

// sign, exponent and fraction read as the formats define them.
double value_of(std::uint32_t bits, int exponent_bits, int fraction_bits) {
  const int top = (1 << exponent_bits) - 1, bias = top / 2;
  const int fraction = static_cast<int>(bits & ((1u << fraction_bits) - 1));
  const int exponent = static_cast<int>(bits >> fraction_bits) & top;
  const double sign = bits >> (exponent_bits + fraction_bits) ? -1.0 : 1.0;
  if (exponent == top) return fraction ? std::nan("") : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

bool same(double a, double b) {
  return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
}

template <typename T>
struct Format;
template <>
struct Format<gban::Half> {
  static constexpr int exponent = 5, fraction = 10;
  static constexpr const char* name = "Half";
};
template <>
struct Format<gban::BFloat16> {
  static constexpr int exponent = 8, fraction = 7;
  static constexpr const char* name = "BFloat16";
};

// To nearest, ties to an even last bit: positive finite values in order, infinity where the value
// after the largest one would be.
template <typename T>
std::uint16_t nearest(float x) {
  if (std::isnan(x)) return 0x7FFF;
  const auto value = [](std::uint32_t bits) {
    const int fraction = Format<T>::fraction, exponent = Format<T>::exponent;
    const std::uint32_t infinity = ((1u << exponent) - 1) << fraction;
    if (bits == infinity) return std::ldexp(1.0, 1 << (exponent - 1));
    return value_of(bits, exponent, fraction);
  };
  const std::uint32_t infinity = ((1u << Format<T>::exponent) - 1) << Format<T>::fraction;
  const double size = std::fabs(static_cast<double>(x));
  std::uint32_t low = 0, high = infinity;
  while (high - low > 1) (value((low + high) / 2) <= size ? low : high) = (low + high) / 2;
  const double below = size - value(low), above = value(high) - size;
  const bool up = above < below || (above == below && low % 2 == 1);
  return static_cast<std::uint16_t>((up ? high : low) | (std::signbit(x) ? 0x8000u : 0u));
}

template <typename T>
void check_rounding(float x) {
  expect(gban::from_float<T>(x).bits == nearest<T>(x), Format<T>::name, gban::float_bits(x));
}

template <typename T>
void check_all_values() {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const T stored{static_cast<std::uint16_t>(bits)};
    const float value = gban::to_float(stored);
    expect(same(value, value_of(bits, Format<T>::exponent, Format<T>::fraction)), "to_float", bits);
    if (std::isnan(value)) continue;
    expect(gban::from_float<T>(value).bits == bits, "round trip", bits);
    // The half-way points to the neighbours and the floats on both sides of each.
    const T next{static_cast<std::uint16_t>(bits + 1)};
    const float middle = 0.5f * value + 0.5f * gban::to_float(next);
    for (float x : {middle, std::nextafterf(middle, HUGE_VALF), std::nextafterf(middle, -HUGE_VALF),
                    std::nextafterf(value, HUGE_VALF), std::nextafterf(value, -HUGE_VALF)})
      check_rounding<T>(x);
  }
}

template <typename T>
void check_random_floats() {
  std::mt19937 random(1);
  for (int i = 0; i < 1000000; ++i) check_rounding<T>(gban::bits_float(random()));
  const float largest = std::numeric_limits<float>::max();
  for (float x : {0.0f, -0.0f, HUGE_VALF, -HUGE_VALF, largest, -largest, 65519.996f, 65520.0f,
                  0x1p-24f, 0x1p-25f, 0x1.000002p-25f, 0x1p-149f, 0x1.FFFFFEp-15f, 0x1.FF8p-15f})
    check_rounding<T>(x);
}

// cvt.rna: of the two neighbours with 10 fraction bits the nearer, at a tie the larger in size.
void check_tf32() {
  std::mt19937 random(2);
  for (int i = 0; i < 1000000; ++i) {
    const std::uint32_t bits = i % 3 ? random() : (random() & ~0x1FFFu) | 0x1000u;
    const float x = gban::bits_float(bits), rounded = gban::round_tf32(x);
    if (std::isnan(x)) {
      expect(std::isnan(rounded), "tf32", bits);
      continue;
    }
    if ((bits & 0x7F800000u) >= 0x7F000000u) continue;  // the step up may be infinity: below
    const double size = std::fabs(static_cast<double>(x));
    const double low = std::fabs(static_cast<double>(gban::bits_float(bits & ~0x1FFFu)));
    const double high =
        std::fabs(static_cast<double>(gban::bits_float((bits & ~0x1FFFu) + 0x2000u)));
    const double want = high - size <= size - low ? high : low;
    expect(same(rounded, std::copysign(want, x)), "tf32", bits);
  }
  expect(gban::round_tf32(HUGE_VALF) == HUGE_VALF, "tf32", 0x7F800000u);
  expect(gban::round_tf32(std::numeric_limits<float>::max()) == HUGE_VALF, "tf32", 0x7F7FFFFFu);
}

}  // namespace

int main() {
  check_all_values<gban::Half>();
  check_all_values<gban::BFloat16>();
  check_random_floats<gban::Half>();
  check_random_floats<gban::BFloat16>();
  check_tf32();
  expect(gban::pack2(gban::Half{0x1234}, gban::Half{0xABCD}) == 0xABCD1234u, "pack2", 0);
  std::printf("conversions of Half, BFloat16 and tf32: %d failures\n", failures);
  return failures ? 1 : 0;
}
