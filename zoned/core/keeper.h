// zone-keeper: parent of zones. Launches them, drains their output, reaps them and remembers how
// they ended until zoned says that it has noted it. Single-threaded; knows no policy. Protocol:
// keeper_protocol.h.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "base/unix_socket.h"
#include "zoned/core/keeper_protocol.h"
#include "zoned/core/mounts.h"
#include "zoned/core/output.h"

namespace core {

struct KeeperSetup {
  std::string run_dir;      // folder of sockets
  int index = 0;            // keeper-INDEX.sock
  base::UniqueFd lock;      // held for life: one keeper per index
  base::UniqueFd listener;  // listening SOCK_SEQPACKET
  base::UniqueFd zones;     // folder of zones' files: logs go to NAME/log
  base::UniqueFd init;      // zone-init as an executable sealed memfd
};

class Keeper {
 public:
  static base::Result<std::unique_ptr<Keeper>> create(KeeperSetup setup);
  ~Keeper();

  // Takes up what a predecessor left (see handle_reexec): zones, consoles, joined processes.
  base::Status restore(const nlohmann::json& state);
  // Serves until `quit`.
  base::Status run();

 private:
  using NamedFds = std::map<std::string, base::UniqueFd, std::less<>>;

  struct Zone {
    ZoneRecord record;
    base::UniqueFd output;       // log pipe or pty master
    base::UniqueFd status_pipe;  // Stdio::kClient
    base::UniqueFd pidfd;        // adopted zones only: others are our children
    base::UniqueFd
        start_calls;  // listener of a filter that has not narrowed yet (seccomp_unotify(2))
  };
  // A helper at work.
  struct Job {
    enum class Kind { kLaunch, kEnter, kMount, kPrepare };
    Kind kind = Kind::kLaunch;
    uint64_t connection = 0;
    int64_t request = 0;
    pid_t helper = 0;   // launcher, joiner, mounter, preparer
    pid_t passer = 0;   // the launcher's (namespaces.h)
    pid_t process = 0;  // what it cloned
    base::UniqueFd socket;
    Zone zone;                   // launch
    base::UniqueFd status_read;  // goes to the caller
    base::EventLoop::TimerId deadline = 0;
  };
  struct Connection {
    uint64_t id = 0;
    base::UniqueFd socket;
  };

  explicit Keeper(KeeperSetup setup, std::unique_ptr<base::EventLoop> loop);
  base::Status start();

  // Connections (keeper.cc).
  void accept_connections();
  void on_request(uint64_t connection);
  void drop_connection(uint64_t connection);
  void dispatch(uint64_t connection, const nlohmann::json& request, NamedFds fds);
  void reply(uint64_t connection, int64_t request, nlohmann::json body,
             const std::vector<int>& fds = {});
  void reply_error(uint64_t connection, int64_t request, const base::Error& error);
  void broadcast(const nlohmann::json& event);

  // Requests.
  nlohmann::json hello(const std::string& after);
  base::Status launch(uint64_t connection, const nlohmann::json& request, NamedFds fds);
  base::Status enter(uint64_t connection, const nlohmann::json& request, NamedFds fds);
  base::Status mount(uint64_t connection, const nlohmann::json& request);
  base::Status prepare(uint64_t connection, const nlohmann::json& request);
  base::Status signal_zone(const nlohmann::json& request);
  base::Status narrow(const std::string& zone);
  base::Result<base::UniqueFd> attach_console(const std::string& zone);
  base::Status adopt(const nlohmann::json& request, NamedFds fds);
  base::Status reexec(const std::string& binary);

  // Jobs (keeper_jobs.cc).
  base::Result<base::UniqueFd> pidfd_of(const std::string& zone, const std::string& boot_id);
  // Something is being started: not what is made ahead of boots.
  bool busy() const;
  base::Status watch_job(std::unique_ptr<Job> job);
  void on_job(Job* job);
  void helper_ended(Job* job);
  void on_word(Job* job, base::Message message);
  void job_ready(Job* job, std::vector<base::UniqueFd> fds);
  void abandon(Job* job, const base::Error& error);
  void job_failed(Job* job, const base::Error& error);
  void end_job(Job* job);
  base::Status watch_start_calls(int listener);

  // Children and output (keeper_zones.cc).
  void reap();
  void on_exit(pid_t pid, const ExitStatus& status);
  void zone_ended(Zone& zone, const ExitStatus& status);
  base::Status watch_zone(Zone& zone);
  void adopted_ended(const std::string& zone, const std::string& boot_id, unsigned attempt);
  void drain(const std::string& name);
  bool drain_once(Zone& zone);
  void close_output(Zone& zone);
  ConsoleHub& hub(const std::string& zone);
  Zone* find(const std::string& name);

  KeeperSetup setup_;
  std::unique_ptr<base::EventLoop> loop_;
  uint64_t next_connection_ = 1;
  std::map<uint64_t, Connection> connections_;
  std::map<std::string, Zone> zones_;
  std::map<std::string, std::unique_ptr<ConsoleHub>> hubs_;
  std::map<Job*, std::unique_ptr<Job>> jobs_;
  std::map<pid_t, base::UniqueFd> joined_;  // status pipes of processes that joined
  std::map<pid_t, ExitStatus> unclaimed_;   // ended before their job said who they are
};

}  // namespace core
