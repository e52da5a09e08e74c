// Threads that wait for work, so that a call as short as one utterance can be shared.
#pragma once

#include <cstdint>
#include <memory>

namespace gban {

// Not for two callers at once.
class Crew {
 public:
  Crew();
  ~Crew();

  // Calls work(context, job, worker) for every job of 0 .. jobs - 1 on up to `threads` threads, of
  // which the calling one is worker 0, and returns when all are done. Threads are started when
  // first needed and kept; a process that was forked starts its own. `work` must not throw.
  using Work = void (*)(void* context, std::int64_t job, int worker);
  void run(int threads, std::int64_t jobs, Work work, void* context);

 private:
  struct Shared;
  void hire(int threads);

  std::unique_ptr<Shared> shared_;
};

}  // namespace gban
