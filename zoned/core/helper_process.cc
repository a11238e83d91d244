#include "zoned/core/helper_process.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include <nlohmann/json.hpp>

#include "base/unix_socket.h"
#include "zoned/core/keeper_protocol.h"

namespace core {

using base::Result;
using base::Status;
using base::sys_error;
using nlohmann::json;

base::Error clone_failed(int error) {
  base::Error failed = sys_error("clone3", error);
  if (error == EAGAIN)
    failed.hint =
        "too many processes: see limits.processes of the zone and its pool, or the host's limit";
  return failed;
}

Result<pid_t> clone_process(clone_args args) {
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) return clone_failed(errno);
  return static_cast<pid_t>(pid);
}

Status tell_keeper(int keeper, const json& message, const std::vector<int>& fds) {
  auto sent = base::send_message(keeper, to_text(message), fds);
  if (!sent) return std::move(sent).error();
  return {};
}

void finish(int keeper, const Status& status) {
  if (!status) {
    Status told = tell_keeper(keeper, {{"error", error_to_json(status.error())}});
    if (!told) _exit(2);
  }
  _exit(status ? 0 : 1);
}

Status close_all_but(const std::vector<int>& keep) {
  constexpr int kLimit = 1 << 20;
  for (int fd = 3; fd < kLimit;) {
    int next = kLimit;
    for (int kept : keep)
      if (kept >= fd && kept < next) next = kept;
    if (next > fd && syscall(SYS_close_range, fd, next == kLimit ? ~0U : next - 1, 0) != 0)
      return sys_error("close_range");
    fd = next + 1;
  }
  return {};
}

void reset_signals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace core
