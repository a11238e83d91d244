#include "tests/bench/serve.h"

#include <sys/wait.h>

#include <cstdio>
#include <iostream>

namespace bench {

void answer(std::chrono::nanoseconds time) { std::cout << time.count() << std::endl; }

int fail(const base::Error& error) {
  std::cout << "error: " << error.message << std::endl;
  return 1;
}

int serve(const Once& once) {
  for (std::string line; std::getline(std::cin, line);) {
    auto start = std::chrono::steady_clock::now();
    base::Status done = once();
    auto time = std::chrono::steady_clock::now() - start;
    if (!done.ok()) return fail(done.error());
    answer(time);
  }
  return 0;
}

base::Status wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return base::sys_error("waitpid");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return base::make_error(base::Code::kIo,
                          "child ended with wait status " + std::to_string(status));
}

}  // namespace bench
