#include "zoned/daemon/transfers.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "zoned/daemon/tree_labels.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using Stage = Transfer::Stage;
using Warnings = std::vector<std::string>;

namespace {

constexpr size_t kIdDigits = 16;

std::string subject(const std::string& zone) { return "zone " + base::quoted(zone); }

base::Error not_there(uint64_t number) {
  return make_error(Code::kNotFound, "copy " + std::to_string(number) + ": no such copy",
                    "'zone copy list' shows those that wait");
}

// Of a whole file of ours.
Result<std::string> sha256_of(int fd) {
  struct stat st = {};
  if (fstat(fd, &st) != 0) return base::sys_error("stat the copy");
  auto size = static_cast<size_t>(st.st_size);
  if (size == 0) return make_error(Code::kIo, "the copy is empty");
  void* bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED) return base::sys_error("map the copy");
  std::string hash = base::sha256_hex({static_cast<const char*>(bytes), size});
  munmap(bytes, size);
  return hash;
}

// "packed FILES BYTES IDENTITY": the job is confined, not trusted.
Status take_packed(std::string_view line, Transfer* transfer) {
  constexpr size_t kMaxIdentity = 100;
  std::vector<std::string> words = base::split(line, ' ');
  if (words.size() != 4 || words[3].size() > kMaxIdentity ||
      words[3].find_first_not_of("0123456789:.") != std::string::npos)
    return make_error(Code::kIo, "the packing job said " + base::quoted(line, 200));
  TRY_AS(transfer->files, base::parse_uint(words[1], 1, INT64_MAX));
  TRY_AS(transfer->bytes, base::parse_uint(words[2], 0, INT64_MAX));
  transfer->identity = words[3];
  return {};
}

}  // namespace

Result<std::unique_ptr<Transfers>> Transfers::open(const Parts& parts, std::string program) {
  TRY_AS(TransferStore store, TransferStore::open(parts.registry->paths().lib));
  std::unique_ptr<Transfers> transfers(new Transfers(parts, std::move(store), std::move(program)));
  transfers->load();
  return transfers;
}

Result<Zone*> Transfers::zone_of(const std::string& name, const labels::Label* label) const {
  TRY_AS(Zone * zone, parts_.registry->get(name));
  if (is_vm(*zone))
    return make_error(Code::kUnsupported, subject(name) + " is a vm zone: it has no tree of files",
                      "copy by a network between zones of one label");
  if (zone->ephemeral || is_service(*zone))
    return make_error(Code::kState, subject(name) + " has no tree that lasts");
  if (zone->file.state != State::kInstalled)
    return make_error(Code::kState, subject(name) + " is not installed");
  if (zone->job) return make_error(Code::kBusy, subject(name) + " is being installed or removed");
  if (label != nullptr && zone->label != *label)
    return make_error(Code::kState, subject(name) + " is another zone by now");
  return zone;
}

Status Transfers::check(Transfer* wanted) const {
  auto check_side = [&](const std::string& name, const std::string& path,
                        labels::Label* label) -> Status {
    TRY_AS(Zone * zone, zone_of(name, nullptr));
    Status plain = check_zone_path(path);
    if (!plain) return std::move(plain).error().context(subject(name));
    for (const core::FsSpec& fs : zone->spec.fs)
      if (path == fs.dir || path.starts_with(fs.dir + "/"))
        return make_error(Code::kInvalid, subject(name) + ": " + base::quoted(path, 200) +
                                              " is not in its tree but in the host's " +
                                              base::quoted(fs.special, 200));
    *label = zone->label;
    return {};
  };
  TRY(check_side(wanted->from, wanted->from_path, &wanted->from_label));
  TRY(check_side(wanted->to, wanted->to_path, &wanted->to_label));
  if (wanted->from == wanted->to)
    return make_error(Code::kInvalid, "one zone is both ends",
                      "inside of a zone: zone exec " + wanted->from + " cp ...");
  return check_room(*wanted);
}

