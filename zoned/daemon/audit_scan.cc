#include "zoned/daemon/audit_scan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/strings.h"
#include "zoned/api/audit_check.h"

namespace zoned {

using api::AuditCheck;
using api::AuditHead;
using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;

namespace {

constexpr size_t kFilesChecked = 2;
constexpr size_t kHeadDigits = 20;

Status feed_file(int dir, const std::string& name, AuditCheck* check) {
  TRY_AS(UniqueFd file, open_audit_file(dir, name));
  check->begin_file(name);
  std::array<char, 65536> bytes = {};
  while (true) {
    ssize_t n = read(file.get(), bytes.data(), bytes.size());
    if (n < 0) return base::sys_error("read '" + name + "'");
    if (n == 0) break;
    check->feed({bytes.data(), static_cast<size_t>(n)});
  }
  check->end_file();
  return {};
}

Status read_head(int dir, AuditScan* scan) {
  const std::string place = std::string(kAuditHeadName) + ": ";
  auto file = open_audit_file(dir, kAuditHeadName);
  if (!file && file.error().code == Code::kNotFound) return {};
  if (!file && file.error().code != Code::kState) return std::move(file).error();
  scan->noted = AuditHead();
  if (!file) {
    scan->fault = file.error().message;
    return {};
  }
  TRY_AS(std::string text, base::read_fd(file->get()));
  auto head = AuditHead::parse(base::trim(text));
  if (head)
    scan->noted = *head;
  else
    scan->fault = place + head.error().message;
  return {};
}

std::string gap(const std::vector<uint64_t>& files) {
  for (size_t i = 1; i < files.size(); ++i)
    if (files[i] != files[i - 1] + 1)
      return api::audit_file_name(files[i - 1] + 1) + ": the file is missing";
  return "";
}

std::string absent(const AuditScan& scan) {
  if (scan.files.empty() && scan.noted && scan.noted->seq > 0)
    return "the files are missing: records up to " + std::to_string(scan.noted->seq) +
           " were noted";
  if (!scan.files.empty() && !scan.noted)
    return std::string(kAuditHeadName) + ": the file that notes the last record is missing";
  return gap(scan.files);
}

}  // namespace

std::string audit_head_text(const AuditHead& head) {
  std::string text = head.text();
  return std::string(kHeadDigits + 1 + api::kHashDigits - text.size(), '0') + text + "\n";
}

Result<std::vector<uint64_t>> list_audit_files(int dir) {
  std::vector<uint64_t> files;
  TRY_AS(auto names, base::list_dir(dir));
  for (const std::string& name : names)
    if (auto number = api::audit_file_number(name)) files.push_back(*number);
  std::sort(files.begin(), files.end());
  return files;
}

bool leads_to(int at, const std::string& name, int open) {
  struct stat ours = {};
  struct stat there = {};
  return fstat(open, &ours) == 0 && fstatat(at, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

Result<UniqueFd> open_audit_file(int dir, const std::string& name) {
  const base::Error not_regular = make_error(Code::kState, name + ": not a regular file");
  auto file = base::open_at(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file && file.error().sys_errno == ELOOP) return not_regular;
  if (!file) return file;
  struct stat info = {};
  if (fstat(file->get(), &info) != 0) return base::sys_error("fstat '" + name + "'");
  if (!S_ISREG(info.st_mode)) return not_regular;
  return file;
}

Result<AuditScan> scan_audit(int dir) {
  AuditScan scan;
  TRY_AS(scan.files, list_audit_files(dir));
  TRY(read_head(dir, &scan));
  std::vector<AuditHead> known;
  if (scan.noted) known.push_back(*scan.noted);
  AuditCheck check(known, false);
  size_t first = scan.files.size() - std::min(scan.files.size(), kFilesChecked);
  for (size_t i = first; i < scan.files.size(); ++i) {
    Status fed = feed_file(dir, api::audit_file_name(scan.files[i]), &check);
    if (!fed && fed.error().code != Code::kState) return std::move(fed).error();
    if (!fed && scan.fault.empty()) scan.fault = fed.error().message;
  }
  check.finish();
  scan.end = check.head();
  scan.torn = check.torn();
  if (scan.fault.empty()) scan.fault = absent(scan);
  if (scan.fault.empty() && !check.faults().empty())
    scan.fault = check.faults().front().place + ": " + check.faults().front().text;
  // A new log: zoned died between the head and the first record.
  if (scan.end.seq == 0 && scan.noted) scan.end = *scan.noted;
  return scan;
}

Result<AuditHead> end_of_audit_file(int dir, uint64_t number) {
  std::string name = api::audit_file_name(number);
  TRY_AS(UniqueFd file, open_audit_file(dir, name));
  struct stat info = {};
  if (fstat(file.get(), &info) != 0) return base::sys_error("fstat '" + name + "'");
  std::string tail(std::min(static_cast<size_t>(info.st_size), api::kMaxAuditLine + 1), '\0');
  ssize_t n =
      pread(file.get(), tail.data(), tail.size(), info.st_size - static_cast<off_t>(tail.size()));
  if (n != static_cast<ssize_t>(tail.size())) return base::sys_error("read '" + name + "'");
  if (tail.ends_with('\n')) tail.pop_back();
  std::string_view line = tail;
  size_t newline = line.rfind('\n');
  if (newline != std::string_view::npos) line.remove_prefix(newline + 1);
  auto prefix = api::audit_prefix(line);
  if (!prefix) return make_error(Code::kInvalid, "'" + name + "' does not end with a record");
  return api::head_after({prefix->seq - 1, ""}, line);
}

}  // namespace zoned
