// An audit log that others changed: noticing it while zoned runs, setting it aside.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "zoned/daemon/audit_log.h"

namespace zoned {

using base::Code;
using base::Durability;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;

namespace {

constexpr size_t kMaxShown = 400;

// A folder for what is set aside.
std::string unused_name(int dir) {
  const std::string name = "damaged-" + std::to_string(time(nullptr));
  std::string unused = name;
  for (unsigned i = 2; base::exists_at(dir, unused); ++i) unused = name + "-" + std::to_string(i);
  return unused;
}

}  // namespace

std::string AuditLog::find_fault() const {
  constexpr const char* kWhile = " while zoned ran";
  if (!leads_to(AT_FDCWD, path_, dir_.get()))
    return "the folder was removed or replaced" + std::string(kWhile);
  std::string of_file = file_.fault(dir_.get());
  if (!of_file.empty()) return file_.name() + ": " + of_file + kWhile;
  const std::string head = std::string(kAuditHeadName) + ": ";
  if (!leads_to(dir_.get(), kAuditHeadName, head_file_.get()))
    return head + "was removed or replaced" + kWhile;
  if (head_text_.empty() || read_head_text() == head_text_) return {};
  return head + "was written to by another" + kWhile;
}

Status AuditLog::check() {
  if (state_ == State::kDamaged) return make_error(Code::kState, damaged_.fault);
  if (state_ == State::kAbsent) TRY(open());
  if (state_ != State::kOpen) return {};
  std::string fault = find_fault();
  return fault.empty() ? Status() : found_damaged(std::move(fault));
}

// Who waits for a record to be on disk waits in vain.
Status AuditLog::found_damaged(std::string fault) {
  damaged_ = {};
  damaged_.files = files_;
  if (auto there = list_audit_files(dir_.get()))
    for (uint64_t number : *there)
      if (files_.empty() || number > files_.back()) damaged_.files.push_back(number);
  damaged_.noted = damaged_.end = head_;
  damaged_.fault = std::move(fault);
  state_ = State::kDamaged;
  base::Error error = make_error(Code::kState, damaged_.fault);
  base::log_error(explain(error).message);
  if (options_.note && noted_.seq != head_.seq) options_.note(noted_ = head_);
  release(error);
  return error;
}

Result<std::string> AuditLog::accept(const Caller& caller) {
  static_cast<void>(check());
  if (state_ == State::kAbsent || state_ == State::kBroken) {
    base::Error told = explain(error_);
    return make_error(Code::kState, "no damaged records to accept: " + told.message, told.hint);
  }
  if (state_ != State::kDamaged)
    return make_error(Code::kState,
                      "audit log " + base::quoted(path_, kMaxShown) + " is in use and undamaged",
                      "a fault that 'zone audit verify' finds in older files stops nothing");
  TRY(open_dir());
  const std::string folder = unused_name(dir_.get());
  TRY_AS(UniqueFd aside, base::make_dirs(dir_.get(), folder, 0700));
  const AuditScan damaged = damaged_;
  uint64_t last = damaged.files.empty() ? 0 : damaged.files.back();
  // A chain that does not pass for the old one: numbers go on, behind whatever was noted.
  api::AuditHead after = damaged.end;
  if (damaged.noted && damaged.noted->seq >= after.seq) after = *damaged.noted;
  TRY(set_aside(aside.get()));
  TRY(base::replace_file(dir_.get(), kAuditHeadName, audit_head_text(after), Durability::kDisk));
  TRY(open_head());
  files_.assign(last > 0 ? 1 : 0, last);
  head_ = durable_ = noted_ = after;
  TRY(next_file());
  if (last > 0) files_.erase(files_.begin());
  state_ = State::kOpen;
  damaged_ = {};
  TRY(append(
      "accepted",
      {{"uid", caller.uid}, {"pid", caller.pid}, {"fault", damaged.fault}, {"folder", folder}},
      false));
  TRY(sync_now());
  return path_ + "/" + folder;
}

// The head last, and never away: without files and head it would be a first start.
Status AuditLog::set_aside(int aside) {
  TRY(save_written(aside));
  auto move = [&](const std::string& name) -> Status {
    if (renameat(dir_.get(), name.c_str(), aside, name.c_str()) == 0 || errno == ENOENT) return {};
    return base::sys_error("move " + base::quoted(name));
  };
  struct stat info = {};
  bool there = fstatat(dir_.get(), kAuditHeadName, &info, AT_SYMLINK_NOFOLLOW) == 0;
  // No file can take a folder's place.
  if (there && S_ISDIR(info.st_mode)) TRY(move(kAuditHeadName));
  for (uint64_t number : damaged_.files) TRY(move(api::audit_file_name(number)));
  if (there && !S_ISDIR(info.st_mode)) {
    if (linkat(dir_.get(), kAuditHeadName, aside, kAuditHeadName, 0) != 0)
      return base::sys_error("keep the head");
  } else if (damaged_.noted) {
    TRY(base::replace_file(aside, "head.noted", audit_head_text(*damaged_.noted),
                           Durability::kDisk));
  }
  return fsync(aside) == 0 ? Status() : base::sys_error("fsync");
}

// What we wrote to a file whose name is gone, as long as it is open.
Status AuditLog::save_written(int aside) const {
  if (!file_ || leads_to(dir_.get(), file_.name(), file_.fd())) return {};
  TRY_AS(UniqueFd again,
         base::open_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(file_.fd()), O_RDONLY));
  TRY_AS(std::string text, base::read_fd(again.get(), 2 * options_.file_bytes));
  return base::replace_file(aside, file_.name() + ".written", text, Durability::kDisk);
}

}  // namespace zoned
