// A program that links counted_new.cpp can ask how often it has allocated.
#pragma once

namespace gban::testing {

// Calls of operator new since the program began, of all threads.
long allocations();

}  // namespace gban::testing
