// Children that end, output that flows, and handing all of it to another keeper program.
#include <fcntl.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "base/process.h"
#include "base/strings.h"
#include "zoned/core/keeper.h"

namespace core {

using base::Code;
using base::make_error;
using base::Status;
using base::UniqueFd;
using nlohmann::json;

namespace {

ExitStatus from_wait(int status) {
  if (WIFEXITED(status)) return {ExitStatus::Kind::kExit, WEXITSTATUS(status)};
  if (WIFSIGNALED(status)) return {ExitStatus::Kind::kSignal, WTERMSIG(status)};
  return {};
}

// PIDFD_GET_INFO with PIDFD_INFO_EXIT (Linux 6.15; include/uapi/linux/pidfd.h): the status of a
// process that somebody else has reaped.
ExitStatus status_by_pidfd(int pidfd) {
  struct Info {
    __u64 mask;
    __u64 cgroupid;
    __u32 pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    __s32 exit_code;
  };
  constexpr __u64 kExit = 1U << 3;
  Info info = {};
  info.mask = kExit;
  if (ioctl(pidfd, _IOWR(0xff, 11, Info), &info) != 0 || (info.mask & kExit) == 0) return {};
  return from_wait(info.exit_code);
}

Status set_inherited(int fd, bool inherited) {
  if (fcntl(fd, F_SETFD, inherited ? 0 : FD_CLOEXEC) != 0) return base::sys_error("fcntl");
  return {};
}

}  // namespace

Keeper::Zone* Keeper::find(const std::string& name) {
  auto it = zones_.find(name);
  return it == zones_.end() ? nullptr : &it->second;
}

ConsoleHub& Keeper::hub(const std::string& zone) {
  auto& hub = hubs_[zone];
  if (!hub) {
    hub = std::make_unique<ConsoleHub>(loop_.get());
    Zone* running = find(zone);
    if (running != nullptr && running->record.console && running->output)
      hub->set_input(running->output.get());
  }
  return *hub;
}

void Keeper::reap() {
  int status = 0;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) on_exit(pid, from_wait(status));
}

void Keeper::on_exit(pid_t pid, const ExitStatus& status) {
  if (auto joined = joined_.find(pid); joined != joined_.end()) {
    base::log_ignored("status pipe", base::write_all(joined->second.get(), to_line(status) + "\n"));
    joined_.erase(joined);
    return;
  }
  for (auto& [name, zone] : zones_) {
    if (zone.record.pid == pid && !zone.record.exited && !zone.pidfd)
      return zone_ended(zone, status);
  }
  for (const auto& [key, job] : jobs_) {
    if (job->helper == pid) return helper_ended(key);
    if (job->passer == pid) return;  // the helper has waited for it
  }
  bool awaited = std::any_of(jobs_.begin(), jobs_.end(), [pid](const auto& job) {
    return job.second->process == 0 || job.second->process == pid;
  });
  if (awaited) unclaimed_[pid] = status;
}

void Keeper::zone_ended(Zone& zone, const ExitStatus& status) {
  while (zone.output && drain_once(zone)) {
  }
  close_output(zone);
  if (zone.pidfd) loop_->remove(zone.pidfd.get());
  zone.pidfd.reset();
  if (zone.start_calls) loop_->remove(zone.start_calls.get());
  zone.start_calls.reset();
  zone.record.exited = true;
  zone.record.status = status;
  if (zone.status_pipe) {
    base::log_ignored("status pipe",
                      base::write_all(zone.status_pipe.get(), to_line(status) + "\n"));
    zone.status_pipe.reset();
  }
  broadcast({{"event", "exited"},
             {"zone", zone.record.zone},
             {"boot_id", zone.record.boot_id},
             {"status", to_line(status)}});
}

Status Keeper::watch_zone(Zone& zone) {
  std::string name = zone.record.zone;
  if (zone.output) {
    int flags = fcntl(zone.output.get(), F_GETFL);
    if (flags < 0 || fcntl(zone.output.get(), F_SETFL, flags | O_NONBLOCK) != 0)
      return base::sys_error("fcntl");
    // A pty without an open slave would be readable (EIO) for ever: its edges alone wake us.
    uint32_t events = zone.record.console ? EPOLLIN | EPOLLET : EPOLLIN;
    TRY(loop_->add(zone.output.get(), events, [this, name](uint32_t) { drain(name); }));
    if (auto console = hubs_.find(name); console != hubs_.end() && zone.record.console)
      console->second->set_input(zone.output.get());
  }
  if (!zone.pidfd) return {};
  return loop_->add(zone.pidfd.get(), EPOLLIN, [this, name](uint32_t) {
    Zone* ended = find(name);
    if (ended == nullptr) return;
    loop_->remove(ended->pidfd.get());
    adopted_ended(name, ended->record.boot_id, 0);
  });
}

// The kernel tells the status of somebody else's child once its parent, zoned or init, has reaped it.
void Keeper::adopted_ended(const std::string& name, const std::string& boot_id, unsigned attempt) {
  constexpr unsigned kAttempts = 20;
  constexpr std::chrono::milliseconds kPause{10};
  Zone* zone = find(name);
  if (zone == nullptr || zone->record.boot_id != boot_id || zone->record.exited) return;
  // We may have become its parent as a subreaper's child; reap it in that case.
  int wait_status = 0;
  pid_t reaped = waitpid(zone->record.pid, &wait_status, WNOHANG);
  ExitStatus status = reaped > 0 ? from_wait(wait_status) : status_by_pidfd(zone->pidfd.get());
  if (status.kind != ExitStatus::Kind::kUnknown || attempt == kAttempts)
    return zone_ended(*zone, status);
  loop_->after(kPause,
               [this, name, boot_id, attempt] { adopted_ended(name, boot_id, attempt + 1); });
}

