// zoned as a whole: puts the parts together, recovers, serves, ends.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "labels/encodings.h"
#include "zoned/api/paths.h"
#include "zoned/api/server.h"
#include "zoned/daemon/api.h"
#include "zoned/daemon/attempts.h"
#include "zoned/daemon/children.h"
#include "zoned/daemon/install_job.h"
#include "zoned/daemon/instance.h"
#include "zoned/daemon/keepers.h"
#include "zoned/daemon/name_service.h"
#include "zoned/daemon/prepared.h"
#include "zoned/daemon/read_down.h"
#include "zoned/daemon/recovery.h"
#include "zoned/daemon/runtime.h"
#include "zoned/daemon/settings.h"
#include "zoned/daemon/transfers.h"
#include "zoned/daemon/tree_labels.h"

namespace zoned {

class Daemon {
 public:
  enum class Task { kServe, kStop };
  // root: canonical, may be empty. Takes the lock and reads the state; serves nobody yet. kServe:
  // refuses label encodings with a fault, or under which a zone's stored label is invalid; ending zones
  // needs none.
  static base::Result<std::unique_ptr<Daemon>> create(const std::string& root, Task task);
  ~Daemon();

  // Recovers, then serves until told to end. on_ready: the socket answers.
  base::Status run(std::function<void()> on_ready);
  // As run(), but ends all zones once recovered instead of serving.
  base::Status run_to_stop();
  // run() ended because of an upgrade: the program is to be started again.
  bool upgrading() const { return upgrading_; }

 private:
  Daemon();
  base::Status build(const std::string& root, Task task);
  base::Status read_settings();
  base::Status read_encodings(Task task);
  base::Status read_state(Task task);
  void open_audit();
  void boot_name_service(Zone* zone);
  void open_read_down();
  base::Status open_keepers(const std::string& programs);
  base::Status start();

  // Recovery (daemon_recovery.cc).
  void on_keeper(unsigned index, const std::vector<core::ZoneRecord>& known);
  void keep(Zone* zone, const RecoveryAction& action);
  void adopt(Zone* zone);
  void on_stranger(pid_t pid, int status);
  void recovered_if_complete();
  void recovered();
  void sweep_cgroups();
  void remove_strays(const std::vector<resource::CgroupDriver::Found>& strays, unsigned attempt);
  void remove_old_cells();
  void autoboot();
  // What is left of autoboot: the last is next.
  struct BootQueue {
    std::vector<std::pair<uint32_t, std::string>> zones;  // boot-priority, name
    uint32_t priority = 0;                                // of those that boot now
    size_t booting = 0;
  };
  void boot_next(const std::shared_ptr<BootQueue>& queue);

  // End (daemon_stop.cc).
  void stop_all(Callback done);
  void end_zones(Callback done);
  void end_keepers(const Callback& done);
  void remove_traces(unsigned attempt, const Callback& done);
  void upgrade(const Callback& done);
  void stop_soon();

  base::Status serve();

  std::string root_;
  api::Paths paths_;
  std::unique_ptr<base::EventLoop> loop_;
  std::optional<labels::Encodings> encodings_;  // of ETC/label_encodings, else built-in
  std::string encodings_file_;                  // which of the two, for errors
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Users> users_;  // null when only stopping: nobody is served
  std::unique_ptr<Instance> instance_;
  core::HostFacts host_;
  std::unique_ptr<resource::CgroupDriver> cgroups_;
  std::unique_ptr<core::IdRegistry> ids_;
  core::IdRange parser_ids_;
  Children children_;
  std::unique_ptr<Parsers> parsers_;
  Events events_;
  std::unique_ptr<Keepers> keepers_;
  std::unique_ptr<Shares> shares_;
  std::unique_ptr<Networks> networks_;
  std::unique_ptr<Guests> guests_;
  std::unique_ptr<Prepared> prepared_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<NameService> names_;
  std::unique_ptr<ReadDown> read_down_;
  std::unique_ptr<TreeLabels> trees_;
  std::unique_ptr<Transfers> transfers_;
  std::unique_ptr<Installer> installer_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<Attempts> attempts_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<api::Server> server_;
  Parts parts_;
  std::function<void()> on_ready_;
  base::EventLoop::TimerId recovery_timer_ = 0;
  base::Status outcome_;
  uint64_t audit_keep_ = 0;
  size_t prepared_each_ = 0;
  bool two_person_ = false;
  bool recovered_ = false;
  unsigned missing_outputs_ = 0;  // asked of keepers
  bool stop_when_recovered_ = false;
  bool stopping_ = false;
  std::vector<Callback> stop_waiters_;
  std::optional<base::Status> stopped_;  // all, and this program ends
  bool upgrading_ = false;
};

}  // namespace zoned
