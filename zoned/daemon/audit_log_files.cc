// Files of the audit log: opening, following one by the next, removing, setting aside, ending.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "zoned/daemon/audit_log.h"

namespace zoned {

using base::Code;
using base::Durability;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;

AuditLog::AuditLog(base::EventLoop* loop, std::string lib, Options options)
    : loop_(loop),
      path_(lib + "/audit"),
      lib_(std::move(lib)),
      options_(std::move(options)),
      sync_(loop) {
  Status opened = open();
  if (opened) opened = write_owed();
  full_ = !opened && state_ == State::kOpen;
  if (opened) {
    start_sync();
    return;
  }
  error_ = opened.error();
  base::Error told = explain(opened.error());
  base::log_error(told.message);
  if (!told.hint.empty()) base::log_error("hint: " + told.hint);
}

AuditLog::~AuditLog() {
  for (const Waiter& waiter : waiters_)
    if (waiter.timer != 0) loop_->cancel(waiter.timer);
  waiters_.clear();
  if (timer_ != 0) loop_->cancel(timer_);
  if (state_ != State::kOpen) return;
  base::log_ignored("audit log", write("stop", nlohmann::ordered_json::object()));
  base::log_ignored("audit log", sync_now());
  if (fdatasync(head_file_.get()) == 0 && options_.note) options_.note(durable_);
}

Status AuditLog::open() {
  auto opened = [&]() -> Status {
    TRY(open_dir());
    TRY_AS(AuditScan scan, scan_audit(dir_.get()));
    files_ = scan.files;
    if (!scan.fault.empty()) {
      damaged_ = std::move(scan);
      state_ = State::kDamaged;
      return make_error(Code::kState, damaged_.fault);
    }
    return begin(scan);
  }();
  if (!opened && state_ == State::kAbsent) error_ = opened.error();
  return opened;
}

Status AuditLog::open_dir() {
  TRY_AS(UniqueFd lib, base::open_at(AT_FDCWD, lib_, O_RDONLY | O_DIRECTORY));
  TRY_AS(dir_, base::make_dirs(lib.get(), "audit", 0700));
  return {};
}

Status AuditLog::begin(const AuditScan& scan) {
  if (!scan.noted) {
    TRY(base::replace_file(dir_.get(), kAuditHeadName, audit_head_text(scan.end),
                           Durability::kDisk));
  }
  head_ = durable_ = noted_ = scan.end;
  TRY(open_head());
  if (scan.files.empty()) {
    TRY(next_file());
  } else {
    TRY_AS(file_, AuditFile::open(dir_.get(), path_, api::audit_file_name(scan.files.back())));
    // A daemon that was killed may have left records that are on no disk yet.
    if (fdatasync(file_.fd()) != 0) return base::sys_error("fdatasync");
  }
  state_ = State::kOpen;
  if (scan.torn.empty()) return {};
  // The line ends here and the next record, written with that end, tells of it.
  nlohmann::ordered_json members = {{"bytes", scan.torn.size()},
                                    {"sha256", base::sha256_hex(scan.torn)}};
  Status mended = append("torn", members, true, "\n");
  if (mended) return {};
  state_ = State::kBroken;
  error_ = mended.error();
  return mended;
}

// Makes the file that follows the last one the one that is written.
Status AuditLog::next_file() {
  uint64_t number = files_.empty() ? 1 : files_.back() + 1;
  TRY_AS(file_, AuditFile::create(dir_.get(), path_, api::audit_file_name(number)));
  files_.push_back(number);
  return {};
}

Status AuditLog::rotate() {
  AuditFile before = std::move(file_);
  Status made = next_file();
  if (!made) {
    file_ = std::move(before);
    if (made.error().code == Code::kExists)
      return found_damaged(api::audit_file_name(files_.back() + 1) + ": made by another");
    return made.error().code == Code::kNoSpace ? Status() : made;
  }
  std::swap(before, file_);
  Status closed = append("rotated", nlohmann::ordered_json::object(), true);
  if (closed) closed = sync_now();
  if (!closed) {
    if (state_ != State::kOpen) return closed;
    state_ = State::kBroken;
    error_ = closed.error();
    return closed;
  }
  file_ = std::move(before);
  base::log_ignored("audit log: remove old files", prune());
  return {};
}

Status AuditLog::prune() {
  while (options_.keep > 0 && files_.size() > options_.keep + 1) {
    uint64_t number = files_.front();
    std::string name = api::audit_file_name(number);
    TRY_AS(api::AuditHead last, end_of_audit_file(dir_.get(), number));
    TRY(append("pruned", {{"file", name}, {"last", last.seq}, {"hash", last.hash}}, false));
    TRY(sync_now());
    if (unlinkat(dir_.get(), name.c_str(), 0) != 0) return base::sys_error("remove " + name);
    files_.erase(files_.begin());
  }
  return {};
}

// In place: at rotation and at the end only. Who waits is let go by the sync that is under way.
Status AuditLog::sync_now() {
  if (fdatasync(file_.fd()) != 0) return base::sys_error("fdatasync");
  durable_ = head_;
  return store_head();
}

Status AuditLog::store_head() {
  std::string text = audit_head_text(durable_);
  head_text_.clear();
  if (pwrite(head_file_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return base::sys_error("write the head");
  head_text_ = std::move(text);
  return {};
}

Status AuditLog::open_head() {
  TRY_AS(head_file_, base::open_at(dir_.get(), kAuditHeadName, O_RDWR | O_NOFOLLOW));
  head_text_ = read_head_text();
  return {};
}

std::string AuditLog::read_head_text() const {
  std::array<char, 256> text = {};
  ssize_t n = pread(head_file_.get(), text.data(), text.size(), 0);
  return {text.data(), n < 0 ? 0 : static_cast<size_t>(n)};
}

Result<UniqueFd> AuditLog::open_file(uint64_t number) const {
  if (std::find(files_.begin(), files_.end(), number) == files_.end())
    return make_error(Code::kNotFound, "audit file " + std::to_string(number) + ": no such file");
  return open_audit_file(dir_.get(), api::audit_file_name(number));
}

}  // namespace zoned
