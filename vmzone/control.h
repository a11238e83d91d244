// What is done with a running VM: small operations over Qmp. Each answers its callback exactly once
// and never from inside, as Qmp::execute does; when qmp is destroyed first, the callback is dropped.
// The errors are Qmp::execute's, with the operation as their context.
//
// Facts: QEMU 7.2, qapi/*.json.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "vmzone/keys.h"
#include "vmzone/qmp.h"

namespace vmzone {

using OnDone = std::function<void(base::Status)>;

enum class GuestState {
  kPrepared,   // has not run yet (-S)
  kRunning,    //
  kPaused,     // by stop(), or by QEMU for migration or debugging
  kSuspended,  // the guest sleeps (ACPI S3)
  kShutDown,   // the guest has ended and QEMU waits (-no-shutdown)
  kFailed,     // panic of the guest, internal error of QEMU, or a disk error that stops it
};
std::string_view guest_state_name(GuestState state);  // "prepared", "running", ...
using OnState = std::function<void(base::Result<GuestState>)>;
void query_status(Qmp* qmp, OnState on_state);

// What an event tells.
enum class GuestChange {
  kNone,       // nothing that matters here
  kShutDown,   // QEMU is about to end: the guest has shut down, or was told to
  kReset,      // the guest has begun anew
  kPowerdown,  // the power button was pressed (by powerdown())
  kState,      // ask query_status
  kPanicked,   // the guest says so by pvpanic
  kTray,       // a CD tray has moved
  kDiskError,  // a disk could not be read or written
};
GuestChange guest_change_of(const QmpEvent& event);

void cont(Qmp* qmp, OnDone on_done);
void stop(Qmp* qmp, OnDone on_done);
// Presses the ACPI power button; the guest may ignore it.
void powerdown(Qmp* qmp, OnDone on_done);
// The reset button: the guest begins anew, unasked.
void reset(Qmp* qmp, OnDone on_done);
// Ends QEMU, at once. The connection may break before the answer.
void quit(Qmp* qmp, OnDone on_done);

// Success when the machine has a screen, else kUnsupported with a hint.
void check_screen(Qmp* qmp, OnDone on_done);

// The largest picture taken: noise on 2560x1600.
inline constexpr size_t kMaxPicture = 32 << 20;
// The screen of the first display as PNG, in a memfd that QEMU has written and that is sealed then:
// it no longer changes, and is memory of QEMU's zone, also where a hostile one writes too much. That
// it starts as a PNG is checked (else kIo); the rest is the guest's, for the reader to distrust.
// kNoSpace: larger than kMaxPicture.
using OnPicture = std::function<void(base::Result<base::UniqueFd>)>;
void screendump(Qmp* qmp, OnPicture on_picture);

// Presses the chords one after another, each once the one before has been let go. A paused guest
// gets none of it.
void send_keys(Qmp* qmp, std::vector<KeyChord> chords, OnDone on_done);

// Hands QEMU a connected stream socket to a VNC client, unauthenticated: whoever holds the other
// end sees the screen and types. QEMU runs with `-vnc none`.
void add_vnc_client(Qmp* qmp, base::UniqueFd socket, OnDone on_done);

// device: the id of a CD drive ("cd0"). Without force a guest may hold the tray locked: kBusy. The
// tray stays open. An empty drive is success.
void eject_cd(Qmp* qmp, std::string device, bool force, OnDone on_done);
// Replaces what is in the drive. image: a regular file, open read-only, taken as raw whatever its
// content. The tray is closed then. When it fails the drive may be left empty.
void insert_cd(Qmp* qmp, std::string device, base::UniqueFd image, bool force, OnDone on_done);

}  // namespace vmzone
