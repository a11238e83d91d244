#include "zoned/daemon/job_launch.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "base/process.h"
#include "base/strings.h"
#include "zoned/core/plan_json.h"
#include "zoned/core/seccomp_filter.h"
#include "zoned/daemon/fault.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;

namespace {

constexpr size_t kOut = 0;
constexpr size_t kErr = 1;
constexpr size_t kStatus = 2;
constexpr size_t kMaxLine = 4096;
constexpr size_t kMaxTail = 8192;
constexpr std::chrono::milliseconds kRetryFirst{10};
constexpr unsigned kMaxShift = 7;

Status pass_point(const JobLauncher::Request& request, const char* where) {
  return request.point.empty() ? Status() : fault_point(request.point + where);
}

}  // namespace

class JobLauncher::Launch {
 public:
  Request request;
  std::string boot_id = random_id();
  unsigned keeper = 0;
  core::IdRange ids;
  bool cgroup = false;
  UniqueFd talk;                     // the write end of its stdin
  std::array<UniqueFd, 3> pipes;     // read ends: stdout, stderr, status
  std::array<std::string, 3> texts;  // stdout: the line begun; stderr: its end; status
  unsigned open_pipes = 0;
  std::vector<std::string> warnings;
  base::Error error;  // why it failed; empty message: it has not
};

JobLauncher::LaunchPtr JobLauncher::launch(Request request) {
  auto launch = std::make_shared<Launch>();
  launch->request = std::move(request);
  Status sent = send(launch);
  launch->request.passed.clear();
  if (!sent) fail(launch, std::move(sent).error());
  return launch;
}

void JobLauncher::kill(const Launch& launch) {
  const Request& request = launch.request;
  if (launch.cgroup)
    base::log_ignored("job " + base::quoted(request.name) + ": kill",
                      parts_.cgroups->kill(request.pool, request.name));
}

Status JobLauncher::say(Launch* launch, std::string_view line) const {
  UniqueFd talk = std::move(launch->talk);
  if (!talk || line.empty()) return {};
  return base::write_all(talk.get(), std::string(line) + "\n");
}

Result<core::InstallJob> JobLauncher::plan(Launch* launch) const {
  const Request& request = launch->request;
  TRY_AS(launch->ids, parts_.ids->lease());
  core::JobRequest wanted;
  wanted.name = request.name;
  wanted.boot_id = launch->boot_id;
  wanted.label = request.label;
  wanted.ids = launch->ids;
  wanted.cgroup = {request.pool, request.name, {}};
  wanted.time_namespace = parts_.host->time_namespace;
  wanted.program = request.program;
  wanted.target = request.target;
  return request.plan(wanted);
}

// Its end of the pipes that it gets as stdin, stdout and stderr.
Status JobLauncher::open_stdio(Launch* launch, std::array<UniqueFd, 3>* ends) {
  auto& [in, out, err] = *ends;
  if (launch->request.talks) {
    TRY_AS(base::Pipe talk, base::make_pipe());
    in = std::move(talk.read);
    launch->talk = std::move(talk.write);
  } else {
    TRY_AS(in, base::open_at(AT_FDCWD, "/dev/null", O_RDONLY));
  }
  TRY_AS(base::Pipe said, base::make_pipe());
  TRY_AS(base::Pipe failed, base::make_pipe());
  out = std::move(said.write);
  err = std::move(failed.write);
  launch->pipes[kOut] = std::move(said.read);
  launch->pipes[kErr] = std::move(failed.read);
  return {};
}

Status JobLauncher::send(const LaunchPtr& launch) {
  const Request& request = launch->request;
  TRY(pass_point(request, ".source.before"));
  TRY(parts_.shares->ensure_pool(request.pool));
  TRY_AS(core::InstallJob planned, plan(launch.get()));
  TRY_AS(auto descriptors, core::open_job(planned));
  TRY(pass_point(request, ".source.after"));
  launch->cgroup = true;
  TRY_AS(resource::ZoneCgroup cgroup,
         parts_.cgroups->create_zone(request.pool, request.name, planned.plan.cgroup.writes,
                                     launch->ids.base, launch->ids.base));
  TRY_AS(UniqueFd filter, core::filter_memfd(planned.plan.filter));
  std::array<UniqueFd, 3> stdio;
  TRY(open_stdio(launch.get(), &stdio));
  std::vector<std::string> names;
  std::vector<int> fds;
  auto pass = [&](std::string name, int fd) {
    if (fd < 0) return;
    names.push_back(std::move(name));
    fds.push_back(fd);
  };
  for (const auto& descriptor : descriptors) pass(descriptor.name, descriptor.fd.get());
  for (const auto& [name, fd] : request.passed) pass(name, fd);
  pass("cgroup", cgroup.v2_payload.get());
  for (size_t i = 0; i < cgroup.v1_procs.size(); ++i)
    pass("procs" + std::to_string(i), cgroup.v1_procs[i].get());
  pass("filter", filter.get());
  pass("stdin", stdio[0].get());
  pass("stdout", stdio[1].get());
  pass("stderr", stdio[2].get());
  TRY(pass_point(request, ".launch.before"));
  TRY_AS(launch->keeper, parts_.keepers->choose(-1, false));
  nlohmann::json body = {
      {"op", "launch"}, {"plan", core::to_json(planned.plan)}, {"logged", false}, {"fds", names}};
  parts_.keepers->request(
      launch->keeper, std::move(body), fds,
      [this, launch](Result<KeeperReply> reply) { started(launch, std::move(reply)); });
  return {};
}

