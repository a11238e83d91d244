// zone vnc: a socket for VNC viewers, each of which is joined with a display connection of its own.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "base/files.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "cli/handlers.h"
#include "cli/terminal.h"

namespace cli {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;

constexpr size_t kMaxViewers = 16;
constexpr size_t kBuffer = size_t{64} << 10;  // each way

// The socket's place: PATH, or "vnc" in a folder that nobody else may enter. Gone at the end.
class Place {
 public:
  static base::Result<std::unique_ptr<Place>> create(std::string path) {
    auto place = std::make_unique<Place>();
    if (path.empty()) {
      const char* base_folder = getenv("XDG_RUNTIME_DIR");
      bool given = base_folder != nullptr && *base_folder == '/';
      std::string folder = std::string(given ? base_folder : "/tmp") + "/zone-vnc-XXXXXX";
      if (mkdtemp(folder.data()) == nullptr) return base::sys_error("make " + base::quoted(folder));
      place->folder_ = folder;
      path = folder + "/vnc";
    }
    if (base::exists_at(AT_FDCWD, path))
      return make_error(Code::kExists, base::quoted(path) + " exists already",
                        "remove it, or name another");
    TRY_AS(place->listener_, base::listen_unix(AT_FDCWD, path, SOCK_STREAM));
    place->path_ = path;
    return place;
  }
  ~Place() {
    if (!path_.empty()) unlink(path_.c_str());
    if (!folder_.empty()) rmdir(folder_.c_str());
  }
  Place() = default;
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  const std::string& path() const { return path_; }
  int listener() const { return listener_.get(); }

 private:
  std::string folder_;
  std::string path_;
  base::UniqueFd listener_;
};

// Bytes on their way from one socket to another.
class Flow {
 public:
  Flow(int from, int to) : from_(from), to_(to) {}

  pollfd source() const { return {held_.empty() ? from_ : -1, POLLIN, 0}; }
  pollfd target() const { return {held_.empty() ? -1 : to_, POLLOUT, 0}; }
  // False once either end has gone.
  bool move(bool readable, bool writable) {
    if (readable) {
      held_.resize(kBuffer);
      ssize_t n = read(from_, held_.data(), held_.size());
      held_.resize(n > 0 ? static_cast<size_t>(n) : 0);
      if (n == 0 || (n < 0 && !again())) return false;
      writable = n > 0;
    }
    if (!writable) return true;
    ssize_t n = write(to_, held_.data(), held_.size());
    if (n < 0) return again();
    held_.erase(0, static_cast<size_t>(n));
    return true;
  }

 private:
  static bool again() { return errno == EAGAIN || errno == EINTR; }
  int from_;
  int to_;
  std::string held_;
};

class Bridge {
 public:
  static constexpr size_t kSlots = 4;

  Bridge(base::UniqueFd viewer, base::UniqueFd display)
      : viewer_(std::move(viewer)), display_(std::move(display)) {
    for (int fd : {viewer_.get(), display_.get()}) fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  void watch(std::vector<pollfd>* polled) const {
    for (const Flow& flow : flows_) {
      polled->push_back(flow.source());
      polled->push_back(flow.target());
    }
  }
  // polled: the kSlots of watch(). False once it is over.
  bool move(const pollfd* polled) {
    for (size_t i = 0; i < flows_.size(); ++i)
      if (!flows_.at(i).move(polled[2 * i].revents != 0, polled[2 * i + 1].revents != 0))
        return false;
    return true;
  }

 private:
  base::UniqueFd viewer_;
  base::UniqueFd display_;
  std::array<Flow, 2> flows_ = {Flow(viewer_.get(), display_.get()),
                                Flow(display_.get(), viewer_.get())};
};

class Viewers {
 public:
  Viewers(const Context& context, std::string zone, int listener, const Signals& signals)
      : context_(context), zone_(std::move(zone)), listener_(listener), signals_(signals) {}

  // Until a signal comes.
  base::Status serve() {
    while (true) {
      bool room = bridges_.size() < kMaxViewers;
      std::vector<pollfd> polled = {{signals_.fd(), POLLIN, 0}, {room ? listener_ : -1, POLLIN, 0}};
      constexpr size_t kOwn = 2;
      for (const auto& bridge : bridges_) bridge->watch(&polled);
      if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR)
        return base::sys_error("poll");
      if (signals_.take() != 0) return {};
      for (size_t i = bridges_.size(); i-- > 0;)
        if (!bridges_[i]->move(&polled[kOwn + i * Bridge::kSlots]))
          bridges_.erase(bridges_.begin() + static_cast<ptrdiff_t>(i));
      if (polled[1].revents != 0) admit();
    }
  }

 private:
  void admit() {
    base::UniqueFd viewer(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
    if (!viewer) return;
    auto peer = base::peer_of(viewer.get());
    if (!peer || (peer->uid != geteuid() && peer->uid != 0)) return;
    auto display = open_display(context_, zone_);
    if (!display) return print_error(context_, display.error());
    bridges_.push_back(std::make_unique<Bridge>(std::move(viewer), std::move(display->socket)));
  }

  const Context& context_;
  std::string zone_;
  int listener_;
  const Signals& signals_;
  std::vector<std::unique_ptr<Bridge>> bridges_;
};

}  // namespace

base::Result<int> vnc(const Context& context, const Arguments& arguments) {
  const std::string& name = arguments.words[0];
  // Refused here what would be refused to every viewer.
  TRY(open_display(context, name));
  TRY_AS(Signals signals, Signals::block({SIGINT, SIGTERM, SIGHUP, SIGQUIT}));
  TRY_AS(auto place, Place::create(arguments.value("socket")));
  if (context.json) {
    print_json({{"name", name}, {"socket", place->path()}});
  } else {
    print(place->path() + "\n");
  }
  fflush(stdout);
  note(context, "VNC viewers may connect to this socket; ^C ends it");
  TRY(Viewers(context, name, place->listener(), signals).serve());
  return 0;
}

}  // namespace cli
