// A launch: its limits, its blocks and the order in which they run.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <string>

#include "engine.h"

namespace shim {

namespace {

void check_limits(const dim3& grid, int block, std::size_t shared_bytes, const Place& launch) {
  const auto refuse = [&](const std::string& what) {
    throw Fault("launch by " + std::string(launch.what) + " at " + launch.file + ":" +
                std::to_string(launch.line) + ": " + what);
  };
  if (block < 1 || block > 1024)
    refuse("a block of " + std::to_string(block) + " threads; 1 to 1024 are possible");
  if (grid.x < 1 || grid.y < 1 || grid.z != 1 || grid.y > 65535)
    refuse("a grid of " + std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " +
           std::to_string(grid.z) + " blocks; it must be 2-D, not empty, at most 65535 in y");
  if (shared_bytes > options().shared_limit)
    refuse(std::to_string(shared_bytes) + " bytes of shared memory; the limit is " +
           std::to_string(options().shared_limit));
}

// The hardware promises none; in order only where the whole schedule is.
std::vector<dim3> block_order(const dim3& grid) {
  std::vector<dim3> order;
  for (unsigned y = 0; y < grid.y; ++y)
    for (unsigned x = 0; x < grid.x; ++x) order.emplace_back(x, y, 0u);
  std::mt19937_64 random(options().seed);
  if (options().seed != 0) std::shuffle(order.begin(), order.end(), random);
  return order;
}

}  // namespace

Options& options() {
  static Options chosen;
  return chosen;
}

// A heap allocation of just that size: AddressSanitizer puts a red zone behind it.
Block::Block(Launch& owner, dim3 at, int number)
    : launch(owner), index(at), warps((owner.threads + 31) / 32), threads(owner.threads) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 128, owner.shared_bytes) != 0) throw std::bad_alloc();
  shared = static_cast<unsigned char*>(memory);
  std::memset(shared, 0xFF, owner.shared_bytes);
  const int count = owner.threads, warps_a_block = static_cast<int>(warps.size());
  group.size = count;
  for (int w = 0; w < warps_a_block; ++w) {
    warps[w].number = number * warps_a_block + w;
    warps[w].group.first = w * 32;
    warps[w].group.size = std::min(32, count - w * 32);
  }
  for (int i = 0; i < count; ++i) {
    threads[i].block = this;
    threads[i].warp = &warps[i / 32];
    threads[i].index = i;
  }
}

Block::~Block() { std::free(shared); }

void run(const std::function<void()>& thread_body, dim3 grid, int block, std::size_t shared_bytes,
         bool cooperative, const Place& place) {
  check_limits(grid, block, shared_bytes, place);
  Launch launch(thread_body, grid, block, shared_bytes, place);
  const std::vector<dim3> order = block_order(grid);
  const std::size_t together = cooperative ? order.size() : 1;
  std::vector<std::unique_ptr<Block>> blocks;
  for (std::size_t first = 0; first < order.size() && !launch.faulty; first += together) {
    if (!kEngineIsThreads)
      blocks.clear();  // ThreadSanitizer would see no order before a block's release
    launch.blocks.clear();
    for (std::size_t i = 0; i < together; ++i) {
      blocks.push_back(std::make_unique<Block>(launch, order[first + i], static_cast<int>(i)));
      launch.blocks.push_back(blocks.back().get());
    }
    launch.live = static_cast<int>(together) * block;
    run_together(launch, launch.blocks);
  }
  finish(launch);
  if (launch.faulty) throw Fault(launch.fault);
}

}  // namespace shim
