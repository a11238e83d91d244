#include "zoned/daemon/audit_log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "base/log.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "zoned/api/message.h"
#include "zoned/daemon/fault.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Status;
using nlohmann::ordered_json;

namespace {

constexpr size_t kMaxName = 128;  // a name is shorter; what is refused may be anything
constexpr size_t kMaxReason = 256;
constexpr size_t kMaxDetail = 1024;

int64_t now_ns() {
  constexpr int64_t kNsPerSecond = 1000000000;
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * kNsPerSecond + now.tv_nsec;
}

std::string cut(std::string_view text, size_t max) { return std::string(text.substr(0, max)); }

}  // namespace

Act act_of(std::string_view method) {
  static constexpr std::array<std::string_view, 3> kHalts = {"Halt", "Shutdown", "StopAll"};
  static constexpr std::array<std::string_view, 17> kLooks = {
      "List",     "Info",     "Stat",     "Events",     "Export",   "Verify",
      "PoolList", "NetList",  "PoolInfo", "NetInfo",    "NetPorts", "Host",
      "Audit",    "UserList", "LabelGet", "LabelTrees", "CopyList"};
  if (std::find(kHalts.begin(), kHalts.end(), method) != kHalts.end()) return Act::kHalt;
  if (method == "AuditAccept") return Act::kAccept;
  if (std::find(kLooks.begin(), kLooks.end(), method) != kLooks.end()) return Act::kLook;
  return Act::kChange;
}

std::string AuditLog::trouble() const {
  switch (state_) {
    case State::kDamaged:
      return damaged_.fault;
    case State::kAbsent:
    case State::kBroken:
      return error_.message;
    case State::kOpen:
      break;
  }
  return full_ ? "no space is left for records" : "";
}

base::Error AuditLog::explain(const base::Error& error) const {
  std::string what = "audit log " + base::quoted(file_ ? file_.path() : path_, 400) + ": ";
  if (state_ == State::kDamaged)
    return make_error(Code::kState, "audit log " + base::quoted(path_, 400) + ": " + damaged_.fault,
                      "nothing is changed until 'zone audit accept' sets that log aside; "
                      "'zone audit verify' tells more; zones can be halted");
  base::Error told = make_error(error.code, what + error.message);
  told.sys_errno = error.sys_errno;
  if (state_ == State::kBroken)
    told.hint = "mend the disk and start zoned again; zones go on meanwhile and can be halted";
  else if (error.code == Code::kNoSpace)
    told.hint = "free space on the file system of " + base::quoted(path_, 400) +
                "; zones can be halted meanwhile";
  else if (state_ == State::kAbsent)
    told.hint = "put it right, then try again; zones can be halted meanwhile";
  return told;
}

// What is to happen when `error` kept a record from being written.
Status AuditLog::not_written(const Decision& decision, const base::Error& error) {
  Act act = act_of(decision.method);
  if (act == Act::kLook && decision.allowed && decision.caller.uid == 0) return {};
  ++unwritten_refused_;
  arm(kRetry);
  base::Error told = explain(error);
  // Others must not learn what the host lacks.
  if (decision.caller.uid != 0)
    return make_error(Code::kIo, "zoned can't record this in its audit log",
                      "ask the host's administrator");
  return told;
}

ordered_json AuditLog::members_of(const Decision& decision) const {
  ordered_json members;
  members["uid"] = decision.caller.uid;
  members["pid"] = decision.caller.pid;
  members["clearance"] = decision.caller.rights.clearance.encode();
  members["clearance_name"] = options_.clearance_name_of(decision.caller.rights.clearance);
  members["method"] = cut(decision.method, kMaxName);
  members["verb"] = verb_name(decision.verb);
  if (!decision.zone.empty()) members["zone"] = cut(decision.zone, kMaxName);
  if (decision.object != nullptr) {
    members["label"] = decision.object->label.encode();
    members["label_name"] = options_.name_of(decision.object->label);
  }
  members["allowed"] = decision.allowed;
  if (!decision.reason.empty()) members["reason"] = cut(decision.reason, kMaxReason);
  if (!decision.detail.empty()) members["detail"] = cut(decision.detail, kMaxDetail);
  if (!decision.allowed || act_of(decision.method) == Act::kLook) return members;
  if (decision.object != nullptr) members["config"] = base::sha256_hex(decision.object->config);
  if (decision.given != nullptr) members["given"] = base::sha256_hex(api::to_text(*decision.given));
  return members;
}

