// zone copy and zone relabel: files from one native zone's tree into another's, also across labels. The
// reading side packs in a job of its zone's label, the writing side writes in a job of the other's; in
// between the content is frozen (transfer_store.h), so that what was shown is what is written. A moved
// file's source is held by a lease while its copy is written, and goes once that is durable. After a
// kill at any point the next start ends what was begun: the target whole or not at all, and of a moved
// file one of both. Who may is decided by the caller of these functions.
//
// A zone's owner may make the place unreachable while a target is half written. Then a note of the place
// stays (Transfer::Stage::kLeft), kMaxLeftOfZone of a zone before it gets no more copies; the content goes,
// but for that of a moved file which is still to be looked for in its place. take_back() tries again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/daemon/job_launch.h"
#include "zoned/daemon/transfer_store.h"

namespace zoned {

class Transfers {
 public:
  using OnFrozen = std::function<void(base::Result<const Transfer*>)>;

  // program: zone-unpack.
  static base::Result<std::unique_ptr<Transfers>> open(const Parts& parts, std::string program);

  // Reads the content of `wanted` (zones, paths, flags and uid are given); kFrozen then. It is given up
  // unless go_on() follows within kPatience.
  void freeze(Transfer wanted, OnFrozen done);
  // Writes the target; a frozen or queued one. The transfer is gone afterwards, whatever came of it.
  void go_on(uint64_t number, Callback done);
  // Frozen: waits for a second person from now on, over restarts too.
  base::Status queue(uint64_t number);
  // Drops a frozen or queued one.
  base::Status drop(uint64_t number);
  // Frozen and queued ones; null: none of that number.
  const Transfer* find(uint64_t number) const;
  std::vector<const Transfer*> all() const;
  // One is being read or written.
  bool under_way() const;
  base::Result<base::UniqueFd> content(const Transfer& transfer) const;

  // What goes down waits for a second person (zoned.toml: downgrade-approval).
  void require_second(bool required) { second_ = required; }
  bool needs_second(const Transfer& transfer) const {
    return second_ && transfer.flow() == labels::Flow::kDown;
  }

  // At start, once the jobs of a killed daemon are gone: ends what it had begun.
  void recover();
  // Tries again to take back what was left in this zone's tree; `then` follows in any case.
  void take_back(const std::string& zone, const std::function<void()>& then);
  // The zone's tree is gone, and with it what waits for it or was left in it.
  void tree_gone(const std::string& zone);

  static constexpr std::chrono::minutes kPatience{10};
  static constexpr uint64_t kMaxBytes = uint64_t{64} << 30;  // of one content
  static constexpr size_t kMaxTransfers = 64;                // at once, all together
  static constexpr size_t kMaxOfUser = 4;                    // of a user other than root
  static constexpr size_t kMaxLeftOfZone = 4;                // beside these

 private:
  struct Move;
  using Outcome = std::function<void(base::Result<std::vector<std::string>>)>;
  using OnLine = std::function<void(std::string_view line)>;

  Transfers(const Parts& parts, TransferStore store, std::string program)
      : parts_(parts), store_(std::move(store)), launcher_(parts), program_(std::move(program)) {}

  // left: a piece of it, or all, may be in the target.
  using Placed = std::function<void(base::Status, bool left)>;

  base::Status check(Transfer* wanted) const;
  base::Status check_room(const Transfer& wanted) const;
  base::Result<Zone*> zone_of(const std::string& name, const labels::Label* label) const;
  base::Result<JobLauncher::LaunchPtr> launch(const Transfer& transfer, bool source, int content,
                                              core::TransferSpec spec, bool talks, OnLine on_line,
                                              Outcome ended);
  void load();
  void freeze_now(Transfer wanted, const OnFrozen& done);
  void hash(uint64_t number, OnFrozen done);
  base::Status set_state(Transfer* transfer, Transfer::Stage state);
  void place(uint64_t number, Placed done);
  void hold(uint64_t number, Callback done);
  void give_up(uint64_t number, base::Error why, Callback done);
  void retract(uint64_t number, bool placed, Callback over);
  void leave(uint64_t number, bool compared, const base::Error& why);
  bool has_tree(const Transfer& transfer) const;
  void remove_source(uint64_t number);
  void tell(const Transfer& transfer, bool whole);
  void finish(uint64_t number, base::Status status, const Callback& done);
  void forget(uint64_t number);

  Parts parts_;
  TransferStore store_;
  JobLauncher launcher_;
  std::string program_;
  bool second_ = false;
  std::map<uint64_t, Transfer> transfers_;
  std::map<uint64_t, base::EventLoop::TimerId> timers_;
  std::vector<uint64_t> cut_short_;  // by a kill of the daemon, until recover()
  std::set<uint64_t> taking_back_;   // of kLeft
};

}  // namespace zoned
