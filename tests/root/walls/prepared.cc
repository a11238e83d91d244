// The keeper takes no namespaces for a zone but its range's (core::check_prepared).
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "zoned/core/namespaces.h"

namespace {

using base::UniqueFd;

// Far from the ranges that zones of this machine use.
constexpr core::IdRange kOwn{core::kIdsPerZone * 28000};
constexpr core::IdRange kOther{core::kIdsPerZone * 28001};

struct Pair {
  UniqueFd user;
  UniqueFd net;
  core::PreparedNamespaces borrowed() const { return {user.get(), net.get()}; }
};

// Ends whatever is in it.
struct Process {
  pid_t pid;
  ~Process() {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
};

// Takes the range's id on for a moment, as a preparer does, and is root again, as other tests know it.
Pair make(const core::IdRange& ids) {
  struct Securebits {
    int before = prctl(PR_GET_SECUREBITS);
    ~Securebits() { prctl(PR_SET_SECUREBITS, before); }
  } restored;
  clone_args args = {};
  args.flags = CLONE_NEWUSER | CLONE_NEWNET;
  args.exit_signal = SIGCHLD;
  auto child = core::clone_owned(args, ids);
  if (child.ok() && *child == 0)
    for (;;) pause();
  REQUIRE(child.ok());
  Process holder{*child};
  auto user = core::namespace_of(*child, "user");
  auto net = core::namespace_of(*child, "net");
  REQUIRE(user.ok());
  REQUIRE(net.ok());
  return {*std::move(user), *std::move(net)};
}

TEST_CASE("namespaces made ahead are taken for their own range alone, and whole") {
  Pair own = make(kOwn), twin = make(kOwn), other = make(kOther);
  CHECK(core::check_prepared(own.borrowed(), kOwn).ok());
  CHECK_FALSE(core::check_prepared(own.borrowed(), kOther).ok());
  CHECK_FALSE(core::check_prepared(other.borrowed(), kOwn).ok());
  // A network namespace of another, be it of the same range, or of the host.
  CHECK_FALSE(core::check_prepared({own.user.get(), other.net.get()}, kOwn).ok());
  CHECK_FALSE(core::check_prepared({own.user.get(), twin.net.get()}, kOwn).ok());
  auto host_user = core::namespace_of(getpid(), "user");
  auto host_net = core::namespace_of(getpid(), "net");
  REQUIRE(host_user.ok());
  REQUIRE(host_net.ok());
  CHECK_FALSE(core::check_prepared({own.user.get(), host_net->get()}, kOwn).ok());
  CHECK_FALSE(core::check_prepared({host_user->get(), host_net->get()}, kOwn).ok());
  CHECK_FALSE(core::check_prepared({host_user->get(), own.net.get()}, kOwn).ok());
  // Something else, or one of the two alone.
  CHECK_FALSE(core::check_prepared({own.net.get(), own.user.get()}, kOwn).ok());
  CHECK_FALSE(core::check_prepared({own.user.get(), -1}, kOwn).ok());
  CHECK_FALSE(core::check_prepared({-1, own.net.get()}, kOwn).ok());
}

}  // namespace
