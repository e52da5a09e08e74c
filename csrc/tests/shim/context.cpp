#include "context.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define GBAN_SHIM_UNSANITIZED __attribute__((noinline, no_sanitize_address))
#else
#define GBAN_SHIM_UNSANITIZED __attribute__((noinline))
#endif

namespace shim {

namespace {

// Reports of the sanitizers are written on the faulty thread's own stack.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kStackBytes = 512 * 1024;
#else
constexpr std::size_t kStackBytes = 64 * 1024;
#endif

void leave(Context& from, const Context& to) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from.fake_stack, to.stack, to.bytes);
#else
  static_cast<void>(from);
  static_cast<void>(to);
#endif
}

void arrive(void* fake_stack) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#else
  static_cast<void>(fake_stack);
#endif
}

// In a function of its own: a __builtin_longjmp may not go to the function that it is in.
[[noreturn]] GBAN_SHIM_UNSANITIZED void jump(Context& to) {
  if (to.entered) __builtin_longjmp(to.registers, 1);
  to.entered = true;
  setcontext(&to.entry);
  __builtin_trap();
}

GBAN_SHIM_UNSANITIZED void save_and_jump(Context& from, Context& to) {
  if (__builtin_setjmp(from.registers) == 0) jump(to);
}

}  // namespace

Context running_context() {
  Context context;
  pthread_attr_t attributes;
  void* stack = nullptr;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &stack, &context.bytes);
  pthread_attr_destroy(&attributes);
  context.stack = static_cast<unsigned char*>(stack);
  context.entered = true;
  return context;
}

void prepare(Context& context, void (*main)()) {
  const std::size_t guard = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, guard + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, guard, PROT_NONE) != 0) throw std::bad_alloc();
  context.stack = static_cast<unsigned char*>(memory) + guard;
  context.bytes = kStackBytes;
  getcontext(&context.entry);
  context.entry.uc_stack.ss_sp = context.stack;
  static std::size_t made = 0;
  context.entry.uc_stack.ss_size = kStackBytes - made++ % 32 * 128;  // or all share a cache line
  context.entry.uc_link = nullptr;
  makecontext(&context.entry, main, 0);
}

void switch_context(Context& from, Context& to) {
  leave(from, to);
  save_and_jump(from, to);
  arrive(from.fake_stack);
}

void arrived_in_context() { arrive(nullptr); }

}  // namespace shim