void JobLauncher::started(const LaunchPtr& launch, Result<KeeperReply> reply) {
  auto take = [&]() -> Status {
    if (!reply) return std::move(reply).error();
    if (reply->fds.empty()) return make_error(Code::kInternal, "no status pipe");
    launch->pipes[kStatus] = std::move(reply->fds[0]);
    TRY(pass_point(launch->request, ".launch.after"));
    return watch(launch);
  };
  if (Status taken = take(); !taken) fail(launch, std::move(taken).error());
}

Status JobLauncher::watch(const LaunchPtr& launch) {
  for (size_t which = 0; which < launch->pipes.size(); ++which) {
    int fd = launch->pipes.at(which).get();
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return base::sys_error("fcntl");
    TRY(parts_.loop->add(fd, EPOLLIN,
                         [this, launch, which](uint32_t) { read_pipe(launch, which); }));
    ++launch->open_pipes;
  }
  return {};
}

void JobLauncher::read_pipe(const LaunchPtr& launch, size_t which) {
  char buffer[16384];
  ssize_t n = read(launch->pipes.at(which).get(), buffer, sizeof buffer);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0)
    return take_output(launch.get(), which, std::string_view(buffer, static_cast<size_t>(n)));
  parts_.loop->remove(launch->pipes.at(which).get());
  launch->pipes.at(which).reset();
  // The status says that the job is over: a process that it left behind may still hold the others.
  if (which == kStatus || --launch->open_pipes == 0) status_came(launch);
}

void JobLauncher::take_output(Launch* launch, size_t which, std::string_view data) {
  std::string& text = launch->texts.at(which);
  text.append(data);
  if (which != kOut) {
    if (text.size() > kMaxTail) text.erase(0, text.size() - kMaxTail);
    return;
  }
  size_t end;
  while ((end = text.find('\n')) != std::string::npos) {
    launch->request.on_line(std::string_view(text).substr(0, end));
    text.erase(0, end + 1);
  }
  if (text.size() > kMaxLine) text.clear();
}

// What the job wrote before its end is in the pipe by now.
void JobLauncher::drain(Launch* launch) {
  for (size_t which : {kOut, kErr}) {
    if (!launch->pipes.at(which)) continue;
    char buffer[16384];
    ssize_t n;
    while ((n = read(launch->pipes.at(which).get(), buffer, sizeof buffer)) > 0)
      take_output(launch, which, std::string_view(buffer, static_cast<size_t>(n)));
  }
}

void JobLauncher::status_came(const LaunchPtr& launch) {
  if (launch->pipes[kStatus]) return;  // stdout and stderr are closed; the status comes
  drain(launch.get());
  std::string line(base::trim(launch->texts[kStatus]));
  auto status = core::exit_status_from_line(line);
  if (!status || status->kind != core::ExitStatus::Kind::kExit)
    launch->error = make_error(
        Code::kIo, "the job was killed (" + (line.empty() ? "its keeper has died" : line) + ")");
  else if (status->value != 0)
    launch->error = core::job_error(status->value, launch->texts[kErr]);
  launch->warnings = core::job_warnings(launch->texts[kErr]);
  clean(launch, 0);
}

void JobLauncher::fail(const LaunchPtr& launch, base::Error error) {
  launch->error = std::move(error);
  clean(launch, 0);
}

void JobLauncher::clean(const LaunchPtr& launch, unsigned attempt) {
  const Request& request = launch->request;
  for (UniqueFd& pipe : launch->pipes) {
    if (pipe) parts_.loop->remove(pipe.get());
    pipe.reset();
  }
  if (launch->cgroup) {
    Status killed = parts_.cgroups->kill(request.pool, request.name);
    Status removed = parts_.cgroups->destroy_zone(request.pool, request.name);
    if (!removed) {
      if (attempt == kMaxShift) base::log_ignored("a job's cgroup", killed);
      parts_.loop->after(kRetryFirst * (1 << std::min(attempt, kMaxShift)),
                         [this, launch, attempt] { clean(launch, attempt + 1); });
      return;
    }
    launch->cgroup = false;
  }
  if (launch->ids.base != 0) parts_.ids->release(std::exchange(launch->ids, core::IdRange{}));
  auto ended = std::exchange(launch->request.ended, {});
  launch->request.on_line = {};  // it may hold the launch itself
  if (!launch->error.message.empty()) return ended(std::exchange(launch->error, {}));
  ended(std::move(launch->warnings));
}

}  // namespace zoned