void Keeper::drain(const std::string& name) {
  Zone* zone = find(name);
  if (zone == nullptr) return;
  // A few pieces per round, so that a flood from one zone does not starve the others.
  constexpr int kPieces = 4;
  for (int i = 0; i < kPieces; ++i)
    if (!zone->output || !drain_once(*zone)) return;
  if (zone->record.console)
    base::log_ignored("console", loop_->modify(zone->output.get(), EPOLLIN | EPOLLET));
}

// False: nothing more for now.
bool Keeper::drain_once(Zone& zone) {
  char buffer[65536];
  ssize_t n = read(zone.output.get(), buffer, sizeof buffer);
  if (n > 0) {
    std::string_view data(buffer, static_cast<size_t>(n));
    if (zone.record.logged)
      append_log(setup_.zones.get(), zone.record.zone, zone.record.log_size, data);
    if (auto hub = hubs_.find(zone.record.zone); hub != hubs_.end()) hub->second->show(data);
    return true;
  }
  if (n < 0 && errno == EINTR) return true;
  // EOF. EIO is a pty without slaves: an os zone opens its console again.
  if (n == 0) close_output(zone);
  return false;
}

void Keeper::close_output(Zone& zone) {
  if (!zone.output) return;
  loop_->remove(zone.output.get());
  if (auto hub = hubs_.find(zone.record.zone); hub != hubs_.end()) {
    hub->second->set_input(-1);
    if (hub->second->empty()) hubs_.erase(hub);
  }
  zone.output.reset();
}

Status Keeper::adopt(const json& request, NamedFds fds) {
  TRY_AS(ZoneRecord record, zone_record_from_json(request.at("record")));
  if (Zone* zone = find(record.zone); zone != nullptr && !zone->record.exited)
    return make_error(Code::kExists, "zone " + base::quoted(record.zone) + " is here already");
  Zone zone;
  if (!fds.contains("pidfd")) return make_error(Code::kInvalid, "adopt needs a pidfd");
  zone.pidfd = std::move(fds["pidfd"]);
  if (fds.contains("output")) zone.output = std::move(fds["output"]);
  zone.record = record;
  zone.record.exited = false;
  return watch_zone(zones_[record.zone] = std::move(zone));
}

// --- replacing the program -----------------------------------------------------------------------

Status Keeper::reexec(const std::string& binary) {
  if (busy()) return make_error(Code::kBusy, "zones are being started", "try again");
  json state = {{"lock", setup_.lock.get()},       {"listener", setup_.listener.get()},
                {"zones_dir", setup_.zones.get()}, {"run_dir", setup_.run_dir},
                {"index", setup_.index},           {"zones", json::array()},
                {"joined", json::array()},         {"consoles", json::array()}};
  std::vector<int> kept = {setup_.lock.get(), setup_.listener.get(), setup_.zones.get()};
  auto keep = [&kept](int fd) {
    if (fd >= 0) kept.push_back(fd);
    return fd;
  };
  for (const auto& [name, zone] : zones_)
    state["zones"].push_back({{"record", to_json(zone.record)},
                              {"output", keep(zone.output.get())},
                              {"status_pipe", keep(zone.status_pipe.get())},
                              {"pidfd", keep(zone.pidfd.get())},
                              {"start_calls", keep(zone.start_calls.get())}});
  for (const auto& [pid, pipe] : joined_)
    state["joined"].push_back({{"pid", pid}, {"status_pipe", keep(pipe.get())}});
  for (const auto& [name, hub] : hubs_)
    for (int client : hub->clients())
      state["consoles"].push_back({{"zone", name}, {"client", keep(client)}});
  TRY_AS(UniqueFd file, base::sealed_memfd("keeper-state", to_text(state)));
  kept.push_back(file.get());
  for (int fd : kept) TRY(set_inherited(fd, true));
  std::string number = std::to_string(file.get());
  execl(binary.c_str(), "zone-keeper", "--state-fd", number.c_str(), nullptr);
  base::Error error = base::sys_error("exec " + base::quoted(binary));
  error.code = Code::kNotRunnable;  // kIo would be a connection's end
  for (int fd : kept) TRY(set_inherited(fd, false));
  return error;
}

Status Keeper::restore(const json& state) {
  auto own = [](const json& value) {
    int fd = value.get<int>();
    if (fd >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
    return UniqueFd(fd);
  };
  try {
    for (const json& item : state.at("zones")) {
      Zone zone;
      TRY_AS(zone.record, zone_record_from_json(item.at("record")));
      zone.output = own(item.at("output"));
      zone.status_pipe = own(item.at("status_pipe"));
      zone.pidfd = own(item.at("pidfd"));
      zone.start_calls = own(item.at("start_calls"));
      Zone& placed = zones_[zone.record.zone] = std::move(zone);
      if (!placed.record.exited) TRY(watch_zone(placed));
      if (placed.start_calls) TRY(watch_start_calls(placed.start_calls.get()));
    }
    for (const json& item : state.at("joined"))
      joined_[item.at("pid").get<pid_t>()] = own(item.at("status_pipe"));
    for (const json& item : state.at("consoles"))
      hub(item.at("zone").get<std::string>()).add_client(own(item.at("client")));
  } catch (const json::exception& e) {
    return make_error(Code::kInternal, std::string("keeper's state: ") + e.what());
  }
  return {};
}

}  // namespace core
