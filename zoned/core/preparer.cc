#include "zoned/core/preparer.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "zoned/core/helper_process.h"
#include "zoned/core/namespaces.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

// Only to be there while its namespaces are opened.
[[noreturn]] void wait_for_the_end(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (getppid() == parent) pause();
  _exit(0);
}

struct Pair {
  UniqueFd user;
  UniqueFd net;
};

Result<Pair> make_namespaces(const IdRange& ids) {
  clone_args args = {};
  args.flags = CLONE_NEWUSER | CLONE_NEWNET;
  args.exit_signal = SIGCHLD;
  pid_t self = getpid();
  TRY_AS(pid_t holder, clone_owned(args, ids));
  if (holder == 0) wait_for_the_end(self);
  auto made = [&]() -> Result<Pair> {
    TRY(map_ids(holder, ids));
    Pair pair;
    TRY_AS(pair.user, namespace_of(holder, "user"));
    TRY_AS(pair.net, namespace_of(holder, "net"));
    return pair;
  }();
  kill(holder, SIGKILL);
  waitpid(holder, nullptr, 0);
  return made;
}

Result<Pair> prepare(const PreparePlan& plan) {
  TRY_AS(Pair pair, make_namespaces(plan.ids));
  if (plan.link.empty()) return pair;
  TRY_AS(netns::Links host, netns::Links::open());
  TRY(netns::prepare_link(host, plan.link, pair.net.get()));
  return pair;
}

}  // namespace

Result<pid_t> fork_preparer(const PreparePlan& plan, int keeper) {
  clone_args args = {};
  args.exit_signal = SIGCHLD;
  TRY_AS(pid_t pid, clone_process(args));
  if (pid != 0) return pid;
  reset_signals();
  if (Status closed = close_all_but({keeper}); !closed) finish(keeper, closed);
  auto pair = prepare(plan);
  if (!pair) finish(keeper, std::move(pair).error().context("prepare namespaces"));
  finish(keeper, tell_keeper(keeper, {{"ready", true}}, {pair->user.get(), pair->net.get()}));
}

}  // namespace core
