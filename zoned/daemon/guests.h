// The guests of vm zones: what goes into their cells at boot, and the control of those that run.
//
//   LIB/zones/NAME/vm/hardware      vmzone::Hardware: what a guest never sees change
//   LIB/zones/NAME/vm/{kernel,initrd,image,nvram}   from the installation; disks of [[disk]] too
//   LIB/cells/                      trees of cells (core::cell_tree)
//   RUN/zones/NAME.qmp              the socket that QEMU listens on for its control (QMP)
//
// The control socket is QEMU's own, inherited: a daemon that comes back connects again.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "vmzone/control.h"
#include "vmzone/host.h"
#include "vmzone/plan.h"
#include "zoned/daemon/events.h"
#include "zoned/daemon/keepers.h"
#include "zoned/daemon/registry.h"

namespace zoned {

class Guests {
 public:
  Guests(base::EventLoop* loop, Registry* registry, Keepers* keepers, Events* events);
  ~Guests();

  const vmzone::Kvm& kvm() const { return kvm_; }

  // The zone's hardware with a place for all that the configuration names. keep: written down.
  // kState when the zone is not installed.
  base::Result<vmzone::Hardware> hardware(const Zone& zone, const core::ZoneSpec& spec, bool keep);

  // What the largest file among its disks may come to, bytes: a raw one stays as large as it is.
  base::Result<uint64_t> largest_file(const Zone& zone, const core::ZoneSpec& spec,
                                      const vmzone::Hardware& hardware) const;

  // What the launch of this machine passes on, by name: the cell's tree, kernel and initrd as
  // detached mounts; disks, locked as long as the VMM lives; the control socket. kBusy for a disk
  // that another machine has.
  struct Passed {
    std::string name;
    base::UniqueFd fd;
  };
  base::Result<std::vector<Passed>> open(const Zone& zone, const vmzone::Machine& machine);

  // The VMM runs: takes up its control, narrows its filter, lets the guest run. done once, never from
  // inside, unless the zone ends first: see ended().
  void start(const Zone& zone, Callback done);
  // The VMM is gone. True when start() had not answered: it has now, with how the VMM ended and what it
  // said last.
  bool ended(const Zone& zone, const core::ExitStatus& status);
  // Presses the guest's power button; a paused guest runs on, else it would never know.
  void powerdown(const Zone& zone, Callback done);
  // Success when it is so already.
  void pause(const Zone& zone, Callback done);
  void resume(const Zone& zone, Callback done);
  // Puts the image, or nothing, into a CD drive ("cd0"). kBusy while another change of the drive is
  // under way, and for an image that a machine writes to. image: as vmzone::insert_cd has it.
  void change_cd(const Zone& zone, const std::string& drive, base::UniqueFd image, bool force,
                 Callback done);
  // After our own start: takes up the control of a VMM that runs.
  void resume_control(const Zone& zone);

  // Of a running guest whose control is taken up; kBusy, with a hint, while it is not.
  base::Result<vmzone::Qmp*> control(const Zone& zone);
  bool paused(const std::string& zone) const;

  struct ImagePlace;  // where the paths of a zone's images lead

 private:
  struct Guest {
    std::string boot_id;
    unsigned keeper = 0;
    std::unique_ptr<vmzone::Qmp> qmp;
    Callback starting;  // start()'s, until it is answered
    bool paused = false;
    std::map<std::string, base::EventLoop::Clock::time_point> next_told;  // by kind of event
    std::set<std::string> changing;                                       // CD drives
    base::EventLoop::TimerId retry = 0;
    unsigned attempts = 0;
    off_t log_start = 0;  // of the zone's log, at boot
  };
  ImagePlace place_of(const Zone& zone, const base::UniqueFd& folder) const;
  base::Result<base::UniqueFd> open_disk(const ImagePlace& place,
                                         const vmzone::MachineDisk& disk) const;
  base::Result<std::map<std::string, vmzone::DiskFormat>> formats(
      const ImagePlace& place, const core::ZoneSpec& spec, const vmzone::Hardware& known) const;
  base::Result<base::UniqueFd> cell_of(const vmzone::Machine& machine);
  void connect(const std::string& zone);
  void set_paused(const std::string& zone, bool paused);
  void on_ready(const std::string& zone);
  void narrowed(const std::string& zone, const base::Status& status);
  void on_state(const std::string& zone, const base::Result<vmzone::GuestState>& state);
  void on_event(const std::string& zone, const vmzone::QmpEvent& event);
  void ask_state(const std::string& zone);
  void tell(const std::string& zone, const std::string& kind, std::string detail = {});
  void on_broken(const std::string& zone, const base::Error& error);
  void answer(const std::string& zone, base::Status status);
  base::Result<base::UniqueFd> open_log(const Zone& zone) const;
  // What QEMU itself has said last since `from` in the zone's log.
  std::string last_words(const Zone& zone, off_t from) const;

  base::EventLoop* loop_;
  Registry* registry_;
  Keepers* keepers_;
  Events* events_;
  vmzone::Kvm kvm_;
  std::map<std::string, Guest> guests_;
};

}  // namespace zoned