Status AuditLog::record(const Decision& decision) {
  Act act = act_of(decision.method);
  bool others = decision.caller.uid != 0;
  auto now = base::EventLoop::Clock::now();
  bool refused = !decision.allowed;
  if ((refused && others && !refusals_.take(decision.caller.uid, now)) ||
      (!refused && act == Act::kLook && !looks_.take(decision.caller.uid, now))) {
    arm(kTick);
    if (state_ == State::kOpen && !full_) return {};
    return not_written(decision,
                       state_ == State::kOpen ? make_error(Code::kNoSpace, trouble()) : error_);
  }
  if (act == Act::kAccept && decision.allowed && !check()) return {};
  ordered_json members = members_of(decision);
  if (act == Act::kHalt && decision.allowed) return write_halt(members);
  if (act == Act::kLook) {
    Status written = write("decision", members);
    return written ? written : not_written(decision, written.error());
  }
  Status written = fault_point("audit.write.before");
  if (written) written = write("decision", members);
  if (written) written = fault_point("audit.write.after");
  return written ? written : not_written(decision, written.error());
}

void AuditLog::failed(const Caller& caller, std::string_view method, std::string_view zone,
                      const base::Error& error) {
  if (act_of(method) == Act::kLook) return;
  ordered_json members = {{"uid", caller.uid}, {"method", cut(method, kMaxName)}};
  if (!zone.empty()) members["zone"] = cut(zone, kMaxName);
  members["reason"] = cut(error.message, kMaxReason);
  base::log_ignored("audit log: a failure", write("failed", members));
}

