#include "zoned/daemon/guests.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "vmzone/closure.h"
#include "vmzone/install.h"
#include "vmzone/vm_folder.h"
#include "zoned/core/mounts.h"
#include "zoned/core/output.h"
#include "zoned/daemon/host_object.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using std::chrono::milliseconds;

struct Guests::ImagePlace {
  int folder;  // the zone's vm/
  const labels::Label& label;
  const labels::Encodings& encodings;
};

Guests::ImagePlace Guests::place_of(const Zone& zone, const UniqueFd& folder) const {
  return {folder.get(), zone.label, registry_->encodings()};
}

namespace {

constexpr milliseconds kRetryFirst{100};
constexpr milliseconds kRetryLast{5000};
constexpr std::chrono::minutes kTellEvery{1};  // of one kind, of one guest

std::string subject(const std::string& zone) { return "zone " + base::quoted(zone); }
std::string socket_name(const std::string& zone) { return "zones/" + zone + ".qmp"; }

Result<vmzone::DiskImage> look_at(int fd) {
  struct stat st = {};
  if (fstat(fd, &st) != 0) return base::sys_error("stat");
  std::string head(std::min<uint64_t>(vmzone::kImageHeadBytes, static_cast<uint64_t>(st.st_size)),
                   '\0');
  size_t have = 0;
  while (have < head.size()) {
    ssize_t n = pread(fd, head.data() + have, head.size() - have, static_cast<off_t>(have));
    if (n < 0) return base::sys_error("read");
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  head.resize(have);
  return vmzone::inspect_image(head, static_cast<uint64_t>(st.st_size));
}

// An image in the zone's folder has its label; one of the host's has its own.
struct Image {
  UniqueFd fd;
  bool lower = false;  // of a label that the zone's strictly dominates
};

Result<Image> open_image(const Guests::ImagePlace& place, const std::string& path, bool read_only) {
  int flags = (read_only ? O_RDONLY : O_RDWR) | O_NONBLOCK;
  Image image;
  auto open = [&]() -> Status {
    if (!path.starts_with('/')) {
      auto fd = base::open_at(place.folder, path, flags | O_NOFOLLOW);
      if (!fd) return std::move(fd).error().with_hint("it is looked for in the zone's folder vm/");
      image.fd = *std::move(fd);
      return {};
    }
    TRY_AS(HostObject object, open_host_object(path));
    TRY(check_use(object, place.label, read_only ? Use::kRead : Use::kWrite, place.encodings));
    image.lower = object.label != place.label;
    TRY_AS(image.fd,
           base::open_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(object.fd.get()), flags));
    return {};
  };
  if (Status opened = open(); !opened) {
    if (!opened.error().hint.empty() || !path.starts_with('/')) return std::move(opened).error();
    return std::move(opened).error().with_hint("the path is the host's");
  }
  struct stat st = {};
  if (fstat(image.fd.get(), &st) != 0) return base::sys_error("stat");
  if (!S_ISREG(st.st_mode))
    return make_error(Code::kUnsupported, "not a regular file", "give an image file");
  return image;
}

// What the file may come to.
Result<uint64_t> most_bytes(const Guests::ImagePlace& place, const std::string& path,
                            bool read_only, vmzone::DiskFormat format) {
  TRY_AS(Image opened, open_image(place, path, read_only));
  const UniqueFd& fd = opened.fd;
  if (format == vmzone::DiskFormat::kQcow2) {
    TRY_AS(vmzone::DiskImage image, look_at(fd.get()));
    return vmzone::largest_qcow2(image.virtual_size);
  }
  struct stat st = {};
  if (fstat(fd.get(), &st) != 0) return base::sys_error("stat");
  return static_cast<uint64_t>(st.st_size);
}

}  // namespace

Guests::Guests(base::EventLoop* loop, Registry* registry, Keepers* keepers, Events* events)
    : loop_(loop),
      registry_(registry),
      keepers_(keepers),
      events_(events),
      kvm_(vmzone::detect_kvm()) {}

Guests::~Guests() = default;

// --- what goes into a cell -----------------------------------------------------------------------

