// Files, FIFOs, path sockets and page cache: in the zone's own exported folder, and in what it sees of
// others' at /zone.
#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>

#include "tests/victims/courier/channel.h"
#include "tests/victims/courier/os.h"

namespace {

constexpr const char* kOwn = "/export";
constexpr const char* kOthers = "/zone";

// The exported folders that this zone can name: its own first, then /zone/NAME/export.
std::vector<std::string> folders() {
  std::vector<std::string> found = {kOwn};
  for (const std::string& name : names_in(kOthers))
    found.push_back(std::string(kOthers) + "/" + name + kOwn);
  return found;
}

class Files : public Channel {
 public:
  const char* name() const override { return "files"; }
  std::set<std::string> hear() override {
    std::string bytes;
    for (const std::string& folder : folders())
      for (const std::string& file : names_in(folder))
        if (file.starts_with("letter")) bytes += " " + read_whole(folder + "/" + file);
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    return tell_all(folders(), [&token](const std::string& folder) {
      return write_whole(folder + "/letter-" + token.substr(3, 8), token);
    });
  }
};

class FileNames : public Channel {
 public:
  const char* name() const override { return "file-names"; }
  std::set<std::string> hear() override {
    std::string bytes;
    for (const std::string& folder : folders())
      for (const std::string& file : names_in(folder)) bytes += " " + file;
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    return tell_all(folders(), [&token](const std::string& folder) {
      return mkdir((folder + "/" + token).c_str(), 0755) == 0 || errno == EEXIST;
    });
  }
};

class Fifos : public Channel {
 public:
  const char* name() const override { return "FIFOs"; }
  void listen() override {
    mkfifo(kFifo, 0666);
    own_ = Fd(open(kFifo, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  }
  std::set<std::string> hear() override {
    std::string bytes = drain(own_.get());
    for (const std::string& folder : folders()) {
      if (folder == kOwn) continue;
      Fd other(open((folder + "/fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
      bytes += " " + drain(other.get());
    }
    return tokens_in(bytes);
  }
  std::string send(const std::string& token) override {
    return tell_all(folders(), [&token](const std::string& folder) {
      Fd fd(open((folder + "/fifo").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
      return fd && write(fd.get(), token.data(), token.size()) > 0;
    });
  }

 private:
  static constexpr const char* kFifo = "/export/fifo";
  Fd own_;
};

// A datagram socket at a path; the token comes in a descriptor as well.
class PathSockets : public Channel {
 public:
  const char* name() const override { return "path-sockets"; }
  void listen() override {
    unlink(kSocket);
    own_ = Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address = at_path(kSocket);
    if (bind(own_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) own_ = Fd();
  }
  std::set<std::string> hear() override { return tokens_in(drain_socket(own_.get())); }
  std::string send(const std::string& token) override {
    return tell_all(folders(), [&token](const std::string& folder) {
      Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      sockaddr_un address = at_path(folder + "/socket");
      return send_with_descriptor(fd.get(), &address, sizeof address, token);
    });
  }

 private:
  static constexpr const char* kSocket = "/export/socket";
  Fd own_;
};

// A lock on byte 100 + i of a file says that bit i is set.
class FileLocks : public Channel {
 public:
  explicit FileLocks(const Place& place) : place_(place) {}
  const char* name() const override { return "file-locks"; }
  void listen() override { write_whole(kFile, std::string(4096, 'x')); }
  std::set<std::string> hear() override {
    std::set<std::string> found;
    for (const std::string& file : files()) {
      Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
      for (size_t lane = 0; fd && lane < place_.lanes; ++lane)
        found.merge(tokens_in(from_bits([&](size_t bit) { return is_locked(fd, lane, bit); })));
    }
    return found;
  }
  std::string send(const std::string& token) override {
    return tell_all(files(), [this, &token](const std::string& file) {
      Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
      bool set = static_cast<bool>(fd);
      for_each_bit(token, [&](size_t bit) {
        struct flock lock = of_bit(F_RDLCK, place_.lane, bit);
        set = set && fcntl(fd.get(), F_OFD_SETLK, &lock) == 0;
      });
      held_[file] = std::move(fd);
      return set;
    });
  }

 protected:
  virtual std::vector<std::string> files() const {
    std::vector<std::string> all;
    for (const std::string& folder : folders()) all.push_back(folder + "/locks");
    return all;
  }

 private:
  static constexpr const char* kFile = "/export/locks";
  static struct flock of_bit(short type, size_t lane, size_t bit) {
    struct flock lock = {};
    lock.l_type = type;
    lock.l_start = static_cast<off_t>(lane * kTokenSize * 8 + bit);
    lock.l_len = 1;
    return lock;
  }
  // Asking for a write lock needs no right to write.
  static bool is_locked(const Fd& fd, size_t lane, size_t bit) {
    struct flock lock = of_bit(F_WRLCK, lane, bit);
    return fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  }

  Place place_;
  std::map<std::string, Fd> held_;
};

// A page of a file that is in memory says that its bit is set (mincore(2)).
class PageCache : public Channel {
 public:
  explicit PageCache(const Place& place) : place_(place) {}
  const char* name() const override { return "page-cache"; }
  void listen() override {
    write_whole(kFile, std::string(place_.lanes * kLane, 'x'));
    Fd fd(open(kFile, O_RDONLY | O_CLOEXEC));
    fsync(fd.get());
    posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
  std::set<std::string> hear() override {
    Fd fd(open(kFile, O_RDWR | O_CLOEXEC));
    size_t size = place_.lanes * kLane;
    void* map = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (map == MAP_FAILED) return {};
    std::vector<unsigned char> here(size / kPage);
    bool asked = mincore(map, size, here.data()) == 0;
    munmap(map, size);
    std::set<std::string> found;
    for (size_t lane = 0; asked && lane < place_.lanes; ++lane)
      found.merge(tokens_in(
          from_bits([&](size_t bit) { return (here[lane * kLane / kPage + bit] & 1) != 0; })));
    return found;
  }
  // Every time anew: the kernel takes pages away as it likes.
  std::string send(const std::string& token) override {
    return tell_all(folders(), [this, &token](const std::string& folder) {
      Fd fd(open((folder + "/pages").c_str(), O_RDONLY | O_CLOEXEC));
      if (!fd) return false;
      auto lane = static_cast<off_t>(place_.lane * kLane);
      posix_fadvise(fd.get(), lane, static_cast<off_t>(kLane), POSIX_FADV_DONTNEED);
      posix_fadvise(fd.get(), 0, 0, POSIX_FADV_RANDOM);
      bool read_all = true;
      for_each_bit(token, [&](size_t bit) {
        char byte = 0;
        read_all =
            read_all && pread(fd.get(), &byte, 1, lane + static_cast<off_t>(bit * kPage)) == 1;
      });
      return read_all;
    });
  }

 private:
  static constexpr const char* kFile = "/export/pages";
  static constexpr size_t kPage = 4096;
  static constexpr size_t kLane = kTokenSize * 8 * kPage;
  Place place_;
};

// The kernel's list of locks shows the ranges of those that no process owns.
class LockList : public Channel {
 public:
  explicit LockList(const Place& place) : place_(place) {}
  const char* name() const override { return "lock-list"; }
  void listen() override {}
  std::set<std::string> hear() override {
    std::set<long> locked;
    std::istringstream lines(read_whole("/proc/locks"));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string number, kind, advisory, mode, pid, inode, last;
      long first = 0;
      words >> number >> kind >> advisory >> mode >> pid >> inode >> first >> last;
      for (long at = first; first >= kBase && at <= std::atol(last.c_str()); ++at)
        locked.insert(at);
    }
    std::set<std::string> found;
    for (size_t lane = 0; lane < place_.lanes; ++lane)
      found.merge(
          tokens_in(from_bits([&](size_t bit) { return locked.contains(place_of(lane, bit)); })));
    return found;
  }
  std::string send(const std::string& token) override {
    held_ = Fd(open("/export/locks", O_RDONLY | O_CLOEXEC));
    bool set = static_cast<bool>(held_);
    for_each_bit(token, [&](size_t bit) {
      struct flock lock = {};
      lock.l_type = F_RDLCK;
      lock.l_start = place_of(place_.lane, bit);
      lock.l_len = 1;
      set = set && fcntl(held_.get(), F_OFD_SETLK, &lock) == 0;
    });
    return outcome(set);
  }

 private:
  static constexpr long kBase = 1L << 40;  // out of the way of other locks
  static long place_of(size_t lane, size_t bit) {
    return kBase + static_cast<long>(lane * kTokenSize * 8 + bit);
  }

  Place place_;
  Fd held_;
};

// The same on nodes that every zone has.
class DeviceLocks : public FileLocks {
 public:
  using FileLocks::FileLocks;
  const char* name() const override { return "device-locks"; }
  void listen() override {}

 protected:
  std::vector<std::string> files() const override {
    return {"/dev/null", "/dev/zero", "/dev/full"};
  }
};

// Who watches a folder is told of what is opened in it (inotify(7)): the names of the opened files, in
// turn, are the token's characters.
class Notices : public Channel {
 public:
  explicit Notices(const Place& place) : place_(place), spelled_(place.lanes) {}
  const char* name() const override { return "file-notices"; }
  void listen() override {
    mkdir(kFolder, 0755);
    for (size_t lane = 0; lane < place_.lanes; ++lane)
      for (size_t turn = 0; turn < 2; ++turn)
        for (char c : kAlphabet) write_whole(std::string(kFolder) + "/" + file(lane, turn, c), "x");
    watch_ = Fd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    // Who exports may watch for changes alone.
    if (inotify_add_watch(watch_.get(), kFolder, IN_OPEN) < 0)
      inotify_add_watch(watch_.get(), kFolder, IN_MODIFY);
  }
  std::set<std::string> hear() override {
    std::string events = drain(watch_.get());
    for (size_t at = 0; at + sizeof(inotify_event) <= events.size();) {
      inotify_event event = {};
      std::memcpy(&event, events.data() + at, sizeof event);
      if (event.len != 0) note(events.data() + at + sizeof event);
      at += sizeof event + event.len;
    }
    std::set<std::string> found;
    for (const std::string& text : spelled_) found.merge(tokens_in(text));
    return found;
  }
  std::string send(const std::string& token) override {
    if (sent_) return "";
    sent_ = true;
    return tell_all(folders(), [this, &token](const std::string& folder) {
      bool opened = true;
      for (size_t i = 0; i < token.size(); ++i)
        opened = opened && touch(folder + "/watched/" + file(place_.lane, i % 2, token[i]));
      return opened;
    });
  }

 private:
  // Reads it, and writes to it where that is allowed.
  static bool touch(const std::string& path) {
    Fd fd(open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC));
    if (!fd) return !read_whole(path).empty();
    return write(fd.get(), "x", 1) == 1;
  }
  static constexpr const char* kFolder = "/export/watched";
  static constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  // Equal notices in a row are merged: names differ from turn to turn.
  static std::string file(size_t lane, size_t turn, char c) {
    return std::to_string(lane) + (turn == 0 ? "-even-" : "-odd-") + c;
  }
  void note(const std::string& name) {
    size_t lane = static_cast<size_t>(std::atoi(name.c_str()));
    if (lane < spelled_.size()) spelled_[lane] += name.back();
  }

  Place place_;
  Fd watch_;
  std::vector<std::string> spelled_;
  bool sent_ = false;
};

}  // namespace

void add_file_channels(Channels* channels, const Place& place) {
  channels->push_back(std::make_unique<Files>());
  channels->push_back(std::make_unique<FileNames>());
  channels->push_back(std::make_unique<Fifos>());
  channels->push_back(std::make_unique<PathSockets>());
  channels->push_back(std::make_unique<FileLocks>(place));
  channels->push_back(std::make_unique<DeviceLocks>(place));
  channels->push_back(std::make_unique<LockList>(place));
  channels->push_back(std::make_unique<PageCache>(place));
  channels->push_back(std::make_unique<Notices>(place));
}
