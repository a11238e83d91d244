// Launching a job through the keeper and following it.
#include "zoned/daemon/install_launch.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
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

}  // namespace

void Installer::launch(const JobPtr& job, const std::string& target, Planner plan,
                       std::function<void()> next) {
  job->next = std::move(next);
  job->error = {};
  job->texts = {};
  job->open_pipes = 0;
  job->boot_id = random_id();
  if (job->cancelled) return fail(job, make_error(Code::kState, "cancelled"));
  if (Status status = send(job, target, plan); !status) {
    job->error = std::move(status).error();
    clean_launch(job, 0);
  }
}

Status Installer::send(const JobPtr& job, const std::string& target, const Planner& plan) {
  TRY(fault_point("install.source.before"));
  TRY_AS(job->ids, parts_.ids->lease());
  TRY(parts_.shares->ensure_pool(job->pool));
  core::JobRequest request;
  request.name = job->zone;
  request.boot_id = job->boot_id;
  request.label = job->label;
  request.ids = job->ids;
  request.cgroup = {job->pool, job->zone, {}};
  request.time_namespace = parts_.host->time_namespace;
  request.program = programs_ + (job->vm ? "/zone-import" : "/zone-unpack");
  request.target = target;
  TRY_AS(core::InstallJob planned, plan(request));
  TRY_AS(auto descriptors, core::open_job(planned));
  TRY(fault_point("install.source.after"));
  job->cgroup = true;
  TRY_AS(resource::ZoneCgroup cgroup,
         parts_.cgroups->create_zone(job->pool, job->zone, planned.plan.cgroup.writes,
                                     job->ids.base, job->ids.base));
  std::vector<std::string> names;
  std::vector<int> fds;
  auto pass = [&](std::string name, int fd) {
    if (fd < 0) return;
    names.push_back(std::move(name));
    fds.push_back(fd);
  };
  for (const auto& descriptor : descriptors) pass(descriptor.name, descriptor.fd.get());
  pass("cgroup", cgroup.v2_payload.get());
  for (size_t i = 0; i < cgroup.v1_procs.size(); ++i)
    pass("procs" + std::to_string(i), cgroup.v1_procs[i].get());
  TRY_AS(UniqueFd filter, core::filter_memfd(planned.plan.filter));
  pass("filter", filter.get());
  TRY_AS(UniqueFd null, base::open_at(AT_FDCWD, "/dev/null", O_RDONLY));
  pass("stdin", null.get());
  std::array<UniqueFd, 2> writers;
  for (size_t which : {kOut, kErr}) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return base::sys_error("pipe");
    job->pipes.at(which).reset(ends[0]);
    writers.at(which).reset(ends[1]);
  }
  pass("stdout", writers[kOut].get());
  pass("stderr", writers[kErr].get());
  TRY(fault_point("install.launch.before"));
  TRY_AS(job->keeper, parts_.keepers->choose(-1, false));
  nlohmann::json body = {
      {"op", "launch"}, {"plan", core::to_json(planned.plan)}, {"logged", false}, {"fds", names}};
  parts_.keepers->request(job->keeper, std::move(body), fds,
                          [this, job](Result<KeeperReply> reply) {
                            Status started;
                            if (!reply)
                              started = std::move(reply).error();
                            else if (reply->fds.empty())
                              started = make_error(Code::kInternal, "no status pipe");
                            else
                              job->pipes[kStatus] = std::move(reply->fds[0]);
                            if (started) started = fault_point("install.launch.after");
                            if (started) started = watch(job);
                            if (started) return;
                            job->error = std::move(started).error();
                            clean_launch(job, 0);
                          });
  return {};
}

Status Installer::watch(const JobPtr& job) {
  for (size_t which = 0; which < job->pipes.size(); ++which) {
    int fd = job->pipes.at(which).get();
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return base::sys_error("fcntl");
    TRY(parts_.loop->add(fd, EPOLLIN, [this, job, which](uint32_t) { read_pipe(job, which); }));
    ++job->open_pipes;
  }
  return {};
}

void Installer::read_pipe(const JobPtr& job, size_t which) {
  char buffer[16384];
  ssize_t n = read(job->pipes.at(which).get(), buffer, sizeof buffer);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) return take_output(job, which, std::string_view(buffer, static_cast<size_t>(n)));
  parts_.loop->remove(job->pipes.at(which).get());
  job->pipes.at(which).reset();
  // The status says that the job is over: a process that it left behind may still hold the others.
  if (which == kStatus || --job->open_pipes == 0) launch_ended(job);
}

void Installer::take_output(const JobPtr& job, size_t which, std::string_view data) {
  std::string& text = job->texts.at(which);
  text.append(data);
  if (which != kOut) {
    if (text.size() > kMaxTail) text.erase(0, text.size() - kMaxTail);
    return;
  }
  size_t end;
  while ((end = text.find('\n')) != std::string::npos) {
    auto progress = core::parse_progress(std::string_view(text).substr(0, end));
    if (progress) job->on_progress(*progress);
    text.erase(0, end + 1);
  }
  if (text.size() > kMaxLine) text.clear();
}

void Installer::launch_ended(const JobPtr& job) {
  if (job->pipes[kStatus]) return;  // stdout and stderr are closed; the status comes
  // What the job wrote before its end is in the pipe by now.
  for (size_t which : {kOut, kErr}) {
    if (!job->pipes.at(which)) continue;
    char buffer[16384];
    ssize_t n;
    while ((n = read(job->pipes.at(which).get(), buffer, sizeof buffer)) > 0)
      take_output(job, which, std::string_view(buffer, static_cast<size_t>(n)));
  }
  std::string line(base::trim(job->texts[kStatus]));
  auto status = core::exit_status_from_line(line);
  if (!status || status->kind != core::ExitStatus::Kind::kExit)
    job->error = make_error(
        Code::kIo, "the job was killed (" + (line.empty() ? "its keeper has died" : line) + ")");
  else if (status->value != 0)
    job->error = core::job_error(status->value, job->texts[kErr]);
  for (std::string& warning : core::job_warnings(job->texts[kErr]))
    job->warnings.push_back(std::move(warning));
  clean_launch(job, 0);
}

// Everything that the launch took goes back, whatever came of it; then the next step or the error.
void Installer::clean_launch(const JobPtr& job, unsigned attempt) {
  for (UniqueFd& pipe : job->pipes) {
    if (pipe) parts_.loop->remove(pipe.get());
    pipe.reset();
  }
  if (job->cgroup) {
    Status killed = parts_.cgroups->kill(job->pool, job->zone);
    Status removed = parts_.cgroups->destroy_zone(job->pool, job->zone);
    if (!removed) {
      if (attempt == kMaxShift) base::log_ignored("a job's cgroup", killed);
      parts_.loop->after(kRetryFirst * (1 << std::min(attempt, kMaxShift)),
                         [this, job, attempt] { clean_launch(job, attempt + 1); });
      return;
    }
    job->cgroup = false;
  }
  if (job->ids.base != 0) parts_.ids->release(std::exchange(job->ids, core::IdRange{}));
  if (!job->error.message.empty()) return fail(job, std::exchange(job->error, {}));
  auto next = std::exchange(job->next, {});
  next();
}

}  // namespace zoned
