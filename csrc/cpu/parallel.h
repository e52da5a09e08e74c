// A loop over a batch on several threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace gban {

// Calls work(next) on up to `threads` threads, this one included; next() hands out 0 .. count - 1
// and then count. Threads live for the call alone, which keeps forks safe and costs some 20 us
// each, so ask for one only where it has more than that to do. The first exception is thrown again.
template <typename Work>
void parallel_for(std::int64_t count, std::int64_t threads, const Work& work) {
  std::atomic<std::int64_t> taken{0};
  auto next = [&] { return std::min(count, taken.fetch_add(1, std::memory_order_relaxed)); };
  std::exception_ptr failure;
  std::mutex failing;
  auto guarded = [&] {
    try {
      work(next);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failing);
      if (!failure) failure = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  try {
    for (std::int64_t i = 1; i < std::min(threads, count); ++i) others.emplace_back(guarded);
  } catch (const std::system_error&) {
    // The system has no thread to spare: those there are do all the work.
  }
  guarded();
  for (std::thread& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace gban
