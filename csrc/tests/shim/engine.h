// What the shim's engine keeps of a launch, and the seam between its common half and its two ways
// of running threads (fibers.cpp, threads.cpp).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "shim.h"

namespace shim {

struct Block;
struct Context;  // a fiber's stack and registers
struct Launch;

// Threads that meet: a block at __syncthreads, or a warp at __syncwarp or a collective.
struct Group {
  int first = 0, size = 0;      // threads first .. first + size - 1 of the block
  int waiting = 0, exited = 0;  // how many of them wait here, and have returned from the kernel
  Place place{};                // where they wait
  std::condition_variable changed;
  std::atomic<unsigned> order[2] = {};  // what ThreadSanitizer sees of a barrier; see threads.cpp
};

// What a lane hands to a warp collective and gets back.
struct Lane {
  std::uint32_t sent, received;
  int source;
  float* d;
  const std::uint32_t *a, *b;
  Fragment kind;
};

struct Warp {
  Group group;
  Lane lanes[32];
  std::uint32_t runnable = 0;  // fibers only: a bit for each lane that can go on
  int at_barrier = 0;          // lanes that wait for the block
  int number = 0;              // among the warps that are alive
};

struct Copy {
  void* to;
  const void* from;  // null: zeros
  int group;
};

struct Thread {
  Block* block = nullptr;
  Warp* warp = nullptr;
  int index = 0;                 // in the block
  const Group* waits = nullptr;  // null: it can go on
  bool exited = false;
  bool fenced = false;
  unsigned block_turn = 0, warp_turn = 0;
  std::vector<Copy> copies;  // started, not yet waited for
  int groups = 0;            // of copies, committed so far
  Place spins{};             // the last place where it span
  unsigned seen_progress = 0;
  std::chrono::steady_clock::time_point spins_since;
  Context* context = nullptr;
  int lane() const { return index % 32; }
};

struct Block {
  Block(Launch& owner, dim3 at, int number);
  ~Block();
  Launch& launch;
  dim3 index;
  unsigned char* shared;
  Group group;
  std::vector<Warp> warps;
  std::vector<Thread> threads;
};

struct Launch {
  Launch(const std::function<void()>& body_, dim3 grid_, int threads_, std::size_t shared_bytes_,
         const Place& place_)
      : body(body_), grid(grid_), threads(threads_), shared_bytes(shared_bytes_), place(place_) {}
  const std::function<void()>& body;
  dim3 grid;
  int threads;
  std::size_t shared_bytes;
  Place place;
  std::mutex mutex;
  std::condition_variable idle;       // no thread is alive any more
  int live = 0, waiting = 0;          // threads of the blocks that are alive
  std::atomic<unsigned> progress{0};  // moves whenever something happens that a spin may wait for
  std::atomic<bool> faulty{false};
  std::string fault;           // the first one's message
  std::vector<Block*> blocks;  // those that are alive
};

// Thrown through a kernel's frames to end its thread after a fault, in it or in another.
struct Abandoned {};

inline thread_local Thread* current = nullptr;

// Guards the bookkeeping, and hides it from ThreadSanitizer: neither its accesses nor the order
// that its mutex makes are the kernel's.
class Lock {
 public:
  explicit Lock(Launch& launch);
  ~Lock();
  std::unique_lock<std::mutex> held;
};

// Common half (meet.cpp). fail() records the launch's first fault and ends this thread.
[[noreturn]] void fail(Lock& lock, Thread& me, const std::string& what);
void meet(Thread& me, Group& group, const Place& place, void (*complete)(Warp&));
void depart(Thread& me);  // when it returns from the kernel, or abandons it
std::string whereabouts(const Launch& launch);
void run_thread(Thread& me);  // the kernel's body from start to end, faults contained

// The engine's half. Blocks run to their end; all of them are alive together.
void run_together(Launch& launch, const std::vector<Block*>& blocks);
void finish(Launch& launch);                      // after the last blocks
void wait(Lock& lock, Thread& me, Group& group);  // until !me.waits or a fault
void wake(Launch& launch, Block& block, Group& group);
void wake_all(Launch& launch);
void publish(Group& group, unsigned turn);  // memory order of barriers, before and after
void observe(Group& group, unsigned turn);

}  // namespace shim