Status Transfers::check_room(const Transfer& wanted) const {
  size_t of_user = 0;
  size_t left = 0;
  std::vector<const Transfer*> of_zone;  // left in it
  for (const auto& [number, transfer] : transfers_) {
    bool is_left = transfer.state == Stage::kLeft;
    left += is_left ? 1 : 0;
    if (!is_left && transfer.uid == wanted.uid) ++of_user;
    if (is_left && transfer.to == wanted.to) of_zone.push_back(&transfer);
  }
  bool many = wanted.uid != 0 && of_user >= kMaxOfUser;
  if (many || transfers_.size() - left >= kMaxTransfers)
    return make_error(Code::kBusy, "too many copies wait", "'zone copy list' shows them");
  if (of_zone.size() < kMaxLeftOfZone) return {};
  const std::string path = base::quoted(of_zone.front()->to_path, 200);
  return make_error(Code::kBusy,
                    subject(wanted.to) + ": " + std::to_string(of_zone.size()) +
                        " copies that failed can't be taken back, such as that to " + path,
                    "make the folders above these paths what they were, or remove what stands in "
                    "their place; the next copy tries again");
}

Result<JobLauncher::LaunchPtr> Transfers::launch(const Transfer& transfer, bool source, int content,
                                                 core::TransferSpec spec, bool talks,
                                                 OnLine on_line, Outcome ended) {
  const std::string& name = source ? transfer.from : transfer.to;
  const labels::Label& label = source ? transfer.from_label : transfer.to_label;
  TRY_AS(Zone * zone, zone_of(name, &label));
  JobLauncher::Request request;
  // A cgroup of its own beside the zone's, in its pool.
  request.name = "copy-" + random_id().substr(0, kIdDigits);
  request.pool = zone->spec.pool;
  request.label = label;
  request.program = program_;
  request.target = parts_.registry->paths().lib + "/zones/" + name + "/root";
  request.plan = [spec = std::move(spec)](const core::JobRequest& wanted) {
    return Result<core::InstallJob>(
        core::plan_transfer(wanted, core::detect_install_facts(), spec));
  };
  if (content >= 0) request.passed.emplace_back("content", content);
  request.talks = talks;
  request.on_line = std::move(on_line);
  request.ended = std::move(ended);
  return launcher_.launch(std::move(request));
}

Status Transfers::set_state(Transfer* transfer, Stage state) {
  transfer->state = state;
  return store_.write(*transfer);
}

// --- freezing ------------------------------------------------------------------------------------

void Transfers::freeze(Transfer wanted, OnFrozen done) {
  const std::string to = wanted.to;
  take_back(
      to, [this, wanted = std::move(wanted), done = std::move(done)] { freeze_now(wanted, done); });
}

void Transfers::freeze_now(Transfer wanted, const OnFrozen& done) {
  wanted.id = random_id().substr(0, kIdDigits);
  auto begin = [&]() -> Status {
    TRY(check(&wanted));
    TRY_AS(UniqueFd content, store_.create(&wanted));
    uint64_t number = wanted.number;
    Transfer& transfer = transfers_[number] = wanted;
    TRY(set_state(&transfer, Stage::kFreezing));
    core::TransferSpec spec;
    spec.words = {"pack"};
    if (transfer.recursive) spec.words.emplace_back("-r");
    if (transfer.move) spec.words.emplace_back("-x");
    spec.words.push_back(transfer.from_path);
    spec.max_bytes = kMaxBytes;
    auto said = std::make_shared<std::string>();
    auto on_line = [said](std::string_view line) {
      if (line.starts_with("packed ")) *said = line;
    };
    auto ended = [this, number, done, said](Result<Warnings> warnings) {
      Status ready;
      if (!warnings)
        ready = std::move(warnings).error().context(subject(transfers_.at(number).from));
      else
        ready = take_packed(*said, &transfers_.at(number));
      if (ready) return hash(number, done);
      forget(number);
      done(std::move(ready).error());
    };
    TRY_AS(auto launched, launch(transfer, true, content.get(), std::move(spec), false,
                                 std::move(on_line), std::move(ended)));
    return {};
  };
  Status begun = begin();
  if (begun) return;
  if (wanted.number != 0) forget(wanted.number);
  done(std::move(begun).error());
}

