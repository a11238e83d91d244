#include "zoned/daemon/transfer_store.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "zoned/api/copy_stream.h"
#include "zoned/daemon/state.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using nlohmann::json;

namespace {

constexpr const char* kRecord = "record.json";
constexpr const char* kContent = "content";
constexpr uint64_t kFirstNumber = 100000;
constexpr uint64_t kNumbers = 900000;
constexpr std::array<std::string_view, 6> kStates = {"freezing", "frozen", "queued",
                                                     "writing",  "placed", "left"};

base::Error damaged(const char* member) {
  return make_error(Code::kIo, std::string("the record of a copy is damaged: ") + member);
}

uint64_t random_number() {
  uint64_t value = 0;
  // Short reads happen only before the pool is ready, which it is when a daemon runs.
  if (getrandom(&value, sizeof value, 0) != sizeof value) value = 0;
  return kFirstNumber + value % kNumbers;
}

}  // namespace

std::string_view transfer_stage_name(Transfer::Stage state) {
  return kStates.at(static_cast<size_t>(state));
}

std::string to_text(const Transfer& t) {
  json value = {{"version", 1},
                {"number", t.number},
                {"id", t.id},
                {"state", transfer_stage_name(t.state)},
                {"uid", t.uid},
                {"asked", t.asked},
                {"from", t.from},
                {"from_path", t.from_path},
                {"from_label", t.from_label.encode()},
                {"to", t.to},
                {"to_path", t.to_path},
                {"to_label", t.to_label.encode()},
                {"recursive", t.recursive},
                {"replace", t.replace},
                {"move", t.move},
                {"files", t.files},
                {"bytes", t.bytes},
                {"sha256", t.sha256},
                {"identity", t.identity}};
  return value.dump() + "\n";
}

Result<Transfer> transfer_from_text(std::string_view text) {
  json value = json::parse(text, nullptr, false);
  if (!value.is_object() || value.size() != 19) return damaged("members");
  for (const char* name : {"id", "state", "asked", "from", "from_path", "from_label", "to",
                           "to_path", "to_label", "sha256", "identity"})
    if (!value.contains(name) || !value[name].is_string()) return damaged(name);
  for (const char* name : {"version", "number", "uid", "files", "bytes"})
    if (!value.contains(name) || !value[name].is_number_unsigned()) return damaged(name);
  for (const char* name : {"recursive", "replace", "move"})
    if (!value.contains(name) || !value[name].is_boolean()) return damaged(name);
  Transfer t;
  auto state = std::find(kStates.begin(), kStates.end(), value["state"].get<std::string>());
  if (state == kStates.end()) return damaged("state");
  t.state = static_cast<Transfer::Stage>(state - kStates.begin());
  t.number = value["number"].get<uint64_t>();
  t.id = value["id"].get<std::string>();
  t.uid = value["uid"].get<uid_t>();
  t.asked = value["asked"].get<std::string>();
  t.from = value["from"].get<std::string>();
  t.from_path = value["from_path"].get<std::string>();
  t.to = value["to"].get<std::string>();
  t.to_path = value["to_path"].get<std::string>();
  TRY_AS(t.from_label, labels::Label::decode(value["from_label"].get<std::string>()));
  TRY_AS(t.to_label, labels::Label::decode(value["to_label"].get<std::string>()));
  t.recursive = value["recursive"].get<bool>();
  t.replace = value["replace"].get<bool>();
  t.move = value["move"].get<bool>();
  t.files = value["files"].get<uint64_t>();
  t.bytes = value["bytes"].get<uint64_t>();
  t.sha256 = value["sha256"].get<std::string>();
  t.identity = value["identity"].get<std::string>();
  TRY(base::check_name("zone", t.from));
  TRY(base::check_name("zone", t.to));
  TRY(check_zone_path(t.from_path));
  TRY(check_zone_path(t.to_path));
  return t;
}

Result<TransferStore> TransferStore::open(const std::string& lib) {
  TRY_AS(UniqueFd folder, base::make_dirs(AT_FDCWD, lib + "/transfers", 0700));
  return TransferStore(std::move(folder));
}

std::vector<Transfer> TransferStore::load() const {
  std::vector<Transfer> transfers;
  auto names = base::list_dir(folder_.get());
  if (!names) {
    base::log_error("copies: " + names.error().message);
    return transfers;
  }
  for (const std::string& name : *names) {
    auto transfer = [&]() -> Result<Transfer> {
      TRY_AS(std::string text, base::read_file(folder_.get(), name + "/" + kRecord));
      TRY_AS(Transfer read, transfer_from_text(text));
      if (std::to_string(read.number) != name) return damaged("number");
      return read;
    }();
    if (transfer) {
      transfers.push_back(*std::move(transfer));
      continue;
    }
    // Killed while it was being made: nothing has been written anywhere.
    base::log_ignored("copy " + base::quoted(name), base::remove_tree(folder_.get(), name));
  }
  return transfers;
}

Result<UniqueFd> TransferStore::create(Transfer* transfer) const {
  constexpr int kAttempts = 100;
  for (int i = 0; i < kAttempts; ++i) {
    transfer->number = random_number();
    const std::string name = std::to_string(transfer->number);
    if (mkdirat(folder_.get(), name.c_str(), 0700) == 0)
      return base::open_at(folder_.get(), name + "/" + kContent, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (errno != EEXIST) return base::sys_error("make a folder for the copy");
  }
  return make_error(Code::kNoSpace, "no number is free for the copy");
}

Status TransferStore::write(const Transfer& transfer) const {
  TRY_AS(UniqueFd folder, base::open_at(folder_.get(), std::to_string(transfer.number),
                                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY(base::replace_file(folder.get(), kRecord, to_text(transfer), base::Durability::kDisk));
  if (fsync(folder_.get()) != 0) return base::sys_error("sync the copies");
  return {};
}

Result<UniqueFd> TransferStore::content(const Transfer& transfer) const {
  return base::open_at(folder_.get(), std::to_string(transfer.number) + "/" + kContent,
                       O_RDONLY | O_NOFOLLOW);
}

Status TransferStore::drop_content(uint64_t number) const {
  const std::string name = std::to_string(number) + "/" + kContent;
  if (unlinkat(folder_.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return base::sys_error("remove the content");
  return {};
}

Status TransferStore::remove(uint64_t number) const {
  return base::remove_tree(folder_.get(), std::to_string(number));
}

Status check_zone_path(const std::string& path) {
  constexpr size_t kMaxShown = 200;
  std::string subject = "path " + base::quoted(path, kMaxShown);
  if (!path.starts_with('/') || path.size() >= PATH_MAX)
    return make_error(Code::kInvalid, subject + " is not absolute", "write ZONE:/PATH");
  std::vector<std::string> parts = base::split(path.substr(1), '/');
  for (const std::string& part : parts)
    if (!api::is_file_name(part))
      return make_error(Code::kInvalid, subject + " is not a plain path",
                        "without '.', '..', '//' and a '/' at its end");
  for (const char* name : {"dev", "proc", "sys", "run", "tmp", "zone"})
    if (parts[0] == name)
      return make_error(Code::kInvalid,
                        subject + ": what a zone sees in /" + name + " is not in its tree",
                        "name a place that lasts, such as /root or /srv");
  return {};
}

}  // namespace zoned
