#include "crew.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace gban {
namespace {

// How often a thread looks again before it sleeps: some tens of microseconds, as long as the
// stages of an utterance lie apart.
constexpr int kPatience = 4000;

constexpr int kMostWorkers = 1024;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

struct Crew::Shared {
  std::mutex mutex;
  std::condition_variable called, finished;
  // The number of the call, and below it how many workers it wants: in one word, so that a worker
  // that is not wanted need not look at anything that the next call may be changing. -1: go home.
  std::atomic<std::int64_t> call{0};
  std::atomic<std::int64_t> next{0};  // the job that is taken next
  std::atomic<int> working{0};        // workers that have not yet finished this call
  std::int64_t jobs = 0;
  Work work = nullptr;
  void* context = nullptr;
  pid_t owner = getpid();
  std::vector<std::thread> threads;

  void take_jobs(int worker) {
    for (std::int64_t job = next.fetch_add(1); job < jobs; job = next.fetch_add(1))
      work(context, job, worker);
  }

  std::int64_t wait_for_call(std::int64_t last) {
    for (int i = 0; i < kPatience; ++i) {
      if (call.load(std::memory_order_acquire) != last) return call.load();
      pause();
    }
    std::unique_lock<std::mutex> lock(mutex);
    called.wait(lock, [&] { return call.load() != last; });
    return call.load();
  }

  void worker(int number, std::int64_t last) {
    for (;;) {
      last = wait_for_call(last);
      if (last < 0) return;
      if (number > last % kMostWorkers) continue;
      take_jobs(number);
      if (working.fetch_sub(1) == 1) {
        const std::lock_guard<std::mutex> lock(mutex);
        finished.notify_one();
      }
    }
  }

  void wait_until_finished() {
    for (int i = 0; i < kPatience; ++i) {
      if (working.load(std::memory_order_acquire) == 0) return;
      pause();
    }
    std::unique_lock<std::mutex> lock(mutex);
    finished.wait(lock, [&] { return working.load() == 0; });
  }
};

Crew::Crew() = default;

Crew::~Crew() {
  if (!shared_) return;
  if (shared_->owner != getpid()) {
    shared_.release();  // its threads stayed in the process that was forked
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(shared_->mutex);
    shared_->call.store(-1);
  }
  shared_->called.notify_all();
  for (std::thread& thread : shared_->threads) thread.join();
}

void Crew::hire(int threads) {
  if (shared_ && shared_->owner != getpid()) shared_.release();
  if (!shared_) shared_ = std::make_unique<Shared>();
  Shared& s = *shared_;
  try {
    for (int i = static_cast<int>(s.threads.size()); i < threads; ++i)
      s.threads.emplace_back([&s, i, last = s.call.load()] { s.worker(i + 1, last); });
  } catch (const std::system_error&) {
    // The system has no thread to spare: those there are do all the work.
  }
}

void Crew::run(int threads, std::int64_t jobs, Work work, void* context) {
  threads = std::min(threads, kMostWorkers - 1);
  const int others = static_cast<int>(threads < jobs ? threads : jobs) - 1;
  if (others > 0) hire(others);
  const int here = shared_ ? static_cast<int>(shared_->threads.size()) : 0;
  if (others < 1 || here < 1) {
    for (std::int64_t job = 0; job < jobs; ++job) work(context, job, 0);
    return;
  }
  Shared& s = *shared_;
  const int wanted = others < here ? others : here;
  {
    const std::lock_guard<std::mutex> lock(s.mutex);
    s.jobs = jobs;
    s.work = work;
    s.context = context;
    s.next.store(0);
    s.working.store(wanted);
    s.call.store((s.call.load() / kMostWorkers + 1) * kMostWorkers + wanted);
  }
  s.called.notify_all();
  s.take_jobs(0);
  s.wait_until_finished();
}

}  // namespace gban