// In a child: a large content would hold up everybody.
void Transfers::hash(uint64_t number, OnFrozen done) {
  auto begin = [&]() -> Status {
    TRY_AS(UniqueFd content, store_.content(transfers_.at(number)));
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return base::sys_error("pipe");
    auto read_end = std::make_shared<UniqueFd>(ends[0]);
    UniqueFd write_end(ends[1]);
    int in = content.get();
    int out = write_end.get();
    auto work = [in, out] {
      if (fsync(in) != 0) return 1;
      auto text = sha256_of(in);
      return text && base::write_all(out, *text) ? 0 : 1;
    };
    TRY_AS(pid_t child, parts_.children->run({in, out}, work, [=, this](int status) {
      constexpr size_t kDigits = 64;
      auto text = base::read_fd(read_end->get(), kDigits);
      Transfer& transfer = transfers_.at(number);
      Status frozen = make_error(Code::kIo, "the copy could not be hashed");
      if (status == 0 && text && text->size() == kDigits) {
        transfer.sha256 = *text;
        frozen = set_state(&transfer, Stage::kFrozen);
      }
      if (!frozen) {
        forget(number);
        return done(std::move(frozen).error());
      }
      timers_[number] = parts_.loop->after(kPatience, [this, number] { forget(number); });
      done(&transfer);
    }));
    static_cast<void>(child);
    return {};
  };
  Status begun = begin();
  if (begun) return;
  forget(number);
  done(std::move(begun).error());
}

// --- writing -------------------------------------------------------------------------------------

void Transfers::go_on(uint64_t number, Callback done) {
  auto found = transfers_.find(number);
  auto begin = [&]() -> Status {
    if (found == transfers_.end()) return not_there(number);
    Transfer& transfer = found->second;
    if (transfer.state != Stage::kFrozen && transfer.state != Stage::kQueued)
      return make_error(Code::kState, "copy " + std::to_string(number) + " is under way");
    TRY_AS(Zone * from, zone_of(transfer.from, &transfer.from_label));
    TRY_AS(Zone * to, zone_of(transfer.to, &transfer.to_label));
    static_cast<void>(from);
    static_cast<void>(to);
    return set_state(&transfer, Stage::kWriting);
  };
  if (Status begun = begin(); !begun) return done(std::move(begun));
  if (auto timer = timers_.extract(number)) parts_.loop->cancel(timer.mapped());
  if (found->second.move) return hold(number, std::move(done));
  place(number, [this, number, done](Status placed, bool left) {
    if (!placed && left) return give_up(number, std::move(placed).error(), done);
    finish(number, std::move(placed), done);
  });
}

void Transfers::place(uint64_t number, Placed done) {
  const Transfer& transfer = transfers_.at(number);
  auto begin = [&]() -> Status {
    TRY_AS(UniqueFd content, store_.content(transfer));
    core::TransferSpec spec;
    spec.words = {"place"};
    if (transfer.replace) spec.words.emplace_back("-f");
    spec.words.insert(spec.words.end(), {transfer.to_path, transfer.temporary()});
    spec.read_only = false;
    auto left = std::make_shared<bool>(true);
    auto on_line = [left](std::string_view line) { *left = *left && line != "nothing left"; };
    TRY_AS(auto launched,
           launch(transfer, false, content.get(), std::move(spec), false, std::move(on_line),
                  [done, left, to = transfer.to](Result<Warnings> warnings) {
                    if (warnings) return done({}, true);
                    done(std::move(warnings).error().context(subject(to)), *left);
                  }));
    return {};
  };
  if (Status begun = begin(); !begun) done(std::move(begun), false);
}

