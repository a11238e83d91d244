#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/unix_socket.h"
#include "tests/root/cells/must.h"
#include "tests/root/cells/vmm_yard.h"
#include "zoned/core/launcher.h"
#include "zoned/core/seccomp_filter.h"

namespace cells {
namespace {

using base::UniqueFd;
using Clock = std::chrono::steady_clock;

UniqueFd listen_at(const std::string& path) {
  unlink(path.c_str());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd.get(), 4) != 0)
    FAIL("listen at " << path);
  return fd;
}

UniqueFd detached(const std::string& path) {
  return must(core::clone_tree(must(base::open_at(AT_FDCWD, path, O_PATH)).get()));
}

}  // namespace

Vmm::Vmm(VmmYard& yard, const core::ZonePlan& plan, const VmmStart& start) {
  launch(yard, plan, start);
  auto deadline = Clock::now() + std::chrono::seconds(20);
  while (socket_ && Clock::now() < deadline) pump(std::chrono::milliseconds(100));
  if (launcher_ > 0) waitpid(launcher_, nullptr, 0);
}

void Vmm::launch(VmmYard& yard, const core::ZonePlan& plan, const VmmStart& start) {
  std::map<std::string, UniqueFd> own;
  own["root"] = must(core::clone_tree(yard.tree(start.more_programs)));
  own["kernel"] = detached(yard.file("kernel"));
  own["shared"] = detached(yard.shared());
  if (!plan.filter.empty()) own["filter"] = must(core::filter_memfd(plan.filter));
  own["stdin"] = must(base::open_at(AT_FDCWD, "/dev/null", O_RDONLY));
  auto line = must(base::socket_pair(SOCK_STREAM));
  console_ = std::move(line.first);
  own["console"] = std::move(line.second);
  for (const core::KeptFd& kept : plan.kept_fds) {
    if (own.contains(kept.name) || kept.name.starts_with("tap")) continue;
    if (start.descriptors.contains(kept.name)) continue;
    own[kept.name] = kept.name == "qmp"
                         ? listen_at(yard.file(plan.name + ".qmp"))
                         : must(base::open_at(AT_FDCWD, yard.file(kept.name), O_RDWR));
  }
  core::FdTable fds;
  for (const auto& [name, fd] : own) fds[name] = fd.get();
  for (const auto& [name, fd] : start.descriptors) fds[name] = fd;
  fds["stdout"] = fds["stderr"] = fds["console"];
  const resource::ZoneCgroup& cgroup = yard.cgroup_of(plan);
  if (cgroup.v2_payload) fds["cgroup"] = cgroup.v2_payload.get();
  for (size_t i = 0; i < cgroup.v1_procs.size(); ++i)
    fds["procs" + std::to_string(i)] = cgroup.v1_procs[i].get();
  auto sockets = must(base::socket_pair(SOCK_SEQPACKET));
  socket_ = std::move(sockets.first);
  launcher_ = must(core::fork_launcher(plan, fds, sockets.second.get()));
}

void Vmm::on_launcher() {
  auto message = base::receive_message(socket_.get(), 65536);
  if (!message || message->eof) {
    socket_.reset();
    return;
  }
  auto body = nlohmann::json::parse(message->data, nullptr, false);
  if (!body.is_object()) FAIL("what the launcher says");
  if (body.contains("pid")) pid_ = body["pid"].get<pid_t>();
  if (body.contains("listener")) listener_ = std::move(message->fds.at(0));
  if (body.contains("error")) error_ = body["error"].dump();
}

// As Keeper::watch_start_calls does.
void Vmm::answer_start_call() {
  seccomp_notif call = {};
  if (ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) return;
  seccomp_notif_resp answer = {call.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE};
  ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

bool Vmm::read_console() {
  char buffer[65536];
  ssize_t n = recv(console_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (n > 0) output_.append(buffer, static_cast<size_t>(n));
  return n > 0;
}

// One round. False when nothing happened.
bool Vmm::pump(std::chrono::milliseconds timeout) {
  pollfd ready[] = {{socket_ ? socket_.get() : -1, POLLIN, 0},
                    {listener_ ? listener_.get() : -1, POLLIN, 0},
                    {console_.get(), POLLIN, 0}};
  if (poll(ready, 3, static_cast<int>(timeout.count())) <= 0) return false;
  if (ready[0].revents != 0) on_launcher();
  // Hung up: nobody is left under the filter.
  if ((ready[1].revents & POLLIN) != 0) answer_start_call();
  if ((ready[1].revents & (POLLHUP | POLLERR)) != 0) listener_.reset();
  bool read = ready[2].revents != 0 && read_console();
  return ready[0].revents != 0 || (ready[1].revents & POLLIN) != 0 || read;
}

bool Vmm::has_ended() {
  if (!ended_ && pid_ > 0 && waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
  return ended_ || pid_ <= 0;
}

bool Vmm::await(std::string_view text, std::chrono::milliseconds timeout) {
  auto deadline = Clock::now() + timeout;
  while (output_.find(text) == std::string::npos) {
    if (Clock::now() > deadline) return false;
    if (has_ended()) {
      while (read_console()) {
      }
      return output_.find(text) != std::string::npos;
    }
    pump(std::chrono::milliseconds(20));
  }
  return true;
}

void Vmm::say(std::string_view text) {
  while (!text.empty()) {
    ssize_t n = send(console_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0) return;  // it has ended: seen by whoever waits for its answer
    text.remove_prefix(static_cast<size_t>(n));
  }
}

void Vmm::narrow() { listener_.reset(); }

int Vmm::end(std::chrono::milliseconds timeout) {
  auto deadline = Clock::now() + timeout;
  while (!has_ended()) {
    if (Clock::now() > deadline) kill(pid_, SIGKILL);
    pump(std::chrono::milliseconds(5));
  }
  while (read_console()) {
  }
  return status_;
}

Vmm::~Vmm() {
  if (pid_ <= 0 || ended_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, &status_, 0);
}

}  // namespace cells
