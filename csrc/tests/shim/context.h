// A stack and the registers to leave it and come back: what a fiber is made of.
//
// ucontext enters a stack for the first time; after that the compiler's own setjmp and longjmp
// switch. The C library's would do, but AddressSanitizer forgets the red zones of a stack that its
// longjmp leaves.
#pragma once

#include <ucontext.h>

#include <cstddef>

namespace shim {

struct Context {
  void* registers[5];
  ucontext_t entry;
  bool entered = false;
  unsigned char* stack = nullptr;  // lowest address; a guard page lies below
  std::size_t bytes = 0;
  void* fake_stack = nullptr;  // AddressSanitizer's
};

// The context of the code that calls it, on the stack that it has.
Context running_context();

// One that will call main(), which must never return.
void prepare(Context& context, void (*main)());

// Returns when something switches back to `from`.
void switch_context(Context& from, Context& to);

// What main() calls first.
void arrived_in_context();

}  // namespace shim