// What happens at the source and at the target of a moved file, in either order.
struct Transfers::Move {
  JobLauncher::LaunchPtr source;
  bool tried = false;  // to write the target
  bool left = false;   // something of it may be there
  bool placing = false;
  bool ended = false;  // the source's job
  Status result;       // of the source's job; before that, why the target was not written
};

void Transfers::hold(uint64_t number, Callback done) {
  auto move = std::make_shared<Move>();
  const Transfer& transfer = transfers_.at(number);
  auto over = [this, number, move, done] {
    if (move->left && !move->result) return give_up(number, move->result.error(), done);
    finish(number, move->result, done);
  };
  auto on_placed = [this, number, move, over](Status placed, bool left) {
    move->placing = false;
    move->left = left;
    if (placed) placed = set_state(&transfers_.at(number), Stage::kPlaced);
    if (!placed && !move->ended) move->result = std::move(placed);
    if (move->ended) return over();
    base::log_ignored("moving job", launcher_.say(move->source.get(), move->result ? "go" : ""));
  };
  auto on_line = [this, number, move, on_placed](std::string_view line) {
    if (line != "held" || std::exchange(move->tried, true)) return;
    move->placing = true;
    place(number, on_placed);
  };
  auto ended = [move, over, from = transfer.from](Result<Warnings> warnings) {
    move->ended = true;
    if (!warnings && move->result)
      move->result = std::move(warnings).error().context(subject(from));
    if (!move->placing) over();
  };
  core::TransferSpec spec;
  spec.words = {"take", transfer.from_path, transfer.identity};
  spec.read_only = false;
  spec.content = false;
  auto launched = launch(transfer, true, -1, std::move(spec), true, on_line, ended);
  if (!launched) return finish(number, Status(std::move(launched).error()), done);
  move->source = *std::move(launched);
}

void Transfers::finish(uint64_t number, Status status, const Callback& done) {
  tell(transfers_.at(number), status.ok());
  forget(number);
  done(std::move(status));
}

void Transfers::tell(const Transfer& transfer, bool whole) {
  const std::string kind = transfer.move ? "relabel" : "copy";
  for (const std::string& zone : {transfer.from, transfer.to})
    parts_.events->emit(zone, whole ? kind : kind + "-failed", transfer.text());
}

// --- waiting -------------------------------------------------------------------------------------

Status Transfers::queue(uint64_t number) {
  auto found = transfers_.find(number);
  if (found == transfers_.end() || found->second.state != Stage::kFrozen) return not_there(number);
  TRY(set_state(&found->second, Stage::kQueued));
  if (auto timer = timers_.extract(number)) parts_.loop->cancel(timer.mapped());
  return {};
}

Status Transfers::drop(uint64_t number) {
  if (find(number) == nullptr) return not_there(number);
  forget(number);
  return {};
}

void Transfers::forget(uint64_t number) {
  transfers_.erase(number);
  if (auto timer = timers_.extract(number)) parts_.loop->cancel(timer.mapped());
  base::log_ignored("copy " + std::to_string(number), store_.remove(number));
}

const Transfer* Transfers::find(uint64_t number) const {
  auto found = transfers_.find(number);
  if (found == transfers_.end()) return nullptr;
  Stage state = found->second.state;
  return state == Stage::kFrozen || state == Stage::kQueued ? &found->second : nullptr;
}

bool Transfers::under_way() const {
  return !taking_back_.empty() ||
         std::any_of(transfers_.begin(), transfers_.end(), [this](const auto& item) {
           return item.second.state != Stage::kLeft && find(item.first) == nullptr;
         });
}

std::vector<const Transfer*> Transfers::all() const {
  std::vector<const Transfer*> waiting;
  for (const auto& [number, transfer] : transfers_)
    if (find(number) != nullptr) waiting.push_back(&transfer);
  return waiting;
}

Result<UniqueFd> Transfers::content(const Transfer& transfer) const {
  return store_.content(transfer);
}

}  // namespace zoned
