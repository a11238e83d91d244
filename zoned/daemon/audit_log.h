// The audit log of an instance (zoned/api/audit_record.h): every decision is a record, in the chain and
// on disk before its effect.
//
// What waits for the disk: every change, every login, every refusal. Looks (act_of) are written at once and
// reach the disk with the next sync, within kTick. Refusals of others than root, and looks, are
// recorded up to a rate (zoned/daemon/audit_quota.h).
//
// When a record can't be written, the act is refused; root may still look. Halting always goes on: its
// records may use a reserve of space; what can't be recorded even so is counted, told in zoned's log, and
// recorded when that is possible again. A log that was tampered with is left as it is: nothing is changed
// until it is accepted, which sets it aside. Before each record the file that it goes to and the head are
// looked at: others may have removed, replaced or written to them.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/api/audit_record.h"
#include "zoned/daemon/audit_file.h"
#include "zoned/daemon/audit_quota.h"
#include "zoned/daemon/audit_scan.h"
#include "zoned/daemon/authorise.h"
#include "zoned/daemon/disk_sync.h"

namespace zoned {

class AuditLog : public AuditSink {
 public:
  static constexpr std::chrono::milliseconds kTick{1000};
  static constexpr std::chrono::milliseconds kRetry{10000};        // while something is unwritten
  static constexpr std::chrono::milliseconds kHaltPatience{1000};  // halting waits no longer

  struct Options {
    uint64_t file_bytes = 16 << 20;  // a file that is longer is followed by the next
    uint64_t keep = 0;               // files that are kept beside the last; 0: all
    std::function<std::string(const labels::Label&)> name_of;
    std::function<std::string(const labels::Label&)> clearance_name_of;
    // Tells the head elsewhere: at most once a tick, at start and at end.
    std::function<void(const api::AuditHead&)> note;
  };
  // lib: LIB. Whatever is wrong with the log, this object works, as told above.
  AuditLog(base::EventLoop* loop, std::string lib, Options options);
  ~AuditLog() override;

  base::Status record(const Decision& decision) override;
  void settle(std::string_view method, Then then) override;

  // Sets a damaged log aside and begins a new one with a record of that. The folder's path. kState:
  // there is no fault, or one that this does not mend.
  base::Result<std::string> accept(const Caller& caller);
  // What was allowed and recorded failed all the same: told when that is possible, waits for nothing.
  void failed(const Caller& caller, std::string_view method, std::string_view zone,
              const base::Error& error);
  // Looks at the log as before a record.
  base::Status check();

  // Of the last record written; of a damaged log what was noted.
  const api::AuditHead& head() const { return damaged_.noted ? *damaged_.noted : head_; }
  // Why nothing can be changed; empty: all is well.
  std::string trouble() const;
  bool damaged() const { return state_ == State::kDamaged; }
  const std::vector<uint64_t>& files() const { return files_; }
  base::Result<base::UniqueFd> open_file(uint64_t number) const;

 private:
  enum class State {
    kAbsent,  // could not be opened; tried again
    kOpen,
    kDamaged,  // until accepted
    kBroken,   // a sync failed: what is on disk is not known until the next start
  };
  struct Waiter {
    uint64_t id = 0;
    uint64_t seq = 0;
    bool halts = false;
    base::EventLoop::TimerId timer = 0;
    Then then;
  };

  base::Status open();
  base::Status open_dir();
  base::Status begin(const AuditScan& scan);
  base::Status next_file();
  base::Status rotate();
  base::Status prune();
  std::string find_fault() const;
  base::Status found_damaged(std::string fault);
  base::Status set_aside(int aside);
  base::Status save_written(int aside) const;
  // before: what ends a torn line.
  base::Status append(std::string_view kind, const nlohmann::ordered_json& members, bool in_reserve,
                      std::string_view before = {});
  base::Status write(std::string_view kind, const nlohmann::ordered_json& members);
  base::Status write_owed();
  base::Status sync_now();
  base::Status store_head();
  base::Status open_head();
  std::string read_head_text() const;
  nlohmann::ordered_json members_of(const Decision& decision) const;
  base::Status write_halt(const nlohmann::ordered_json& members);
  base::Status not_written(const Decision& decision, const base::Error& error);
  base::Error explain(const base::Error& error) const;
  void start_sync();
  void sync_failed(const base::Status& status);
  void synced(const api::AuditHead& target, const base::Status& status);
  void release(const base::Status& status);
  void arm(std::chrono::milliseconds delay);
  void tick();

  base::EventLoop* loop_;
  std::string path_;  // LIB/audit
  std::string lib_;
  Options options_;
  base::UniqueFd dir_;
  base::UniqueFd head_file_;
  std::string head_text_;  // what it holds; empty: not known
  AuditFile file_;
  std::vector<uint64_t> files_;
  DiskSync sync_;
  State state_ = State::kAbsent;
  base::Error error_;  // of kAbsent and kBroken
  AuditScan damaged_;
  api::AuditHead head_;     // written
  api::AuditHead durable_;  // on disk
  api::AuditHead noted_;    // told elsewhere
  bool syncing_ = false;
  std::deque<Waiter> waiters_;
  uint64_t next_waiter_ = 1;
  AuditQuota refusals_;
  AuditQuota looks_;
  uint64_t unwritten_halts_ = 0;
  uint64_t unwritten_refused_ = 0;
  bool start_owed_ = true;
  bool full_ = false;  // the last write found no room
  base::EventLoop::TimerId timer_ = 0;
};

// What a method does, for the audit.
enum class Act {
  kLook,
  kChange,
  kHalt,
  kAccept,  // of a damaged log: can't be recorded before it, and begins the new one
};
// kChange for all that is not known to be anything else.
Act act_of(std::string_view method);

}  // namespace zoned
