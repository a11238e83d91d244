#include "cli/view/decoder.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <utility>

#include "base/unix_socket.h"

namespace view {
namespace {

using base::Result;
using base::Status;
using base::sys_error;
using base::UniqueFd;

constexpr uid_t kNobody = 65534;
constexpr size_t kReadBytes = size_t{64} << 10;
constexpr size_t kMaxUnsent = size_t{16} << 10;  // of what the zone does not take

struct FilterRelease {
  void operator()(void* filter) const { seccomp_release(filter); }
};

Status load_filter() {
  std::unique_ptr<void, FilterRelease> filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (!filter) return base::make_error(base::Code::kNoSpace, "seccomp_init failed");
  for (int call : {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(poll), SCMP_SYS(ppoll),
                   SCMP_SYS(restart_syscall), SCMP_SYS(exit_group), SCMP_SYS(brk), SCMP_SYS(munmap),
                   SCMP_SYS(mremap), SCMP_SYS(rt_sigreturn)})
    if (int err = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0); err != 0)
      return sys_error("seccomp rule", -err);
  scmp_arg_cmp data_only = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  if (int err = seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &data_only);
      err != 0)
    return sys_error("seccomp rule", -err);
  if (int err = seccomp_load(filter.get()); err != 0) return sys_error("seccomp_load", -err);
  return {};
}

Status close_others(int low, int high) {
  unsigned first = static_cast<unsigned>(std::min(low, high));
  unsigned last = static_cast<unsigned>(std::max(low, high));
  if ((first > 0 && close_range(0, first - 1, 0) != 0) ||
      (last > first + 1 && close_range(first + 1, last - 1, 0) != 0) ||
      close_range(last + 1, ~0U, 0) != 0)
    return sys_error("close_range");
  return {};
}

Status become_nobody() {
  if (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
      setresuid(kNobody, kNobody, kNobody) != 0)
    return sys_error("become nobody");
  return {};
}

Status set_limits() {
  rlimit none = {0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0)
    return sys_error("setrlimit");
  return {};
}

class Loop {
 public:
  Loop(int server, int frame, const Canvas& canvas)
      : server_(server), frame_(frame), rfb_(canvas.data()) {}

  // Why it ended.
  std::string run() {
    while (true) {
      // A zone that does not read is not read from: what it makes us say would pile up.
      bool busy = rfb_.out().size() > kMaxUnsent;
      auto server_events =
          static_cast<short>((busy ? 0 : POLLIN) | (rfb_.out().empty() ? 0 : POLLOUT));
      auto frame_events = static_cast<short>(busy ? 0 : POLLIN);
      pollfd polled[] = {{server_, server_events, 0}, {frame_, frame_events, 0}};
      if (poll(polled, 2, -1) < 0 && errno != EINTR) return "poll failed";
      if (polled[1].revents != 0 && !take_input()) return {};
      if ((polled[0].revents & POLLOUT) != 0) send();
      if ((polled[0].revents & ~POLLOUT) == 0) continue;
      ssize_t n = read(server_, buffer_.data(), buffer_.size());
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n <= 0) return "its display has ended";
      Status status = rfb_.take({buffer_.data(), static_cast<size_t>(n)});
      tell_changes();
      if (!status) return status.error().message;
    }
  }

 private:
  void send() {
    std::string& out = rfb_.out();
    ssize_t n = write(server_, out.data(), out.size());
    if (n > 0) out.erase(0, static_cast<size_t>(n));
  }
  bool take_input() {
    ToDecoder input;
    ssize_t n = read(frame_, &input, sizeof input);
    if (n != sizeof input) return n < 0 && (errno == EAGAIN || errno == EINTR);
    if (input.kind == ToDecoder::kKey) rfb_.key(input.keysym, input.pressed != 0);
    if (input.kind == ToDecoder::kPointer)
      rfb_.pointer(input.x, input.y, static_cast<uint8_t>(input.pressed));
    return true;
  }
  void tell_changes() {
    if (rfb_.size() != told_) {
      told_ = rfb_.size();
      tell({FromDecoder::kSize, {0, 0, told_.width, told_.height}});
    }
    if (Area damage = rfb_.take_damage(); damage.width != 0) tell({FromDecoder::kDamage, damage});
  }
  void tell(const FromDecoder& message) const {
    // Blocks while the frame is busy: so does the zone then.
    if (write(frame_, &message, sizeof message) < 0 && errno == EPIPE) _exit(0);
  }

  int server_;
  int frame_;
  Rfb rfb_;
  Size told_;
  std::array<char, kReadBytes> buffer_ = {};
};

}  // namespace

Result<Canvas> Canvas::create() {
  UniqueFd memory(memfd_create("zone-view", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory || ftruncate(memory.get(), static_cast<off_t>(kCanvasBytes)) != 0 ||
      fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) != 0)
    return sys_error("make the canvas");
  void* data = mmap(nullptr, kCanvasBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (data == MAP_FAILED) return sys_error("map the canvas");
  return Canvas(static_cast<uint8_t*>(data));
}

Canvas::Canvas(Canvas&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
Canvas::~Canvas() {
  if (data_ != nullptr) munmap(data_, kCanvasBytes);
}

Status Canvas::make_read_only() const {
  if (mprotect(data_, kCanvasBytes, PROT_READ) != 0) return sys_error("protect the canvas");
  return {};
}

Status confine(int server, int frame, const Confinement& walls) {
  if (walls.close_descriptors) TRY(close_others(server, frame));
  if (walls.become_nobody && geteuid() == 0) TRY(become_nobody());
  // After the change of ids, which would clear it.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return sys_error("PR_SET_PDEATHSIG");
  if (walls.limits) TRY(set_limits());
  if (walls.no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return sys_error("PR_SET_NO_NEW_PRIVS");
  if (walls.filter) return load_filter();
  return {};
}

void run_decoder(int server, int frame, const Canvas& canvas) {
  FromDecoder end{FromDecoder::kEnded, {}};
  Loop loop(server, frame, canvas);
  Status confined = confine(server, frame);
  std::string reason = confined ? loop.run() : confined.error().message;
  std::strncpy(end.reason, reason.c_str(), sizeof end.reason - 1);
  ssize_t told = write(frame, &end, sizeof end);
  _exit(told == sizeof end ? 0 : 1);
}

Result<Decoder> start_decoder(UniqueFd server, const Canvas& canvas) {
  TRY_AS(auto sockets, base::socket_pair(SOCK_SEQPACKET));
  if (fcntl(server.get(), F_SETFL, O_NONBLOCK) != 0) return sys_error("fcntl");
  Decoder decoder;
  decoder.pid = fork();
  if (decoder.pid < 0) return sys_error("fork");
  if (decoder.pid == 0) {
    // The frame's end may be gone already: a write tells, and is no reason to die loudly.
    signal(SIGPIPE, SIG_IGN);
    run_decoder(server.get(), sockets.second.get(), canvas);
  }
  if (fcntl(sockets.first.get(), F_SETFL, O_NONBLOCK) != 0) return sys_error("fcntl");
  decoder.socket = std::move(sockets.first);
  return decoder;
}

}  // namespace view
