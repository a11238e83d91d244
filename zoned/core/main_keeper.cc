// zone-keeper --root-run DIR --zones DIR --index N: becomes a daemon and returns once its socket answers.
// zone-keeper --state-fd N: taken over from a predecessor (Keeper::reexec).
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstring>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "zoned/core/keeper.h"

namespace {

using base::Result;
using base::Status;
using base::UniqueFd;
using nlohmann::json;

// zone-init lives beside us, or in libexec; zones run a sealed copy of it.
Result<UniqueFd> load_init() {
  constexpr size_t kMaxBytes = 4 << 20;
  TRY_AS(UniqueFd folder, []() -> Result<UniqueFd> {
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    if (n <= 0) return base::sys_error("readlink /proc/self/exe");
    std::string text(path, static_cast<size_t>(n));
    return base::open_at(AT_FDCWD, text.substr(0, text.rfind('/')), O_PATH | O_DIRECTORY);
  }());
  auto bytes = base::read_file(folder.get(), "zone-init", kMaxBytes);
  if (!bytes)
    return std::move(bytes)
        .error()
        .context("zone-init")
        .with_hint("install zone-init in the folder of zone-keeper");
  return base::sealed_memfd("zone-init", *bytes, true);
}

Result<UniqueFd> lock_index(int run, int index) {
  std::string name = "keeper-" + std::to_string(index) + ".pid";
  TRY_AS(UniqueFd lock, base::open_at(run, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return base::make_error(base::Code::kBusy, "keeper " + std::to_string(index) + " is running");
  return lock;
}

Result<core::KeeperSetup> fresh_setup(const std::string& run_dir, const std::string& zones,
                                      int index) {
  core::KeeperSetup setup;
  setup.run_dir = run_dir;
  setup.index = index;
  TRY_AS(UniqueFd run, base::open_at(AT_FDCWD, run_dir, O_RDONLY | O_DIRECTORY));
  TRY_AS(setup.zones, base::open_at(AT_FDCWD, zones, O_PATH | O_DIRECTORY));
  TRY_AS(setup.lock, lock_index(run.get(), index));
  TRY_AS(setup.init, load_init());
  TRY_AS(setup.listener,
         base::listen_unix(run.get(), "keeper-" + std::to_string(index) + ".sock", SOCK_SEQPACKET));
  return setup;
}

Status serve(core::KeeperSetup setup, const json* state) {
  std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(setup.lock.get(), 0) != 0) return base::sys_error("write the pid file");
  if (pwrite(setup.lock.get(), pid.data(), pid.size(), 0) < 0)
    return base::sys_error("write the pid file");
  // Refused without CAP_SYS_RESOURCE: zones' own scores are raised all the same.
  auto scored = base::write_value(AT_FDCWD, "/proc/self/oom_score_adj", "-900");
  if (!scored) base::log_debug(scored.error().message);
  TRY_AS(auto keeper, core::Keeper::create(std::move(setup)));
  if (state != nullptr) TRY(keeper->restore(*state));
  return keeper->run();
}

Status take_over(int fd) {
  constexpr size_t kMaxState = 64 << 20;
  UniqueFd file(fd);
  TRY_AS(std::string text, base::read_fd(file.get(), kMaxState));
  json state = json::parse(text, nullptr, false);
  file.reset();
  core::KeeperSetup setup;
  try {
    setup.run_dir = state.at("run_dir").get<std::string>();
    setup.index = state.at("index").get<int>();
    setup.lock.reset(state.at("lock").get<int>());
    setup.listener.reset(state.at("listener").get<int>());
    setup.zones.reset(state.at("zones_dir").get<int>());
  } catch (const json::exception& e) {
    return base::make_error(base::Code::kInternal, std::string("keeper's state: ") + e.what());
  }
  for (int inherited : {setup.lock.get(), setup.listener.get(), setup.zones.get()})
    if (fcntl(inherited, F_SETFD, FD_CLOEXEC) != 0) return base::sys_error("fcntl");
  TRY_AS(setup.init, load_init());
  return serve(std::move(setup), &state);
}

// The parent leaves when the socket listens.
Status start_daemon(const std::string& run_dir, const std::string& zones, int index) {
  TRY_AS(core::KeeperSetup setup, fresh_setup(run_dir, zones, index));
  pid_t pid = fork();
  if (pid < 0) return base::sys_error("fork");
  if (pid > 0) _exit(0);
  if (setsid() < 0) return base::sys_error("setsid");
  TRY_AS(UniqueFd null, base::open_at(AT_FDCWD, "/dev/null", O_RDWR));
  std::string log = run_dir + "/keeper-" + std::to_string(index) + ".log";
  TRY_AS(UniqueFd err,
         base::open_at(AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600));
  if (dup2(null.get(), 0) < 0 || dup2(null.get(), 1) < 0 || dup2(err.get(), 2) < 0)
    return base::sys_error("dup2");
  if (chdir("/") != 0) return base::sys_error("chdir");
  umask(022);
  return serve(std::move(setup), nullptr);
}

Status run(int argc, char** argv) {
  std::string run_dir;
  std::string zones;
  std::string index;
  std::string state;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view option = argv[i];
    if (option == "--root-run") run_dir = argv[i + 1];
    if (option == "--zones") zones = argv[i + 1];
    if (option == "--index") index = argv[i + 1];
    if (option == "--state-fd") state = argv[i + 1];
  }
  if (!state.empty()) {
    TRY_AS(uint64_t fd, base::parse_uint(state, 3, 1 << 20));
    return take_over(static_cast<int>(fd));
  }
  if (run_dir.empty() || zones.empty() || index.empty())
    return base::make_error(base::Code::kInvalid,
                            "usage: zone-keeper --root-run DIR --zones DIR --index N",
                            "zoned starts it; nobody else needs to");
  TRY_AS(uint64_t number, base::parse_uint(index, 0, 1023));
  return start_daemon(run_dir, zones, static_cast<int>(number));
}

}  // namespace

int main(int argc, char** argv) {
  base::set_log_program("zone-keeper");
  Status status = run(argc, argv);
  if (status) return 0;
  base::log_error(status.error().message);
  if (!status.error().hint.empty()) base::log_error("hint: " + status.error().hint);
  return 1;
}
