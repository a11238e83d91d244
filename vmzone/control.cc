#include "vmzone/control.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <memory>
#include <utility>

#include "base/files.h"
#include "base/strings.h"
#include "vmzone/fdset.h"

namespace vmzone {

using base::Code;
using base::make_error;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr const char* kTakePicture = "take a picture of the screen";

template <typename Value>
struct Named {
  std::string_view name;
  Value value;
};

// RunState of qapi/run-state.json.
constexpr std::array<Named<GuestState>, 15> kRunStates = {{{"prelaunch", GuestState::kPrepared},
                                                           {"running", GuestState::kRunning},
                                                           {"paused", GuestState::kPaused},
                                                           {"debug", GuestState::kPaused},
                                                           {"inmigrate", GuestState::kPaused},
                                                           {"finish-migrate", GuestState::kPaused},
                                                           {"postmigrate", GuestState::kPaused},
                                                           {"restore-vm", GuestState::kPaused},
                                                           {"save-vm", GuestState::kPaused},
                                                           {"watchdog", GuestState::kPaused},
                                                           {"suspended", GuestState::kSuspended},
                                                           {"shutdown", GuestState::kShutDown},
                                                           {"guest-panicked", GuestState::kFailed},
                                                           {"internal-error", GuestState::kFailed},
                                                           {"io-error", GuestState::kFailed}}};

constexpr std::array<Named<GuestChange>, 11> kEvents = {
    {{"SHUTDOWN", GuestChange::kShutDown},
     {"RESET", GuestChange::kReset},
     {"POWERDOWN", GuestChange::kPowerdown},
     {"STOP", GuestChange::kState},
     {"RESUME", GuestChange::kState},
     {"SUSPEND", GuestChange::kState},
     {"WAKEUP", GuestChange::kState},
     {"WATCHDOG", GuestChange::kState},
     {"GUEST_PANICKED", GuestChange::kPanicked},
     {"DEVICE_TRAY_MOVED", GuestChange::kTray},
     {"BLOCK_IO_ERROR", GuestChange::kDiskError}}};

base::Result<GuestState> state_from(const json& value) {
  auto status = value.is_object() ? value.find("status") : value.end();
  const std::string* name = status != value.end() ? status->get_ptr<const std::string*>() : nullptr;
  if (name == nullptr) return make_error(Code::kIo, "QEMU tells no state");
  for (const auto& known : kRunStates)
    if (*name == known.name) return known.value;
  return make_error(Code::kIo, "QEMU tells an unknown state, " + base::quoted(*name));
}

void run(Qmp* qmp, const char* command, json arguments, const char* what, OnDone on_done) {
  qmp->execute(command, std::move(arguments),
               [what, on_done = std::move(on_done)](base::Result<json> answer) {
                 if (!answer) return on_done(std::move(answer).error().context(what));
                 on_done({});
               });
}

// A memfd, and the same file opened for writing alone: QEMU finds a descriptor of a set by the mode
// that it wants (add-fd, qemu_open).
struct PictureFile {
  base::UniqueFd file;
  base::UniqueFd writer;
};
base::Result<PictureFile> make_picture_file() {
  PictureFile picture;
  picture.file.reset(memfd_create("picture", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!picture.file) return base::sys_error("memfd_create");
  TRY_AS(picture.writer,
         base::open_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(picture.file.get()), O_WRONLY));
  return picture;
}

// Sealed where it is, since a copy would be memory of ours that its reader may keep. A mapping for
// writing, which only a hostile QEMU would have, makes the seal fail (fcntl(2), EBUSY).
base::Result<base::UniqueFd> seal_picture(PictureFile* picture) {
  constexpr std::string_view kPngMagic("\x89PNG\r\n\x1a\n", 8);
  int file = picture->file.get();
  if (fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return base::sys_error("seal it");
  struct stat st = {};
  if (fstat(file, &st) != 0) return base::sys_error("stat");
  if (st.st_size > static_cast<off_t>(kMaxPicture))
    return make_error(Code::kNoSpace, "it is larger than 32 MiB");
  std::array<char, kPngMagic.size()> head = {};
  ssize_t n = pread(file, head.data(), head.size(), 0);
  if (n < 0) return base::sys_error("read");
  if (std::string_view(head.data(), static_cast<size_t>(n)) != kPngMagic)
    return make_error(Code::kIo, "QEMU has made no PNG");
  return std::move(picture->file);
}

void take_picture(Qmp* qmp, int64_t set, std::shared_ptr<PictureFile> picture,
                  OnPicture on_picture) {
  json arguments = {{"filename", fdset_path(set)}, {"format", "png"}};
  qmp->execute("screendump", std::move(arguments),
               [qmp, set, picture, on_picture](base::Result<json> answer) {
                 remove_fdset(qmp, set);
                 auto result = answer ? seal_picture(picture.get())
                                      : base::Result<base::UniqueFd>(std::move(answer).error());
                 if (!result) return on_picture(std::move(result).error().context(kTakePicture));
                 on_picture(std::move(result));
               });
}

// One chord after the other.
struct Typing {
  Qmp* qmp;
  std::vector<KeyChord> chords;
  OnDone on_done;
  size_t next = 0;
};

void type_next(const std::shared_ptr<Typing>& typing) {
  // QEMU waits this long after each key that goes down, and after each that goes up. Slow guests
  // need it: a PS/2 keyboard holds 16 bytes.
  constexpr milliseconds kHold{30};
  if (typing->next == typing->chords.size()) return typing->on_done({});
  const KeyChord& chord = typing->chords[typing->next++];
  json keys = json::array();
  for (const std::string& key : chord) keys.push_back({{"type", "qcode"}, {"data", key}});
  milliseconds needed = kHold * (2 * chord.size());
  typing->qmp->execute("send-key", {{"keys", std::move(keys)}, {"hold-time", kHold.count()}},
                       [typing, needed](base::Result<json> answer) {
                         if (!answer)
                           return typing->on_done(std::move(answer).error().context("press keys"));
                         typing->qmp->after(needed, [typing] { type_next(typing); });
                       });
}

}  // namespace

std::string_view guest_state_name(GuestState state) {
  switch (state) {
    case GuestState::kPrepared:
      return "prepared";
    case GuestState::kRunning:
      return "running";
    case GuestState::kPaused:
      return "paused";
    case GuestState::kSuspended:
      return "suspended";
    case GuestState::kShutDown:
      return "shut-down";
    case GuestState::kFailed:
      return "failed";
  }
  return "";
}

void query_status(Qmp* qmp, OnState on_state) {
  qmp->execute(
      "query-status", nullptr, [on_state = std::move(on_state)](base::Result<json> answer) {
        auto state =
            answer ? state_from(*answer) : base::Result<GuestState>(std::move(answer).error());
        if (!state) return on_state(std::move(state).error().context("ask for the state"));
        on_state(std::move(state));
      });
}

GuestChange guest_change_of(const QmpEvent& event) {
  for (const auto& known : kEvents)
    if (event.name == known.name) return known.value;
  return GuestChange::kNone;
}

void cont(Qmp* qmp, OnDone on_done) {
  run(qmp, "cont", nullptr, "let the guest run", std::move(on_done));
}
void stop(Qmp* qmp, OnDone on_done) {
  run(qmp, "stop", nullptr, "pause the guest", std::move(on_done));
}
void powerdown(Qmp* qmp, OnDone on_done) {
  run(qmp, "system_powerdown", nullptr, "press the power button", std::move(on_done));
}
void reset(Qmp* qmp, OnDone on_done) {
  run(qmp, "system_reset", nullptr, "reset the guest", std::move(on_done));
}
void quit(Qmp* qmp, OnDone on_done) { run(qmp, "quit", nullptr, "end QEMU", std::move(on_done)); }

void check_screen(Qmp* qmp, OnDone on_done) {
  // With a screen QEMU has a VNC server, without a socket of its own (-vnc none).
  qmp->execute("query-vnc-servers", nullptr,
               [on_done = std::move(on_done)](base::Result<json> answer) {
                 if (!answer)
                   return on_done(std::move(answer).error().context("look for a screen"));
                 if (answer->is_array() && !answer->empty()) return on_done({});
                 on_done(make_error(Code::kUnsupported, "it has no screen",
                                    "give it one: vm.video = \"std\", and boot it again"));
               });
}

void screendump(Qmp* qmp, OnPicture on_picture) {
  auto made = make_picture_file();
  if (!made) {
    return qmp->after(milliseconds(0), [on_picture, error = made.error()]() mutable {
      on_picture(std::move(error).context(kTakePicture));
    });
  }
  auto picture = std::make_shared<PictureFile>(*std::move(made));
  int writer = picture->writer.get();
  add_fd(qmp, writer, [qmp, picture, on_picture](base::Result<int64_t> set) {
    if (!set) return on_picture(std::move(set).error().context(kTakePicture));
    take_picture(qmp, *set, picture, on_picture);
  });
}

void send_keys(Qmp* qmp, std::vector<KeyChord> chords, OnDone on_done) {
  auto typing = std::make_shared<Typing>(Typing{qmp, std::move(chords), std::move(on_done)});
  qmp->after(milliseconds(0), [typing] { type_next(typing); });
}

void add_vnc_client(Qmp* qmp, base::UniqueFd socket, OnDone on_done) {
  constexpr const char* kWhat = "hand over a VNC client";
  // QEMU holds it under this name until add_client takes it; unique while our copy is open.
  std::string name = "vnc-" + std::to_string(socket.get());
  auto held = std::make_shared<base::UniqueFd>(std::move(socket));
  qmp->execute(
      "getfd", {{"fdname", name}},
      [qmp, name, held, on_done](base::Result<json> answer) {
        if (!answer) return on_done(std::move(answer).error().context(kWhat));
        json arguments = {{"protocol", "vnc"}, {"fdname", name}, {"skipauth", true}};
        qmp->execute("add_client", std::move(arguments),
                     [qmp, name, held, on_done](base::Result<json> added) {
                       if (added) return on_done({});
                       qmp->execute("closefd", {{"fdname", name}}, [](const auto&) {});
                       on_done(std::move(added).error().context(kWhat));
                     });
      },
      held->get());
}

}  // namespace vmzone
