// The engine that runs CUDA threads as fibers of one OS thread, in an order that a seed decides.
#if !defined(GBAN_SHIM_THREADS)

#include <memory>

#include "context.h"
#include "engine.h"

namespace shim {

namespace {

// Fibers outlive launches: a stack is made once and entered again and again.
struct Scheduler {
  Launch* launch = nullptr;
  std::vector<Warp*> warps;
  std::vector<Block*> owners;        // of each warp
  std::vector<std::uint64_t> ready;  // a bit for each warp that has a runnable lane
  std::vector<std::unique_ptr<Context>> fibers;
  Context home;
  std::uint64_t random = 0;
  unsigned seen_progress = 0;
  long idle_spins = 0;
};
Scheduler scheduler;

std::uint32_t draw() {  // xorshift64*
  std::uint64_t& x = scheduler.random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  return static_cast<std::uint32_t>((x * 0x2545F4914F6CDD1DULL) >> 32);
}

void set_runnable(Warp& warp, std::uint32_t lanes) {
  warp.runnable = lanes;
  const std::uint64_t bit = std::uint64_t{1} << (warp.number % 64);
  std::uint64_t& word = scheduler.ready[warp.number / 64];
  word = lanes ? word | bit : word & ~bit;
}

// The first ready warp from `start` on, around the end; null where there is none.
Warp* ready_warp(std::size_t start) {
  const std::size_t words = scheduler.ready.size();
  std::size_t at = start / 64;
  std::uint64_t word = scheduler.ready[at] & (~std::uint64_t{0} << (start % 64));
  for (std::size_t i = 0; i <= words; ++i) {
    if (word) return scheduler.warps[at * 64 + static_cast<std::size_t>(__builtin_ctzll(word))];
    at = (at + 1) % words;
    word = scheduler.ready[at];
  }
  return nullptr;
}

int ready_lane(std::uint32_t lanes, int after) {
  const int turn = options().seed ? static_cast<int>(draw() % 32) : (after + 1) % 32;
  const std::uint32_t turned = turn ? lanes >> turn | lanes << (32 - turn) : lanes;
  return (__builtin_ctz(turned) + turn) % 32;
}

// Who runs next; `me` may be null (at the start) or still runnable.
Thread* choose(const Thread* me, bool leave_warp) {
  const bool stay = me && !leave_warp && options().granularity == Granularity::warp;
  Warp* warp = stay && me->warp->runnable ? me->warp : nullptr;
  const std::size_t count = scheduler.warps.size();
  if (!warp) {
    const std::size_t next = me ? static_cast<std::size_t>(me->warp->number) + 1 : 0;
    warp = ready_warp(options().seed ? draw() % count : next % count);
  }
  if (!warp) return nullptr;
  const int lane = ready_lane(warp->runnable, me && warp == me->warp ? me->lane() : 31);
  return &scheduler.owners[warp->number]->threads[warp->group.first + lane];
}

void set_words(const Thread& thread) {
  current = const_cast<Thread*>(&thread);
  threadIdx.x = static_cast<unsigned>(thread.index);
  blockIdx = thread.block->index;
}

void go(Thread& me, bool leave_warp) {
  Thread* next = choose(&me, leave_warp);
  if (next == &me) return;
  if (next) set_words(*next);
  switch_context(*me.context, next ? *next->context : scheduler.home);
}

void fiber_main() {
  arrived_in_context();
  for (;;) {
    Thread& me = *current;
    run_thread(me);
    set_runnable(*me.warp, me.warp->runnable & ~(1u << me.lane()));
    go(me, false);
  }
}

Context* fiber(std::size_t number) {
  while (scheduler.fibers.size() <= number) {
    scheduler.fibers.push_back(std::make_unique<Context>());
    prepare(*scheduler.fibers.back(), fiber_main);
  }
  return scheduler.fibers[number].get();
}

std::uint32_t lanes_of(const Warp& warp) {
  return warp.group.size == 32 ? ~0u : (1u << warp.group.size) - 1;
}

void enlist(Block& block, std::size_t first_fiber) {
  for (Warp& warp : block.warps) {
    scheduler.warps.push_back(&warp);
    scheduler.owners.push_back(&block);
    set_runnable(warp, lanes_of(warp));
  }
  for (Thread& thread : block.threads) thread.context = fiber(first_fiber++);
}

// True where all that is alive has spun many times over with nothing happening.
bool stuck() {
  const unsigned progress = scheduler.launch->progress.load(std::memory_order_relaxed);
  if (progress != scheduler.seen_progress) scheduler.idle_spins = 0;
  scheduler.seen_progress = progress;
  return ++scheduler.idle_spins > 1000L + 100L * scheduler.launch->live;
}

}  // namespace

// One OS thread: nothing to guard.
Lock::Lock(Launch&) {}
Lock::~Lock() = default;

void run_together(Launch& launch, const std::vector<Block*>& blocks) {
  const std::size_t warps = blocks.size() * blocks.front()->warps.size();
  scheduler.launch = &launch;
  scheduler.warps.clear();
  scheduler.owners.clear();
  scheduler.ready.assign((warps + 63) / 64, 0);
  if (!scheduler.home.stack) scheduler.home = running_context();
  scheduler.random = options().seed * 0x9E3779B97F4A7C15ULL + blocks.front()->index.x + 1;
  scheduler.idle_spins = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) enlist(*blocks[i], i * blocks[i]->threads.size());
  blockDim = dim3(static_cast<unsigned>(launch.threads));
  gridDim = launch.grid;
  Thread* first = choose(nullptr, false);
  set_words(*first);
  switch_context(scheduler.home, *first->context);
}

void finish(Launch&) { current = nullptr; }

void wait(Lock&, Thread& me, Group&) {
  set_runnable(*me.warp, me.warp->runnable & ~(1u << me.lane()));
  go(me, false);
  if (me.block->launch.faulty) throw Abandoned{};
}

// The lane that completed a barrier is no likelier to go first than the others.
void wake(Launch&, Block& block, Group& group) {
  if (&group == &block.group)
    for (Warp& warp : block.warps) set_runnable(warp, lanes_of(warp));
  else
    set_runnable(*current->warp, lanes_of(*current->warp));
  Thread& me = *current;
  go(me, &group == &block.group);
  if (me.block->launch.faulty) throw Abandoned{};
}

void wake_all(Launch& launch) {
  for (Block* block : launch.blocks)
    for (Thread& thread : block->threads)
      if (!thread.exited) set_runnable(*thread.warp, thread.warp->runnable | 1u << thread.lane());
}

void publish(Group&, unsigned) {}
void observe(Group&, unsigned) {}

void give_way_spinning(const Place& place) {
  Thread& me = *current;
  Launch& launch = me.block->launch;
  me.spins = place;
  Lock lock(launch);
  if (stuck()) fail(lock, me, "deadlock: it spins and nothing happens" + whereabouts(launch));
  go(me, true);
  if (launch.faulty) throw Abandoned{};
  me.spins = Place{};
}

void after_atomic() {
  Thread& me = *current;
  me.block->launch.progress.fetch_add(1, std::memory_order_relaxed);
  if (options().seed == 0) return;
  go(me, true);
  if (me.block->launch.faulty) throw Abandoned{};
}

}  // namespace shim

#endif
