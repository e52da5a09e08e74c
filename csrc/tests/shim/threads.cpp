// The engine that runs every CUDA thread as an OS thread, for ThreadSanitizer.
//
// All bookkeeping is hidden from it. What it sees instead is the order of a barrier: each thread
// adds to one of the group's two atomics before (acquire and release) and reads it after (acquire).
// Two, taken in turn, since a thread that runs ahead to the next barrier must not hand its newer
// writes to one that is still leaving this one. A launch's threads order nothing among blocks: they
// are joined unseen and counted off at the end.
#if defined(GBAN_SHIM_THREADS)

#include <chrono>
#include <thread>

#include "engine.h"

#if defined(__SANITIZE_THREAD__)
extern "C" {
void AnnotateIgnoreSyncBegin(const char* file, int line);
void AnnotateIgnoreSyncEnd(const char* file, int line);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace shim {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{5};  // a spin with nothing happening is a deadlock

void hide() {
#if defined(__SANITIZE_THREAD__)
  AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
#endif
}

void show() {
#if defined(__SANITIZE_THREAD__)
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
#endif
}

// ThreadSanitizer gives a joined thread's number to a new one and then takes the two for the same,
// so the threads of blocks that have ended stay, up to half of what it can count.
constexpr std::size_t kThreadsKept = 4000;
std::vector<std::thread> started;
std::atomic<unsigned> departed{0};

void join_unseen() {
  hide();
  for (std::thread& thread : started) thread.join();
  show();
  started.clear();
}

void thread_main(Thread& me) {
  current = &me;
  threadIdx.x = static_cast<unsigned>(me.index);
  blockIdx = me.block->index;
  blockDim = dim3(static_cast<unsigned>(me.block->launch.threads));
  gridDim = me.block->launch.grid;
  run_thread(me);
  {
    Lock lock(me.block->launch);
    if (me.block->launch.live == 0) me.block->launch.idle.notify_all();
  }
  departed.fetch_add(1, std::memory_order_release);
}

}  // namespace

Lock::Lock(Launch& launch) {
  hide();
  held = std::unique_lock<std::mutex>(launch.mutex);
}

Lock::~Lock() {
  held.unlock();
  show();
}

void run_together(Launch& launch, const std::vector<Block*>& blocks) {
  if (started.size() > kThreadsKept) join_unseen();
  for (Block* block : blocks)
    for (Thread& thread : block->threads) started.emplace_back(thread_main, std::ref(thread));
  Lock lock(launch);
  launch.idle.wait(lock.held, [&] { return launch.live == 0; });
}

void finish(Launch&) {
  join_unseen();
  departed.load(std::memory_order_acquire);
}

void wait(Lock& lock, Thread& me, Group& group) {
  Launch& launch = me.block->launch;
  group.changed.wait(lock.held, [&] { return !me.waits || launch.faulty; });
  if (launch.faulty) throw Abandoned{};
}

void wake(Launch&, Block&, Group& group) { group.changed.notify_all(); }

void wake_all(Launch& launch) {
  for (Block* block : launch.blocks) {
    block->group.changed.notify_all();
    for (Warp& warp : block->warps) warp.group.changed.notify_all();
  }
}

void publish(Group& group, unsigned turn) {
  group.order[turn].fetch_add(1, std::memory_order_acq_rel);
}

void observe(Group& group, unsigned turn) { group.order[turn].load(std::memory_order_acquire); }

void give_way_spinning(const Place& place) {
  Thread& me = *current;
  Launch& launch = me.block->launch;
  std::this_thread::yield();
  Lock lock(launch);
  if (launch.faulty) throw Abandoned{};
  const unsigned progress = launch.progress.load(std::memory_order_relaxed);
  if (!me.spins.what || progress != me.seen_progress) me.spins_since = Clock::now();
  me.seen_progress = progress;
  me.spins = place;
  if (Clock::now() - me.spins_since > kPatience)
    fail(lock, me, "deadlock: it spins and nothing happens" + whereabouts(launch));
}

void after_atomic() { current->block->launch.progress.fetch_add(1, std::memory_order_relaxed); }

}  // namespace shim

#endif
