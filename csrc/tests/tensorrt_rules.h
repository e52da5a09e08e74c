// What the plugins refuse, and how the library joins a registry.
#pragma once

namespace tensorrt_test {

// Must come first: the library has registered itself before main, and nobody has asked it yet.
void check_registration();

// From here on the logger finder has been set. What creators refuse; this needs no device.
void check_fields();
// What calls refuse, and lengths, memory and logger that go wrong.
void check_calls_and_memory();

}  // namespace tensorrt_test
