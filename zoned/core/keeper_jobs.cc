// Launching and joining: the keeper forks a helper and follows it without blocking.
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <csignal>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "base/process.h"
#include "base/strings.h"
#include "zoned/core/keeper.h"
#include "zoned/core/launcher.h"
#include "zoned/core/plan_json.h"
#include "zoned/core/preparer.h"

namespace core {

using base::Code;
using base::make_error;
using base::Status;
using base::UniqueFd;
using nlohmann::json;

namespace {

// A launcher that takes longer hangs in some file system.
constexpr std::chrono::seconds kJobDeadline{60};

template <typename Map>
FdTable table_of(const Map& fds) {
  FdTable table;
  for (const auto& [name, fd] : fds) table[name] = fd.get();
  return table;
}

}  // namespace

Status Keeper::launch(uint64_t connection, const json& request, NamedFds fds) {
  TRY_AS(ZonePlan plan, zone_plan_from_json(request.at("plan")));
  if (Zone* zone = find(plan.name); zone != nullptr && !zone->record.exited)
    return make_error(Code::kExists, "zone " + base::quoted(plan.name) + " is running");
  for (const auto& [key, other] : jobs_)
    if (other->kind == Job::Kind::kLaunch && other->zone.record.zone == plan.name)
      return make_error(Code::kExists, "zone " + base::quoted(plan.name) + " is being launched");
  auto job = std::make_unique<Job>();
  job->connection = connection;
  job->request = request.at("id").get<int64_t>();
  ZoneRecord& record = job->zone.record;
  record.zone = plan.name;
  record.boot_id = plan.boot_id;
  record.console = plan.stdio == Stdio::kConsole || plan.stdio == Stdio::kSerial;
  record.logged = request.at("logged").get<bool>();
  record.log_size = plan.log_size;

  if (plan.stdio == Stdio::kLog) {
    TRY_AS(UniqueFd null, base::open_at(AT_FDCWD, "/dev/null", O_RDONLY));
    TRY_AS(base::Pipe log, base::make_pipe());
    TRY_AS(fds["stderr"], base::dup_fd(log.write.get()));
    fds["stdin"] = std::move(null);
    fds["stdout"] = std::move(log.write);
    job->zone.output = std::move(log.read);
  }
  if (plan.stdio == Stdio::kSerial) {
    TRY_AS(auto line, base::socket_pair(SOCK_STREAM));
    TRY_AS(fds["stdin"], base::open_at(AT_FDCWD, "/dev/null", O_RDONLY));
    TRY_AS(fds["stdout"], base::dup_fd(line.second.get()));
    TRY_AS(fds["stderr"], base::dup_fd(line.second.get()));
    fds["console"] = std::move(line.second);
    job->zone.output = std::move(line.first);
  }
  // Whose output is not logged is somebody's in the foreground, who waits for the status.
  if (!record.logged) {
    if (job->zone.output)
      return make_error(Code::kInternal, "output that nobody takes is not logged");
    TRY_AS(base::Pipe status, base::make_pipe());
    job->status_read = std::move(status.read);
    job->zone.status_pipe = std::move(status.write);
  }
  FdTable table = table_of(fds);
  if (!table.contains("init")) table["init"] = setup_.init.get();
  TRY(check_plan(plan, table));
  TRY_AS(auto sockets, base::socket_pair(SOCK_SEQPACKET));
  TRY_AS(job->helper, fork_launcher(plan, table, sockets.second.get()));
  job->socket = std::move(sockets.first);
  return watch_job(std::move(job));
}

base::Result<UniqueFd> Keeper::pidfd_of(const std::string& name, const std::string& boot_id) {
  Zone* zone = find(name);
  if (zone == nullptr || zone->record.exited || zone->record.boot_id != boot_id)
    return make_error(Code::kState, "zone " + base::quoted(name) + " is not running");
  if (zone->pidfd) return base::dup_fd(zone->pidfd.get());
  return base::open_pidfd(zone->record.pid);
}

Status Keeper::enter(uint64_t connection, const json& request, NamedFds fds) {
  TRY_AS(EnterPlan plan, enter_plan_from_json(request.at("plan")));
  TRY_AS(UniqueFd pidfd, pidfd_of(plan.zone, plan.boot_id));
  auto job = std::make_unique<Job>();
  job->kind = Job::Kind::kEnter;
  job->connection = connection;
  job->request = request.at("id").get<int64_t>();
  FdTable table = table_of(fds);
  TRY(check_plan(plan, table));
  TRY_AS(base::Pipe status, base::make_pipe());
  job->status_read = std::move(status.read);
  job->zone.status_pipe = std::move(status.write);
  TRY_AS(auto sockets, base::socket_pair(SOCK_SEQPACKET));
  TRY_AS(job->helper, fork_joiner(plan, table, pidfd.get(), sockets.second.get()));
  job->socket = std::move(sockets.first);
  return watch_job(std::move(job));
}

Status Keeper::mount(uint64_t connection, const json& request) {
  TRY_AS(UniqueFd pidfd,
         pidfd_of(request.at("zone").get<std::string>(), request.at("boot_id").get<std::string>()));
  auto job = std::make_unique<Job>();
  job->kind = Job::Kind::kMount;
  job->connection = connection;
  job->request = request.at("id").get<int64_t>();
  TRY_AS(auto sockets, base::socket_pair(SOCK_SEQPACKET));
  TRY_AS(job->helper, fork_mounter(pidfd.get(), sockets.second.get()));
  job->socket = std::move(sockets.first);
  return watch_job(std::move(job));
}

Status Keeper::prepare(uint64_t connection, const json& request) {
  PreparePlan plan;
  plan.ids.base = request.at("range_base").get<uint32_t>();
  plan.link = request.at("link").get<std::string>();
  TRY(check_range(plan.ids));
  auto job = std::make_unique<Job>();
  job->kind = Job::Kind::kPrepare;
  job->connection = connection;
  job->request = request.at("id").get<int64_t>();
  TRY_AS(auto sockets, base::socket_pair(SOCK_SEQPACKET));
  TRY_AS(job->helper, fork_preparer(plan, sockets.second.get()));
  job->socket = std::move(sockets.first);
  return watch_job(std::move(job));
}

bool Keeper::busy() const {
  return std::any_of(jobs_.begin(), jobs_.end(),
                     [](const auto& job) { return job.second->kind != Job::Kind::kPrepare; });
}

Status Keeper::watch_job(std::unique_ptr<Job> owned) {
  Job* job = owned.get();
  if (fcntl(job->socket.get(), F_SETFL, O_NONBLOCK) != 0) {
    kill(job->helper, SIGKILL);
    return base::sys_error("fcntl");
  }
  jobs_[job] = std::move(owned);
  job->deadline = loop_->after(kJobDeadline, [this, job] {
    job->deadline = 0;
    // A child of ours, not reaped while its job stands.
    kill(job->helper, SIGKILL);
    abandon(job, make_error(Code::kTimeout, "the zone's first process did not start in time"));
  });
  auto added = loop_->add(job->socket.get(), EPOLLIN, [this, job](uint32_t) { on_job(job); });
  if (!added) {
    kill(job->helper, SIGKILL);
    job_failed(job, added.error());
  }
  return {};
}

void Keeper::on_job(Job* job) {
  auto message = base::receive_message(job->socket.get(), kMaxKeeperMessage);
  if (message && !message->eof) return on_word(job, *std::move(message));
  if (!message && message.error().sys_errno == EAGAIN) return;
  abandon(job, message ? make_error(Code::kIo, "the launcher was killed") : message.error());
}

// Its last word may still wait for us. Without one its socket may stay open: a child that it cloned
// has copies until exec.
void Keeper::helper_ended(Job* job) {
  while (jobs_.contains(job)) {
    auto message = base::receive_message(job->socket.get(), kMaxKeeperMessage);
    bool heard = message ? !message->eof : message.error().sys_errno != EAGAIN;
    if (!heard) return abandon(job, make_error(Code::kIo, "the launcher was killed"));
    if (!message) return abandon(job, message.error());
    on_word(job, *std::move(message));
  }
}

void Keeper::on_word(Job* job, base::Message message) {
  json body = json::parse(message.data, nullptr, false);
  if (!body.is_object()) return job_failed(job, make_error(Code::kInternal, "launcher's message"));
  if (body.contains("pid")) {
    job->process = body.value("pid", 0);
    job->passer = body.value("passer", 0);
    unclaimed_.erase(job->passer);
    if (job->kind != Job::Kind::kLaunch) return;
    job->zone.record.pid = job->process;
    auto start = base::start_time_of(job->process);
    job->zone.record.start_time = start ? *start : 0;
    return;
  }
  if (body.contains("listener")) {
    if (message.fds.empty()) return job_failed(job, make_error(Code::kInternal, "no listener"));
    job->zone.start_calls = std::move(message.fds[0]);
    if (auto watched = watch_start_calls(job->zone.start_calls.get()); !watched)
      job_failed(job, watched.error());
    return;
  }
  if (body.contains("error")) return job_failed(job, error_from_json(body["error"]));
  job_ready(job, std::move(message.fds));
}

// made: what the helper has sent; of a launcher or joiner the console's or pty's master, if any.
void Keeper::job_ready(Job* job, std::vector<UniqueFd> made) {
  pid_t pid = job->process;
  std::vector<int> fds;
  UniqueFd terminal;
  if (job->kind == Job::Kind::kMount || job->kind == Job::Kind::kPrepare) {
    for (const UniqueFd& fd : made) fds.push_back(fd.get());
    reply(job->connection, job->request, json::object(), fds);
    return end_job(job);
  }
  if (pid <= 0) return job_failed(job, make_error(Code::kInternal, "a process without a number"));
  if (!made.empty()) terminal = std::move(made[0]);
  if (job->kind == Job::Kind::kEnter) {
    fds.push_back(job->status_read.get());
    if (terminal) fds.push_back(terminal.get());
    joined_[pid] = std::move(job->zone.status_pipe);
    reply(job->connection, job->request, {{"pid", pid}}, fds);
  } else {
    if (job->status_read) fds.push_back(job->status_read.get());
    if (terminal && job->zone.record.logged) {
      job->zone.output = std::move(terminal);
    } else if (terminal) {
      fds.push_back(terminal.get());  // in the foreground: its client's alone
    }
    if (job->zone.output) fds.push_back(job->zone.output.get());
    std::string name = job->zone.record.zone;
    Zone& zone = zones_[name] = std::move(job->zone);
    reply(job->connection, job->request, {{"pid", pid}, {"start_time", zone.record.start_time}},
          fds);
    if (auto watched = watch_zone(zone); !watched)
      base::log_error("zone " + base::quoted(name) + ": " + watched.error().message);
  }
  // It may have ended already; the last job's end forgets whoever has not been claimed.
  auto ended = unclaimed_.extract(pid);
  end_job(job);
  if (!ended.empty()) on_exit(pid, ended.mapped());
}

void Keeper::abandon(Job* job, const base::Error& error) {
  if (job->process > 0 && !unclaimed_.contains(job->process)) kill(job->process, SIGKILL);
  job_failed(job, error);
}

void Keeper::job_failed(Job* job, const base::Error& error) {
  reply_error(job->connection, job->request, error);
  unclaimed_.erase(job->process);
  end_job(job);
}

// The guest does not run yet: its VMM is Debian's program and no more. Whoever asks after that finds
// nobody here (seccomp_unotify(2): ENOSYS).
Status Keeper::watch_start_calls(int listener) {
  return loop_->add(listener, EPOLLIN, [this, listener](uint32_t events) {
    seccomp_notif call = {};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
      // Nobody is left under the filter; its owner's end is seen elsewhere.
      if ((events & (EPOLLHUP | EPOLLERR)) != 0) loop_->remove(listener);
      return;
    }
    seccomp_notif_resp answer = {call.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    // Fails when the caller has died meanwhile.
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  });
}

void Keeper::end_job(Job* job) {
  if (job->zone.start_calls) loop_->remove(job->zone.start_calls.get());
  if (job->deadline != 0) loop_->cancel(job->deadline);
  loop_->remove(job->socket.get());
  jobs_.erase(job);
  // Whoever could still be claimed has been: nobody else is being started.
  if (jobs_.empty()) unclaimed_.clear();
}

}  // namespace core
