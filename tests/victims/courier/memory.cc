// Shared memory, message queues, semaphores' relatives and keys: what has names of its own in the kernel.
#include <fcntl.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include <cstdint>
#include <cstring>

#include "tests/victims/courier/channel.h"
#include "tests/victims/courier/os.h"

namespace {

// What shmat(2) returns then.
bool is_failed(const void* memory) { return reinterpret_cast<intptr_t>(memory) == -1; }

constexpr int kKey = 0x7a6f6e65;

class SysvMemory : public Channel {
 public:
  const char* name() const override { return "SysV-shared-memory"; }
  std::set<std::string> hear() override {
    std::string bytes;
    // By number as well as by key: whoever has the key's segment, there may be others.
    for (int id = 0; id < 64; ++id) bytes += " " + copy_of(id);
    int own = shmget(kKey, 0, 0);
    if (own >= 0) bytes += " " + copy_of(own);
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    int id = shmget(kKey, kTokenSize, IPC_CREAT | 0666);
    void* memory = id < 0 ? nullptr : shmat(id, nullptr, 0);
    if (id < 0 || is_failed(memory)) return outcome(false);
    std::memcpy(memory, token.data(), kTokenSize);
    shmdt(memory);
    return "";
  }

 private:
  static std::string copy_of(int id) {
    void* memory = shmat(id, nullptr, SHM_RDONLY);
    if (is_failed(memory)) return "";
    std::string bytes(static_cast<const char*>(memory), kTokenSize);
    shmdt(memory);
    return bytes;
  }
};

struct Letter {
  long type = 1;
  char text[kTokenSize] = {};
};

class SysvMessages : public Channel {
 public:
  const char* name() const override { return "SysV-messages"; }
  std::set<std::string> hear() override {
    std::string bytes;
    int queue = msgget(kKey, IPC_CREAT | 0666);
    Letter letter;
    while (msgrcv(queue, &letter, kTokenSize, 0, IPC_NOWAIT) == kTokenSize)
      bytes.append(" ").append(letter.text, kTokenSize);
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    Letter letter;
    std::memcpy(letter.text, token.data(), kTokenSize);
    int queue = msgget(kKey, IPC_CREAT | 0666);
    return outcome(msgsnd(queue, &letter, kTokenSize, IPC_NOWAIT) == 0);
  }
};

class PosixMessages : public Channel {
 public:
  const char* name() const override { return "POSIX-messages"; }
  std::set<std::string> hear() override {
    std::string bytes;
    mqd_t queue = mq_open(kName, O_RDONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666, nullptr);
    std::string letter(8192, '\0');
    for (ssize_t n = 0; queue >= 0 && n >= 0;) {
      n = mq_receive(queue, letter.data(), letter.size(), nullptr);
      if (n > 0) bytes.append(" ").append(letter, 0, static_cast<size_t>(n));
    }
    if (queue >= 0) mq_close(queue);
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    mqd_t queue = mq_open(kName, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666, nullptr);
    if (queue < 0) return outcome(false);
    bool sent = mq_send(queue, token.data(), token.size(), 0) == 0;
    std::string why = outcome(sent);
    mq_close(queue);
    return why;
  }

 private:
  static constexpr const char* kName = "/courier";
};

class PosixMemory : public Channel {
 public:
  const char* name() const override { return "POSIX-shared-memory"; }
  std::set<std::string> hear() override {
    std::string bytes;
    for (const std::string& file : names_in("/dev/shm"))
      bytes += " " + read_whole("/dev/shm/" + file);
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    return outcome(write_whole("/dev/shm/courier", token));
  }
};

// Raw calls: the library is one more package.
class Keys : public Channel {
 public:
  const char* name() const override { return "keyrings"; }
  std::set<std::string> hear() override {
    std::string bytes(kTokenSize, '\0');
    long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", "courier", 0);
    if (key < 0) return {};
    if (syscall(SYS_keyctl, KEYCTL_READ, key, bytes.data(), bytes.size()) < 0) return {};
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    return outcome(syscall(SYS_add_key, "user", "courier", token.data(), token.size(),
                           KEY_SPEC_USER_KEYRING) >= 0);
  }
};

}  // namespace

void add_memory_channels(Channels* channels, const Place&) {
  channels->push_back(std::make_unique<SysvMemory>());
  channels->push_back(std::make_unique<SysvMessages>());
  channels->push_back(std::make_unique<PosixMemory>());
  channels->push_back(std::make_unique<PosixMessages>());
  channels->push_back(std::make_unique<Keys>());
}
