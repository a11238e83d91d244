// How often tests that count on repetition try.
#pragma once

#include <cstddef>

namespace harness {

// ZONED_SOAK=1 (make soak): hours instead of seconds.
bool soaking();
// `soak` when soaking, else `usual`; of that, ZONED_ROUNDS percent (1..100) on a slow machine such as
// the lab VM, one at least. For rounds only: times and limits don't shrink.
size_t rounds(size_t usual, size_t soak);
// On such a machine: figures of speed mean nothing.
bool slow_machine();

}  // namespace harness