Result<std::map<std::string, vmzone::DiskFormat>> Guests::formats(
    const ImagePlace& place, const core::ZoneSpec& spec, const vmzone::Hardware& known) const {
  std::map<std::string, vmzone::DiskFormat> formats;
  for (size_t i = 0; i < spec.disk.size(); ++i) {
    const core::DiskSpec& disk = spec.disk[i];
    std::string id = vmzone::disk_id(spec, i);
    bool pinned = std::any_of(known.disks.begin(), known.disks.end(),
                              [&id](const vmzone::PinnedDisk& item) { return item.id == id; });
    if (disk.path.empty() || disk.media == "cd" || pinned) continue;
    auto image = [&]() -> Result<vmzone::DiskImage> {
      TRY_AS(Image opened, open_image(place, disk.path, disk.read_only));
      return look_at(opened.fd.get());
    }();
    if (!image) return std::move(image).error().context("disk " + base::quoted(disk.path));
    formats[id] = image->format;
  }
  return formats;
}

Result<vmzone::Hardware> Guests::hardware(const Zone& zone, const core::ZoneSpec& spec, bool keep) {
  TRY_AS(UniqueFd folder, registry_->vm_dir(zone.name));
  TRY_AS(std::string text, base::read_file(folder.get(), vmzone::kHardwareFile));
  TRY_AS(vmzone::Hardware known, vmzone::parse_hardware(text));
  TRY_AS(auto images, formats(place_of(zone, folder), spec, known));
  TRY_AS(vmzone::Hardware pinned, vmzone::pin_hardware(known, spec, images));
  if (keep && pinned != known)
    TRY(base::replace_file(folder.get(), vmzone::kHardwareFile, vmzone::format_hardware(pinned),
                           base::Durability::kDisk));
  return pinned;
}

Result<uint64_t> Guests::largest_file(const Zone& zone, const core::ZoneSpec& spec,
                                      const vmzone::Hardware& hardware) const {
  TRY_AS(UniqueFd folder, registry_->vm_dir(zone.name));
  uint64_t largest = 0;
  auto look = [&](const std::string& path, bool read_only, vmzone::DiskFormat format) -> Status {
    auto bytes = most_bytes(place_of(zone, folder), path, read_only, format);
    if (!bytes) return std::move(bytes).error().context("disk " + base::quoted(path));
    largest = std::max(largest, *bytes);
    return {};
  };
  if (hardware.origin == vmzone::Origin::kDisk)
    TRY(look(vmzone::kInstalledDisk, false, hardware.format));
  for (size_t i = 0; i < spec.disk.size(); ++i) {
    if (spec.disk[i].media != "disk" || spec.disk[i].path.empty()) continue;
    for (const vmzone::PinnedDisk& disk : hardware.disks)
      if (disk.id == vmzone::disk_id(spec, i))
        TRY(look(spec.disk[i].path, spec.disk[i].read_only, disk.format));
  }
  return largest;
}

