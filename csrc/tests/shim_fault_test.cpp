// Seeded faults: a kernel with a mistake in it that the shim or a sanitizer must catch.
//
// Faults that the shim throws and faults that show as a wrong value are caught here. Those that
// only a sanitizer can see are committed in a second run of this program, whose report must name
// the source line.
#include <cmath>
#include <functional>
#include <vector>

#include "device.cuh"
#include "shim_test.h"

namespace shim_test {
namespace {

namespace dev = gban::dev;

struct Floats {
  float* p;
  int n;
};

float* shared_floats() { return reinterpret_cast<float*>(dev::shared_memory()); }

int me() { return static_cast<int>(threadIdx.x); }

// --- missing synchronisation ---

constexpr int kBlock = 96;

// Each thread reads what its neighbour wrote, twice over. Right with both barriers.
template <bool first_barrier, bool second_barrier>
void shift_twice(Floats f) {
  float* cells = shared_floats();
  float sum = 0.0f;
  for (int round = 1; round <= 2; ++round) {
    cells[me()] = static_cast<float>(round * me());
    if (first_barrier) __syncthreads();
    sum += cells[(me() + 1) % kBlock];
    if (second_barrier) __syncthreads();
  }
  f.p[me()] = sum;
}

// A shuffle brings the lanes together but orders no memory: __syncwarp would.
void shuffle_for_a_barrier(Floats f) {
  float* cells = shared_floats();
  cells[me()] = 1.0f;
  __shfl_sync(0xFFFFFFFFu, 0, 0);
  f.p[me()] = cells[me() ^ 1];
}

void blocks_share_a_cell(Floats f) {
  if (me() == 0) *f.p += 1.0f;
}

void ticket_without_fence(Floats f) {
  auto* ticket = reinterpret_cast<unsigned*>(f.p);
  if (me() != 0) return;
  f.p[1 + blockIdx.x] = 1.0f;
  if (atomicAdd(ticket, 1u) + 1 == gridDim.x) f.p[3] = f.p[1] + f.p[2];
}

// The last wait is missing.
template <bool wait>
void copy(Floats f) {
  float* cells = shared_floats();
  dev::copy_async16(cells + 4 * me(), f.p + 4 * me(), true);
  dev::copy_async_commit();
  if (wait) dev::copy_async_wait<0>();
  f.p[4 * me()] = cells[4 * me()];
}

// --- divergence ---

void two_barriers(Floats) {
  if (me() < 40)
    __syncthreads();
  else
    __syncthreads();
}

void leave_before_a_barrier(Floats) {
  if (me() == 70) return;
  __syncthreads();
}

void shuffle_in_a_branch(Floats) {
  if (me() % 2) __shfl_xor_sync(0xFFFFFFFFu, 1.0f, 1);
}

void shuffle_against_barrier(Floats) {
  if (me() == 5) __syncthreads();
  __shfl_xor_sync(0xFFFFFFFFu, 1.0f, 1);
  if (me() != 5) __syncthreads();
}

void mma_by_half_a_warp(Floats) {
  float d[4] = {};
  const std::uint32_t a[4] = {}, b[2] = {};
  if (me() < 16) dev::mma_m16n8k16(d, a, b, gban::Half{});
}

void part_of_a_mask(Floats) { __shfl_sync(0xFFFFu, 1, 0); }

void spin_for_nobody(Floats f) {
  if (me() == 0)
    while (dev::load_acquire(reinterpret_cast<unsigned*>(f.p)) == 0) dev::spin();
  __syncthreads();
}

// --- memory ---

void misaligned_copy(Floats f) { dev::copy_async16(shared_floats() + 1, f.p, true); }

constexpr int kOverflowLine = __LINE__ + 1;
void overflow_shared(Floats) { shared_floats()[me() + 1] = 1.0f; }

constexpr int kGlobalLine = __LINE__ + 1;
void overflow_global(Floats f) { shared_floats()[me()] = f.p[me() + 1]; }

constexpr int kCopyLine = __LINE__ + 1;
void overflow_copy(Floats f) { dev::copy_async16(shared_floats(), f.p + f.n - 4 + 4, true); }

// After a switch: the red zones of a stack must outlive it.
constexpr int kLocalLine = __LINE__ + 5;
void overflow_local(Floats f) {
  float local[4] = {};
  float* volatile cells = local;
  __syncthreads();
  cells[4] = 1.0f;
  f.p[0] = cells[0];
}

// --- running them ---

using Kernel = void (*)(Floats);

std::vector<float> run(Kernel kernel, unsigned blocks = 1, bool cooperative = false,
                       int block = kBlock, int values = 4 * kBlock) {
  std::vector<float> memory(static_cast<std::size_t>(values), 0.0f);
  dev::launch(kernel, dim3(blocks), block, static_cast<std::size_t>(block) * 4 * sizeof(float),
              nullptr, cooperative, {memory.data(), values});
  return memory;
}

void expect_fault(const char* name, const std::string& message, const std::function<void()>& work) {
  std::string got = "nothing";
  try {
    work();
  } catch (const shim::Fault& fault) {
    got = fault.what();
  }
  const bool good = got.find(message) != std::string::npos;
  expect(good, std::string(name) + (good ? " is caught" : ": wanted '" + message + "'"));
  std::printf("         %s\n", got.c_str());
}

bool right(Kernel kernel) {
  const std::vector<float> got = run(kernel);
  for (int i = 0; i < kBlock; ++i)
    if (!(got[i] == static_cast<float>(3 * ((i + 1) % kBlock)))) return false;
  return true;
}

int wrong_schedules(Kernel kernel) {
  int wrong = 0;
  for (std::uint64_t seed : {0, 1, 2}) {
    shim::options().seed = seed;
    wrong += !right(kernel);
  }
  shim::options() = shim::Options{};
  return wrong;
}

void check_wrong_values() {
  expect(wrong_schedules(shift_twice<true, true>) == 0, "both barriers: right in three schedules");
  if (!shim::kEngineIsThreads) {
    expect(wrong_schedules(shift_twice<false, true>) > 0, "a missing barrier after a write");
    expect(wrong_schedules(shift_twice<true, false>) > 0, "a missing barrier after a read");
  }
  expect(run(copy<true>)[4] == 0.0f, "a copy that is waited for arrives");
  expect(std::isnan(run(copy<false>)[4]), "a missing copy_async_wait leaves NaN");
}

void check_divergence() {
  const std::string barrier = "divergent barrier", warp = "warp collective in divergent code";
  expect_fault("a barrier in two places", barrier, [] { run(two_barriers); });
  expect_fault("a thread that leaves", "divergent", [] { run(leave_before_a_barrier); });
  // Which thread sees it, the one that waits or the one that returns, is up to the OS.
  expect_fault("a shuffle in a branch", "divergent code", [] { run(shuffle_in_a_branch, 1); });
  expect_fault("a shuffle against a barrier", warp,
               [] { run(shuffle_against_barrier, 1, false, 32); });
  expect_fault("half a warp's mma", "mma_m16n8k16 of Half", [] { run(mma_by_half_a_warp); });
  expect_fault("half a mask", "all 32 lanes", [] { run(part_of_a_mask); });
  expect_fault("a spin for nobody", "deadlock", [] { run(spin_for_nobody, 2, true); });
  expect_fault("a misaligned copy", "not 16-byte aligned", [] { run(misaligned_copy); });
  const auto with_shared = [](std::size_t bytes) {
    dev::launch(copy<true>, dim3(1), 32, bytes, nullptr, false, {nullptr, 0});
  };
  expect_fault("228 KiB", "shared memory; the limit", [&] { with_shared(228 * 1024); });
  shim::options().shared_limit = shim::kSharedLimitSm87;
  expect_fault("164 KiB for sm_87", "the limit is 166912", [&] { with_shared(164 * 1024); });
  shim::options() = shim::Options{};
  expect_fault("1025 threads", "1 to 1024", [] { run(copy<true>, 1, false, 1025); });
}

#if defined(__SANITIZE_ADDRESS__)
constexpr char kSanitizer = 'a';
#elif defined(__SANITIZE_THREAD__)
constexpr char kSanitizer = 't';
#else
constexpr char kSanitizer = '-';
#endif

// Which sanitizer must report the fault, as what and where.
struct Report {
  const char* name;
  Kernel kernel;
  char sanitizer;
  int blocks, block, values;
  const char* kind;
  int line;  // 0: any
};

const Report kReports[] = {
    {"overflow_shared", overflow_shared, 'a', 1, 96, 96, "heap-buffer-overflow", kOverflowLine},
    {"overflow_global", overflow_global, 'a', 1, 96, 96, "heap-buffer-overflow", kGlobalLine},
    {"overflow_copy", overflow_copy, 'a', 1, 96, 96, "heap-buffer-overflow", kCopyLine},
    {"overflow_local", overflow_local, 'a', 1, 96, 96, "stack-buffer-overflow", kLocalLine},
    {"no_barrier_after_write", shift_twice<false, true>, 't', 1, 96, 96, "data race", 0},
    {"no_barrier_after_read", shift_twice<true, false>, 't', 1, 96, 96, "data race", 0},
    {"shuffle_for_a_barrier", shuffle_for_a_barrier, 't', 1, 32, 32, "data race", 0},
    {"blocks_share_a_cell", blocks_share_a_cell, 't', 2, 32, 1, "data race", 0},
    {"ticket_without_fence", ticket_without_fence, 't', 2, 32, 4, "data race", 0}};

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  char part[4096];
  while (pipe && std::fgets(part, sizeof part, pipe)) text += part;
  const int status = pipe ? pclose(pipe) : 0;
  return status ? text : "it ended well: " + text;
}

void check_reports(const std::string& self) {
  for (const Report& report : kReports) {
    if (report.sanitizer != kSanitizer) continue;
    const std::string name = report.name;
    const std::string text = output_of(self + " " + name + " 2>&1");
    const std::string place =
        "shim_fault_test.cpp" + (report.line ? ":" + std::to_string(report.line) : "");
    const bool good = text.find(report.kind) != std::string::npos &&
                      text.find(place) != std::string::npos &&
                      text.find("it ended well") == std::string::npos;
    expect(good, name + " is reported as " + report.kind + " in " + place);
    if (!good) std::printf("%s\n", text.c_str());
  }
}

}  // namespace

bool commit(const std::string& fault) {
  for (const Report& report : kReports) {
    if (fault != report.name) continue;
    std::vector<float> memory(static_cast<std::size_t>(report.values), 0.0f);
    dev::launch(report.kernel, dim3(static_cast<unsigned>(report.blocks)), report.block,
                static_cast<std::size_t>(report.block) * sizeof(float), nullptr, false,
                {memory.data(), report.values});
    return true;
  }
  return false;
}

void check_faults(const std::string& self) {
  check_wrong_values();
  check_divergence();
  check_reports(self);
}

}  // namespace shim_test
