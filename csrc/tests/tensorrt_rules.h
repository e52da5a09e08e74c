// What the plugins refuse, and how the library joins a registry.
#pragma once

namespace tensorrt_test {

// Must come first: the library has registered itself before main, and nobody has asked it yet.
void check_registration();

// The logger finder has been set.
void check_rules();

}  // namespace tensorrt_test