// The lock belongs to the open file, which the VMM inherits: it lasts as long as the VMM does.
// None on a disk of a lower label: it would tell the lower zone who reads.
Result<UniqueFd> Guests::open_disk(const ImagePlace& place, const vmzone::MachineDisk& disk) const {
  TRY_AS(Image opened, open_image(place, disk.path, disk.read_only));
  UniqueFd fd = std::move(opened.fd);
  if (!opened.lower && flock(fd.get(), (disk.read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return base::sys_error("lock");
    return make_error(Code::kBusy, "in use by another machine",
                      "halt the zone that has it, or set read-only = true in both");
  }
  if (disk.cd) return fd;
  // A VMM that was taken over may have rewritten what we once approved.
  // What lies on a raw disk is its guest's business.
  if (disk.format == vmzone::DiskFormat::kRaw) return fd;
  TRY_AS(vmzone::DiskImage image, look_at(fd.get()));
  if (image.format != disk.format)
    return make_error(Code::kInvalid, "it is no longer a qcow2 image",
                      "put the image back, or install the zone again");
  return fd;
}

Result<UniqueFd> Guests::cell_of(const vmzone::Machine& machine) {
  TRY_AS(UniqueFd host, base::open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
  TRY(vmzone::check_closure(host.get(), vmzone::closure_of(machine)));
  TRY_AS(UniqueFd cells, base::make_dirs(AT_FDCWD, registry_->paths().lib + "/cells", 0700));
  return core::cell_tree(cells.get(), vmzone::cell_recipe(machine));
}

Result<std::vector<Guests::Passed>> Guests::open(const Zone& zone, const vmzone::Machine& machine) {
  std::vector<Passed> passed;
  auto pass_tree = [&passed](const char* name, const UniqueFd& file) -> Status {
    TRY_AS(UniqueFd tree, core::clone_tree(file.get()));
    passed.push_back({name, std::move(tree)});
    return {};
  };
  TRY_AS(UniqueFd folder, registry_->vm_dir(zone.name));
  const ImagePlace place = place_of(zone, folder);
  TRY_AS(UniqueFd cell, cell_of(machine));
  TRY(pass_tree("root", cell));
  if (machine.kernel) {
    TRY_AS(Image file, open_image(place, vmzone::kKernelFile, true));
    TRY(pass_tree("kernel", file.fd));
  }
  if (machine.initrd) {
    TRY_AS(Image file, open_image(place, vmzone::kInitrdFile, true));
    TRY(pass_tree("initrd", file.fd));
  }
  if (machine.firmware == vmzone::Firmware::kUefi) {
    TRY(vmzone::ensure_nvram(folder.get()));  // the profile may have changed since the installation
    vmzone::MachineDisk nvram;
    nvram.path = vmzone::kNvramFile;
    nvram.format = vmzone::DiskFormat::kQcow2;
    auto fd = open_disk(place, nvram);
    if (!fd) return std::move(fd).error().context("nvram");
    passed.push_back({"nvram", *std::move(fd)});
  }
  for (const vmzone::MachineDisk& disk : machine.disks) {
    if (disk.path.empty()) continue;
    auto fd = open_disk(place, disk);
    if (!fd) return std::move(fd).error().context("disk " + base::quoted(disk.path));
    passed.push_back({disk.id, *std::move(fd)});
  }
  TRY_AS(UniqueFd qmp,
         base::listen_unix(registry_->run_dir(), socket_name(zone.name), SOCK_STREAM));
  passed.push_back({"qmp", std::move(qmp)});
  return passed;
}

// --- control -------------------------------------------------------------------------------------

void Guests::start(const Zone& zone, Callback done) {
  Guest& guest = guests_[zone.name];
  guest.boot_id = zone.record->boot_id;
  guest.keeper = zone.record->keeper;
  guest.starting = std::move(done);
  connect(zone.name);
}

void Guests::resume_control(const Zone& zone) {
  if (guests_.contains(zone.name)) return;
  Guest& guest = guests_[zone.name];
  guest.boot_id = zone.record->boot_id;
  guest.keeper = zone.record->keeper;
  connect(zone.name);
}

void Guests::connect(const std::string& zone) {
  Guest& guest = guests_.at(zone);
  auto open = [&]() -> Status {
    TRY_AS(UniqueFd socket,
           base::connect_unix(registry_->run_dir(), socket_name(zone), SOCK_STREAM));
    vmzone::Qmp::Handlers handlers;
    handlers.on_ready = [this, zone](const vmzone::QmpGreeting&) { on_ready(zone); };
    handlers.on_event = [this, zone](const vmzone::QmpEvent& event) { on_event(zone, event); };
    handlers.on_lost = [this, zone](uint64_t count) {
      tell(zone, "guest-noise", std::to_string(count) + " events of the VMM were dropped");
      ask_state(zone);
    };
    handlers.on_broken = [this, zone](const base::Error& error) { on_broken(zone, error); };
    TRY_AS(guest.qmp, vmzone::Qmp::create(loop_, std::move(socket), std::move(handlers)));
    return {};
  };
  if (Status opened = open(); !opened) on_broken(zone, opened.error());
}

// What the guest was doing when we were not there is asked for, never assumed.
void Guests::on_ready(const std::string& zone) {
  Guest& guest = guests_.at(zone);
  guest.attempts = 0;
  vmzone::query_status(guest.qmp.get(), [this, zone](const Result<vmzone::GuestState>& state) {
    on_state(zone, state);
  });
}

void Guests::on_state(const std::string& zone, const Result<vmzone::GuestState>& state) {
  auto found = guests_.find(zone);
  if (found == guests_.end()) return;
  if (!found->second.qmp || !found->second.qmp->ready()) return;  // on_broken() goes on from here
  if (!state) return answer(zone, state.error());
  set_paused(zone, *state == vmzone::GuestState::kPaused);
  if (*state != vmzone::GuestState::kPrepared) return answer(zone, {});
  // Not before the guest's first instruction may anybody be able to make start-only calls.
  keepers_->request(found->second.keeper, {{"op", "narrow"}, {"zone", zone}}, {},
                    [this, zone, boot_id = found->second.boot_id](Result<KeeperReply> reply) {
                      auto guest = guests_.find(zone);
                      if (guest == guests_.end() || guest->second.boot_id != boot_id) return;
                      narrowed(zone, reply ? Status() : Status(std::move(reply).error()));
                    });
}

void Guests::narrowed(const std::string& zone, const Status& status) {
  if (!status) return answer(zone, status);
  Guest& guest = guests_.at(zone);
  if (!guest.qmp || !guest.qmp->ready()) return;  // asked again when it is
  vmzone::cont(guest.qmp.get(), [this, zone](Status done) {
    auto found = guests_.find(zone);
    bool broken = found == guests_.end() || !found->second.qmp || !found->second.qmp->ready();
    if (!broken) answer(zone, std::move(done));
  });
}

void Guests::answer(const std::string& zone, Status status) {
  auto found = guests_.find(zone);
  if (found == guests_.end()) return;
  if (!status) base::log_warning(subject(zone) + ": " + status.error().message);
  if (Callback starting = std::exchange(found->second.starting, nullptr))
    starting(std::move(status));
}

void Guests::ask_state(const std::string& zone) {
  Guest& guest = guests_.at(zone);
  if (guest.starting) return;  // start() asks by itself
  vmzone::query_status(guest.qmp.get(), [this, zone](const Result<vmzone::GuestState>& state) {
    if (state) set_paused(zone, *state == vmzone::GuestState::kPaused);
  });
}

// What a guest does in a loop must not drive out of the record what others have told.
void Guests::tell(const std::string& zone, const std::string& kind, std::string detail) {
  auto now = base::EventLoop::Clock::now();
  auto& next = guests_.at(zone).next_told[kind];
  if (now < next) return;
  next = now + kTellEvery;
  events_->emit(zone, kind, std::move(detail));
}

void Guests::on_event(const std::string& zone, const vmzone::QmpEvent& event) {
  using Change = vmzone::GuestChange;
  switch (vmzone::guest_change_of(event)) {
    case Change::kShutDown:
      return tell(zone, "guest-shutdown");
    case Change::kReset:
      return tell(zone, "guest-reset");
    case Change::kPanicked:
      return tell(zone, "guest-panicked");
    case Change::kDiskError:
      return tell(zone, "guest-disk-error");
    case Change::kState:
      return ask_state(zone);
    case Change::kNone:
    case Change::kPowerdown:
    case Change::kTray:
      return;
  }
}

// A VMM that ends is told of by its keeper; one that only breaks its control is asked again.
void Guests::on_broken(const std::string& zone, const base::Error& error) {
  Guest& guest = guests_.at(zone);
  guest.qmp.reset();
  guest.changing.clear();
  milliseconds delay = std::min(kRetryFirst * (1U << std::min(guest.attempts, 6U)), kRetryLast);
  // The first time may be its end, of which nobody has told yet.
  if (++guest.attempts == 2 && !guest.starting) events_->emit(zone, "control-lost", error.message);
  guest.retry = loop_->after(delay, [this, zone] {
    guests_.at(zone).retry = 0;
    connect(zone);
  });
}

bool Guests::ended(const Zone& zone, const core::ExitStatus& status) {
  auto node = guests_.extract(zone.name);
  unlinkat(registry_->run_dir(), socket_name(zone.name).c_str(), 0);
  if (node.empty()) return false;
  Guest& guest = node.mapped();
  if (guest.retry != 0) loop_->cancel(guest.retry);
  if (!guest.starting) return false;
  std::string words = last_words(zone, guest.log_start);
  std::string how = "the VMM ended before its guest ran: " + core::to_line(status);
  if (!words.empty()) how += ": " + base::quoted(words, 400);
  guest.starting(make_error(Code::kIo, how, "see 'zone logs " + zone.name + "'"));
  return true;
}

Result<UniqueFd> Guests::open_log(const Zone& zone) const {
  TRY_AS(UniqueFd dir, registry_->zone_dir(zone.name, false));
  return base::open_at(dir.get(), std::string("log/") + core::kLogName, O_RDONLY | O_NOFOLLOW);
}

std::string Guests::last_words(const Zone& zone, off_t from) const {
  constexpr off_t kTail = 4096;
  constexpr std::string_view kQemu = "qemu-system-x86_64: ";
  auto text = [&]() -> Result<std::string> {
    TRY_AS(UniqueFd log, open_log(zone));
    off_t end = lseek(log.get(), 0, SEEK_END);
    if (lseek(log.get(), std::max(from, end - kTail), SEEK_SET) < 0)
      return base::sys_error("lseek");
    return base::read_fd(log.get());
  }();
  std::string words;
  if (!text) return words;
  for (const std::string& line : base::split(*text, '\n'))
    if (line.starts_with(kQemu)) words = base::trim(line.substr(kQemu.size()));
  return words;
}

Result<vmzone::Qmp*> Guests::control(const Zone& zone) {
  auto found = guests_.find(zone.name);
  if (found != guests_.end() && found->second.qmp && found->second.qmp->ready())
    return found->second.qmp.get();
  return make_error(Code::kBusy, "its VMM does not answer", "try again");
}

bool Guests::paused(const std::string& zone) const {
  auto found = guests_.find(zone);
  return found != guests_.end() && found->second.paused;
}

void Guests::set_paused(const std::string& zone, bool paused) {
  auto found = guests_.find(zone);
  if (found == guests_.end() || std::exchange(found->second.paused, paused) == paused) return;
  tell(zone, paused ? "paused" : "resumed");
}

void Guests::pause(const Zone& zone, Callback done) {
  auto qmp = control(zone);
  if (!qmp) return done(std::move(qmp).error());
  vmzone::stop(*qmp, [this, name = zone.name, done](Status status) {
    if (status) set_paused(name, true);
    done(std::move(status));
  });
}

void Guests::resume(const Zone& zone, Callback done) {
  auto qmp = control(zone);
  if (!qmp) return done(std::move(qmp).error());
  vmzone::cont(*qmp, [this, name = zone.name, done](Status status) {
    if (status) set_paused(name, false);
    done(std::move(status));
  });
}

void Guests::powerdown(const Zone& zone, Callback done) {
  auto qmp = control(zone);
  if (!qmp) return done(std::move(qmp).error());
  vmzone::powerdown(*qmp, std::move(done));
  if (paused(zone.name)) resume(zone, [](const Status&) {});
}

void Guests::change_cd(const Zone& zone, const std::string& drive, UniqueFd image, bool force,
                       Callback done) {
  auto qmp = control(zone);
  if (!qmp) return done(std::move(qmp).error());
  bool lower = false;
  if (image) {
    auto object = host_object_of(image.get());
    if (!object) return done(std::move(object).error());
    Status fits = check_use(*object, zone.label, Use::kRead, registry_->encodings());
    if (!fits) return done(std::move(fits));
    lower = object->label != zone.label;
  }
  if (image && !lower && flock(image.get(), LOCK_SH | LOCK_NB) != 0)
    return done(errno == EWOULDBLOCK ? make_error(Code::kBusy, "in use by another machine",
                                                  "halt the zone that has it")
                                     : base::sys_error("lock"));
  if (!guests_.at(zone.name).changing.insert(drive).second)
    return done(make_error(Code::kBusy,
                           "another change of CD drive " + base::quoted(drive) + " is under way",
                           "try again"));
  auto changed = [this, name = zone.name, drive, done = std::move(done)](Status status) {
    if (auto found = guests_.find(name); found != guests_.end())
      found->second.changing.erase(drive);
    done(std::move(status));
  };
  if (image) return vmzone::insert_cd(*qmp, drive, std::move(image), force, std::move(changed));
  vmzone::eject_cd(*qmp, drive, force, std::move(changed));
}

}  // namespace zoned
