// /proc, signals, names of the host, the kernel's log and its events.
#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <sys/klog.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <cstring>

#include "tests/victims/courier/channel.h"
#include "tests/victims/courier/os.h"

namespace {

constexpr size_t kPieces = kTokenSize / sizeof(uint64_t);  // of the channel of signals

// A process whose argument is the token.
class Proc : public Channel {
 public:
  ~Proc() override {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  const char* name() const override { return "/proc"; }
  std::set<std::string> hear() override {
    std::string bytes;
    for (const std::string& entry : names_in("/proc"))
      if (entry.find_first_not_of("0123456789") == std::string::npos)
        bytes += " " + read_whole("/proc/" + entry + "/cmdline");
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    if (child_ > 0) return "";
    child_ = fork();
    if (child_ != 0) return outcome(child_ > 0);
    // Else the couriers' signals would end it.
    for (size_t i = 0; i < kPieces; ++i) signal(SIGRTMIN + static_cast<int>(i), SIG_IGN);
    execl("/proc/self/exe", "courier", token.c_str(), nullptr);
    _exit(1);
  }

 private:
  pid_t child_ = 0;
};

// Eight bytes with each of eight real-time signals, to every process that can be named.
std::array<std::atomic<uint64_t>, kPieces> g_pieces;  // a handler has no other place

void on_signal(int number, siginfo_t* info, void*) {
  size_t piece = static_cast<size_t>(number - SIGRTMIN);
  if (piece < kPieces) g_pieces.at(piece) = reinterpret_cast<uint64_t>(info->si_value.sival_ptr);
}

class Signals : public Channel {
 public:
  const char* name() const override { return "signals"; }
  void listen() override {
    struct sigaction action = {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    for (size_t i = 0; i < kPieces; ++i)
      sigaction(SIGRTMIN + static_cast<int>(i), &action, nullptr);
  }
  std::set<std::string> hear() override {
    std::string bytes(kTokenSize, '\0');
    for (size_t i = 0; i < kPieces; ++i) {
      uint64_t piece = g_pieces.at(i);
      std::memcpy(bytes.data() + i * sizeof piece, &piece, sizeof piece);
    }
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    bool any = false;
    // Never the zone's first process, whose end is the zone's; a courier is among the first hundreds.
    for (pid_t pid = 2; pid < 2000; ++pid) {
      std::string command = read_whole("/proc/" + std::to_string(pid) + "/cmdline");
      if (!command.empty() && command.find("courier") == std::string::npos) continue;
      for (size_t i = 0; i < kPieces; ++i) {
        uint64_t piece = 0;
        std::memcpy(&piece, token.data() + i * sizeof piece, sizeof piece);
        sigval value = {};
        std::memcpy(&value.sival_ptr, &piece, sizeof value.sival_ptr);
        any = sigqueue(pid, SIGRTMIN + static_cast<int>(i), value) == 0 || any;
      }
    }
    return outcome(any);
  }
};

// A host name holds 64 bytes.
class HostName : public Channel {
 public:
  const char* name() const override { return "host-name"; }
  std::set<std::string> hear() override {
    utsname names = {};
    uname(&names);
    return tokens_in(names.nodename);
  }
  std::string send(const std::string& token) override {
    return outcome(sethostname(token.data(), token.size()) == 0);
  }
};

class KernelLog : public Channel {
 public:
  const char* name() const override { return "kernel-log"; }
  std::set<std::string> hear() override {
    std::string bytes(1 << 20, '\0');
    int n = klogctl(kReadAll, bytes.data(), static_cast<int>(bytes.size()));
    bytes.resize(n < 0 ? 0 : static_cast<size_t>(n));
    Fd log(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    char record[8192];
    for (ssize_t got = read(log.get(), record, sizeof record); got > 0;
         got = read(log.get(), record, sizeof record))
      bytes.append(" ").append(record, static_cast<size_t>(got));
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    if (sent_) return "";
    sent_ = true;
    Fd log(open("/dev/kmsg", O_WRONLY | O_CLOEXEC));
    std::string line = token + "\n";  // else it waits for its end
    return outcome(log && write(log.get(), line.data(), line.size()) > 0);
  }

 private:
  static constexpr int kReadAll = 3;  // SYSLOG_ACTION_READ_ALL
  bool sent_ = false;
};

// What udev listens to.
class Uevents : public Channel {
 public:
  const char* name() const override { return "uevents"; }
  void listen() override {
    own_ =
        Fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT));
    sockaddr_nl address = all_groups();
    if (bind(own_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) own_ = Fd();
  }
  std::set<std::string> hear() override { return tokens_in(drain_socket(own_.get())); }
  std::string send(const std::string& token) override {
    Fd fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT));
    sockaddr_nl address = all_groups();
    bool sent = fd && sendto(fd.get(), token.data(), token.size(), 0,
                             reinterpret_cast<sockaddr*>(&address), sizeof address) > 0;
    return outcome(sent);
  }

 private:
  static sockaddr_nl all_groups() {
    sockaddr_nl address = {};
    address.nl_family = AF_NETLINK;
    address.nl_groups = ~0U;
    return address;
  }
  Fd own_;
};

}  // namespace

void add_process_channels(Channels* channels, const Place&) {
  channels->push_back(std::make_unique<Proc>());
  channels->push_back(std::make_unique<Signals>());
  channels->push_back(std::make_unique<HostName>());
  channels->push_back(std::make_unique<KernelLog>());
  channels->push_back(std::make_unique<Uevents>());
}
