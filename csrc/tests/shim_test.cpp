// The shim runs right kernels right, under every schedule.
#include "shim_test.h"

#include <chrono>
#include <cmath>
#include <random>
#include <vector>

#include "shim_kernels.cuh"

namespace {

using shim_test::expect;
namespace dev = gban::dev;

std::mt19937 random_bits(5);

std::vector<float> random_values(std::size_t n) {
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(random_bits);
  return values;
}

double worst(const std::vector<float>& got, const std::vector<double>& want) {
  double error = 0;
  for (std::size_t i = 0; i < want.size(); ++i)
    error = std::isnan(got[i]) ? HUGE_VAL : std::max(error, std::fabs(got[i] - want[i]));
  return error;
}

void check_sum_rows() {
  const int n = 301, columns = 3, rows = 2;
  const std::vector<float> in = random_values(n * columns * rows);
  std::vector<double> want(columns * rows);
  for (std::size_t i = 0; i < in.size(); ++i) want[i / n] += in[i];
  for (int block : {32, 64, 96}) {
    std::vector<float> out(columns * rows, NAN);
    dev::launch(kernels::sum_rows, dim3(columns, rows), block, block / 32 * sizeof(float), nullptr,
                false, {in.data(), out.data(), n});
    expect(worst(out, want) < 1e-4, "sums over a 2-D grid, blocks of " + std::to_string(block));
  }
}

void check_grid_barrier() {
  const unsigned n = shim::kEngineIsThreads ? 4 : 16;
  std::vector<float> cells(2 * n, 0.0f);
  for (unsigned i = 0; i < n; ++i) cells[i] = static_cast<float>(i * i);
  std::vector<double> want(cells.begin(), cells.begin() + n);
  const int steps = 6;
  for (int step = 0; step < steps; ++step) {
    const std::vector<double> old = want;
    for (unsigned i = 0; i < n; ++i) want[i] = old[i] + old[(i + n - 1) % n];
  }
  unsigned arrived = 0;
  dev::launch(kernels::pass_round, dim3(n), shim::kEngineIsThreads ? 32 : 256, 0, nullptr, true,
              {cells.data(), &arrived, steps});
  expect(worst(cells, want) == 0, "a barrier across the blocks of a cooperative launch");
}

void check_words() {
  const unsigned n = 5, steps = 7;
  std::vector<float> cells(n);
  for (unsigned i = 0; i < n; ++i) cells[i] = static_cast<float>(i * i);
  std::vector<double> want(cells.begin(), cells.end());
  for (unsigned step = 0; step < steps; ++step) {
    const std::vector<double> old = want;
    for (unsigned i = 0; i < n; ++i) want[i] = old[i] + old[(i + n - 1) % n] + old[(i + 1) % n];
  }
  std::vector<std::uint64_t> words(2 * n);
  dev::launch(kernels::pass_words, dim3(n), 32, 0, nullptr, true,
              {cells.data(), words.data(), steps});
  expect(worst(cells, want) == 0, "words that travel with the number of their step");
}

void check_last_block() {
  const unsigned blocks = 7;
  const std::vector<float> in = random_values(blocks * 32);
  std::vector<double> want(1);
  for (float x : in) want[0] += x;
  std::vector<float> partial(blocks), out(1);
  unsigned tickets = 0;
  dev::launch(kernels::sum_by_last_block, dim3(blocks), 32, sizeof(int), nullptr, false,
              {in.data(), partial.data(), &tickets, out.data()});
  expect(worst(out, want) < 1e-4, "the last block adds up, by fence and ticket");
}

void check_copies() {
  const int block = 64, width = 4 * block, tiles = 5, n = 4 * width + 100;
  const std::vector<float> in = random_values(n);
  std::vector<double> by_place(width), want(width);
  for (int i = 0; i < n; ++i) by_place[i % width] += in[i];
  for (int i = 0; i < width; ++i) want[i] = by_place[(i + 4) % width];
  std::vector<float> out(width);
  dev::launch(kernels::sum_tiles, dim3(1), block, 3 * width * sizeof(float), nullptr, false,
              {in.data(), out.data(), tiles, n});
  expect(worst(out, want) < 1e-5, "a pipeline of asynchronous copies");
}

float stored(float x, float) { return gban::round_tf32(x); }
template <typename T>
T stored(float x, T) {
  return gban::from_float<T>(x);
}

// Cut toward zero after each of k products: up to k units in the last place of the largest sum.
template <typename T>
void check_product(void (*kernel)(kernels::Product<T>), int k, const char* name) {
  std::vector<T> a, b;
  for (float x : random_values(16 * k)) a.push_back(stored(x, T{}));
  for (float x : random_values(8 * k)) b.push_back(stored(x, T{}));
  std::vector<double> want(16 * 8);
  double sizes = 0;
  for (int m = 0; m < 16; ++m)
    for (int n = 0; n < 8; ++n) {
      double size = 0;
      for (int i = 0; i < k; ++i) {
        const double x = gban::to_float(a[m * k + i]), y = gban::to_float(b[n * k + i]);
        want[m * 8 + n] += x * y;
        size += std::fabs(x * y);
      }
      sizes = std::max(sizes, size);
    }
  std::vector<float> product(16 * 8, NAN);
  dev::launch(kernel, dim3(1), 32, 0, nullptr, false, {a.data(), b.data(), product.data(), k});
  expect(worst(product, want) < sizes * k * 0x1p-23, name);
}

void check_shuffles() {
  std::vector<int> out(96);
  dev::launch(kernels::shuffle_all, dim3(1), 32, 0, nullptr, false, {out.data()});
  bool good = true;
  for (int i = 0; i < 32; ++i)
    good = good && out[i] == i / 8 * 8 + 3 && out[32 + i] == (i + 5 < 32 ? i + 5 : i) &&
           out[64 + i] == (i ^ 6);
  expect(good, "shuffles, of part of a warp too");
}

void check_all(std::uint64_t seed, shim::Granularity granularity) {
  std::printf("seed %d, by %s\n", static_cast<int>(seed),
              granularity == shim::Granularity::warp ? "warp" : "thread");
  shim::options().seed = seed;
  shim::options().granularity = granularity;
  check_sum_rows();
  check_grid_barrier();
  check_words();
  check_last_block();
  check_copies();
  check_product(kernels::multiply16<gban::Half>, 48, "16 x 8 product of fp16");
  check_product(kernels::multiply16<gban::BFloat16>, 48, "16 x 8 product of bf16");
  check_product(kernels::multiply_tf32, 40, "16 x 8 product of tf32");
  check_shuffles();
  shim::options() = shim::Options{};
}

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// For whoever sizes a test: what a switch and an mma cost here.
void print_costs() {
  const int k = 16 * 20000;
  const std::vector<gban::Half> a(16 * k, gban::Half{0x3C00}), b(8 * k, gban::Half{0x3800});
  std::vector<float> product(16 * 8);
  const double mma = seconds([&] {
    dev::launch(kernels::multiply16<gban::Half>, dim3(1), 32, 0, nullptr, false,
                {a.data(), b.data(), product.data(), k});
  });
  const int rounds = 20000, block = 256;
  void (*barriers)(int) = [](int n) {
    for (int i = 0; i < n; ++i) __syncthreads();
  };
  const double barrier =
      seconds([&] { dev::launch(barriers, dim3(1), block, 0, nullptr, false, rounds); });
  std::printf("an mma of one warp: %.2f us; a thread at a barrier: %.0f ns\n", mma / (k / 16) * 1e6,
              barrier / rounds / block * 1e9);
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1) return shim_test::commit(arguments[1]) ? 0 : 2;
  for (std::uint64_t seed : {0, 1, 2}) {
    check_all(seed, shim::Granularity::warp);
    if (!shim::kEngineIsThreads) check_all(seed, shim::Granularity::thread);
  }
  shim_test::check_faults(arguments[0]);
  if (!shim::kEngineIsThreads) print_costs();
  std::printf("%d failures\n", shim_test::failures);
  return shim_test::failures ? 1 : 0;
}
