// zone exec: another process in a running zone.
#include <fcntl.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "zoned/core/plan_json.h"
#include "zoned/core/root_tree.h"
#include "zoned/daemon/runtime.h"
#include "zoned/daemon/zone_root.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;

namespace {

std::string subject(const Zone& zone) { return "zone " + base::quoted(zone.name); }

// Field 7 of the zone's passwd(5) for the user; /bin/sh when there is none.
std::string login_shell(int root, const core::TreeFacts& facts, const std::string& user) {
  constexpr size_t kMaxBytes = 1 << 20;
  std::string fallback = "/bin/sh";
  // Never wait for the zone: neither for a FIFO's writer nor for the holder of a lease (fcntl(2)).
  auto file = base::open_in_root(root, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat st = {};
  if (!file || fstat(file->get(), &st) != 0 || !S_ISREG(st.st_mode)) return fallback;
  auto text = base::read_fd(file->get(), kMaxBytes);
  if (!text) return fallback;
  for (const std::string& line : base::split(*text, '\n')) {
    auto fields = base::split(line, ':');
    constexpr size_t kFields = 7;
    if (fields.size() != kFields) continue;
    bool mine = user.empty() ? fields[2] == "0"
                             : fields[0] == user || fields[2] == std::to_string(facts.uid);
    if (mine) return fields[6].empty() ? fallback : fields[6];
  }
  return fallback;
}

std::string path_of(const std::vector<std::string>& env) {
  constexpr std::string_view kName = "PATH=";
  for (const std::string& item : env)
    if (item.starts_with(kName)) return item.substr(kName.size());
  return core::kDefaultZonePath;
}

Result<core::EnterPlan> plan_for(const core::ZonePlan& zone, const RuntimeRecord& record,
                                 const ExecRequest& request) {
  TRY_AS(UniqueFd root, zone_root(record));
  core::TreeQuestion question;
  question.user = request.user;
  question.path = path_of(request.env);
  std::vector<std::string> argv = request.argv;
  std::string workdir = request.workdir;
  std::vector<std::string> env = request.env;
  if (argv.empty()) {
    TRY_AS(core::TreeFacts user, core::inspect_tree(root.get(), question));
    std::string shell = login_shell(root.get(), user, request.user);
    question.command = {shell};
    if (workdir.empty()) workdir = user.home;
    env.push_back("SHELL=" + shell);
    if (!request.user.empty()) env.push_back("USER=" + request.user);
    // login(1): a name that starts with "-" makes a shell read its profile.
    argv = {"-" + shell.substr(shell.rfind('/') + 1)};
  } else {
    question.command = argv;
  }
  question.workdir = workdir.empty() ? "/" : workdir;
  TRY_AS(core::TreeFacts tree, core::inspect_tree(root.get(), question));
  TRY_AS(core::EnterPlan plan, core::plan_enter(zone, argv, env, tree, workdir, request.tty));
  plan.tty_rows = request.rows;
  plan.tty_columns = request.columns;
  return plan;
}

}  // namespace

void Runtime::exec(Zone* zone, ExecRequest request, OnEntered done) {
  if (zone->state != State::kRunning || !zone->record || zone->record->pid == 0)
    return done(
        make_error(Code::kState,
                   subject(*zone) + " is " + std::string(state_name(zone->state)) + ", not running",
                   zone->state == State::kInstalled ? "boot it first" : ""));
  if (is_vm(*zone))
    return done(make_error(Code::kUnsupported,
                           subject(*zone) + " is a virtual machine: its processes are its guest's",
                           "use 'zone console " + zone->name + "', 'zone vnc " + zone->name +
                               "', or the guest's own remote login over its network"));
  auto send = [&]() -> Status {
    TRY_AS(auto plan, plan_of(zone));
    TRY_AS(core::EnterPlan enter, plan_for(*plan, *zone->record, request));
    TRY_AS(resource::ZoneCgroup cgroup, parts_.cgroups->open_zone(zone->record->pool, zone->name));
    TRY_AS(int compiled, filter(enter.filter));
    std::vector<std::string> names = {"filter"};
    std::vector<int> fds = {compiled};
    auto pass = [&](std::string name, int fd) {
      if (fd < 0) return;
      names.push_back(std::move(name));
      fds.push_back(fd);
    };
    pass("cgroup", cgroup.v2_exec.get());
    for (size_t i = 0; i < cgroup.v1_procs.size(); ++i)
      pass("procs" + std::to_string(i), cgroup.v1_procs[i].get());
    constexpr std::array<const char*, 3> kNames = {"stdin", "stdout", "stderr"};
    for (size_t i = 0; i < kNames.size() && !request.tty; ++i)
      pass(kNames.at(i), request.stdio.at(i).get());
    nlohmann::json body = {{"op", "enter"}, {"plan", core::to_json(enter)}, {"fds", names}};
    parts_.keepers->request(zone->record->keeper, std::move(body), fds,
                            [done](Result<KeeperReply> reply) {
                              if (!reply) return done(std::move(reply).error());
                              done(Entered{reply->body.value("pid", 0), std::move(reply->fds)});
                            });
    return {};
  };
  if (Status status = send(); !status) done(std::move(status).error().context(subject(*zone)));
}

}  // namespace zoned
