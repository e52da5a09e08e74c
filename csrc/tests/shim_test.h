// The two halves of the shim's test: what must work, and what must be caught.
#pragma once

#include <cstdio>
#include <string>

namespace shim_test {

inline int failures = 0;

inline void expect(bool good, const std::string& what) {
  if (!good) ++failures;
  std::printf("%s %s\n", good ? "ok    " : "FAILED", what.c_str());
}

// Every seeded fault must be caught; `self` is this program, to run those that kill it.
void check_faults(const std::string& self);

// Commits the one fault named, for a sanitizer to catch. False where there is no such fault.
bool commit(const std::string& fault);

}  // namespace shim_test
