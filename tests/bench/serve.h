// How the driver (bench.py) talks to what it measures: a line on stdin asks for one round, the answer
// is its duration in nanoseconds on a line of stdout, or "error: ..." and the end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace bench {

// One measured action. What belongs before or after it, but not to its time, is the caller's.
using Once = std::function<base::Status()>;

// Answers until stdin ends. Returns the program's exit status.
int serve(const Once& once);
// The same answer for a duration that was measured already.
void answer(std::chrono::nanoseconds time);
// Prints "error: ..." and returns 1.
int fail(const base::Error& error);

// Waits for a child and fails unless it ended with status 0.
base::Status wait_for(pid_t pid);

}  // namespace bench