Status AuditLog::write_halt(const ordered_json& members) {
  if (write("decision", members)) return {};
  Status written = state_ == State::kOpen ? append("decision", members, true)
                                          : Status(make_error(Code::kState, trouble()));
  if (written) return {};
  ++unwritten_halts_;
  arm(kRetry);
  base::log_error("not in the audit log (" + written.error().message +
                  "): " + members.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  return {};
}

Status AuditLog::write(std::string_view kind, const ordered_json& members) {
  if (state_ == State::kAbsent) TRY(open());
  if (state_ == State::kDamaged) return make_error(Code::kState, damaged_.fault);
  if (state_ == State::kBroken) return error_;
  Status written = write_owed();
  if (written && file_.size() >= options_.file_bytes) written = rotate();
  if (written) written = append(kind, members, false);
  full_ = !written && state_ == State::kOpen;
  return written;
}

// What could not be told before.
Status AuditLog::write_owed() {
  if (std::exchange(start_owed_, false)) {
    Status told = append("start", {{"pid", getpid()}, {"version", ZONED_VERSION}}, false);
    if (!told) {
      start_owed_ = true;
      return told;
    }
  }
  if (unwritten_halts_ == 0 && unwritten_refused_ == 0) return {};
  TRY(append("unwritten", {{"halts", unwritten_halts_}, {"refused", unwritten_refused_}}, false));
  unwritten_halts_ = 0;
  unwritten_refused_ = 0;
  return {};
}

Status AuditLog::append(std::string_view kind, const ordered_json& members, bool in_reserve,
                        std::string_view before) {
  TRY(check());
  std::string line = api::audit_line(head_, now_ns(), kind, members);
  Status written = file_.append(std::string(before) + line + "\n", in_reserve);
  if (!written) {
    if (!file_) {
      state_ = State::kBroken;
      error_ = written.error();
      release(written);
    }
    return written;
  }
  head_ = api::head_after(head_, line);
  arm(kTick);
  return {};
}

void AuditLog::settle(std::string_view method, Then then) {
  Act act = act_of(method);
  if (act == Act::kLook || state_ != State::kOpen || durable_.seq == head_.seq) return then({});
  Waiter waiter{next_waiter_++, head_.seq, act == Act::kHalt, 0, std::move(then)};
  if (waiter.halts)
    waiter.timer = loop_->after(kHaltPatience, [this, id = waiter.id] {
      auto late = std::find_if(waiters_.begin(), waiters_.end(),
                               [id](const Waiter& one) { return one.id == id; });
      if (late == waiters_.end()) return;
      Then go_on = std::move(late->then);
      waiters_.erase(late);
      base::log_warning("the disk is slow: halting before the audit record is on it");
      go_on({});
    });
  waiters_.push_back(std::move(waiter));
  start_sync();
}

void AuditLog::start_sync() {
  if (syncing_ || state_ != State::kOpen || durable_.seq == head_.seq) return;
  if (Status fault = waiters_.empty() ? Status() : fault_point("audit.sync.before"); !fault)
    return sync_failed(fault);
  syncing_ = true;
  sync_.start(file_.fd(), [this, target = head_](Status status) {
    syncing_ = false;
    if (status && !waiters_.empty()) status = fault_point("audit.sync.after");
    synced(target, status);
  });
}

void AuditLog::sync_failed(const Status& status) {
  if (state_ == State::kOpen) {
    state_ = State::kBroken;
    error_ = status.error();
    base::log_error(explain(error_).message);
  }
  release(status);
}

void AuditLog::synced(const api::AuditHead& target, const Status& status) {
  if (!status) return sync_failed(status);
  if (state_ != State::kOpen) return;
  if (target.seq > durable_.seq) {
    durable_ = target;
    base::log_ignored("audit log: note the head", store_head());
  }
  release({});
  if (!waiters_.empty()) start_sync();
}

// Lets go those whose record is on disk; all, when none will be any more.
void AuditLog::release(const Status& status) {
  while (!waiters_.empty() && (!status || waiters_.front().seq <= durable_.seq)) {
    Waiter waiter = std::move(waiters_.front());
    waiters_.pop_front();
    if (waiter.timer != 0) loop_->cancel(waiter.timer);
    waiter.then(status || waiter.halts ? Status() : Status(explain(status.error())));
  }
}

void AuditLog::arm(std::chrono::milliseconds delay) {
  if (timer_ != 0) return;
  timer_ = loop_->after(delay, [this] {
    timer_ = 0;
    tick();
  });
}

void AuditLog::tick() {
  auto now = base::EventLoop::Clock::now();
  auto tell = [&](AuditQuota* quota, const char* act) {
    if (!quota->any_left_out()) return;
    for (const AuditQuota::LeftOut& one : quota->left_out(now)) {
      ordered_json members = {{"act", act}, {"count", one.count}};
      if (one.uid != AuditQuota::kOthers) members["uid"] = one.uid;
      if (!write("left-out", members)) unwritten_refused_ += one.count;
    }
  };
  tell(&refusals_, "refusal");
  tell(&looks_, "look");
  if (unwritten_halts_ > 0 || unwritten_refused_ > 0) {
    if (state_ == State::kAbsent) base::log_ignored("audit log", open());
    if (state_ == State::kOpen) full_ = !write_owed();
  }
  if (full_ || state_ == State::kAbsent) arm(kRetry);
  if (state_ != State::kOpen) return;
  start_sync();
  if (noted_.seq != durable_.seq) {
    noted_ = durable_;
    if (options_.note) options_.note(noted_);
    sync_.start(head_file_.get(), [](const Status& status) {
      base::log_ignored("audit log: sync the head", status);
    });
  }
  if (durable_.seq != head_.seq) arm(kTick);
}

}  // namespace zoned
