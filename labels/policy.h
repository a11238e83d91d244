// Who may do what to what, by labels alone: pure functions that hold the table of docs/labels.md. Every
// door asks one of them; nothing else compares labels to decide (Bell and LaPadula, with the writes
// of equal labels only).
#pragma once

#include "base/result.h"
#include "labels/label.h"

namespace labels {

enum class Access { kNone, kRead, kReadWrite };

// Where data goes. What is incomparable goes down.
enum class Flow { kEqual, kUp, kDown };
Flow flow(const Label& from, const Label& to);

// Files, trees, disks, snapshots: equal labels read and write, a dominating subject reads.
Access access(const Label& subject, const Label& object);

// Consoles, screens, logs, stat, lists, events: what the clearance does not dominate does not exist.
bool may_see(const Label& clearance, const Label& object);

// Packets from `sender` to `receiver`: equal labels; a dominating receiver only at a declared
// multilevel port, which answers nothing.
bool may_send(const Label& sender, const Label& receiver, bool multilevel);

// Pages shared by copy on write or merged (KSM, shared layers, page cache).
bool may_share_pages(const Label& a, const Label& b);

// What a user may do across labels.
struct Rights {
  Label minimum;                          // lowest label that is his business
  Label clearance = Label::admin_high();  // must dominate what he sees
  bool upgrade = false;                   // may move data up
  bool downgrade = false;                 // may move data down or to an incomparable label

  bool operator==(const Rights&) const = default;
  bool in_range(const Label& label) const {
    return clearance.dominates(label) && label.dominates(minimum);
  }
};

// Copying and relabelling. kDenied with the reason: outside his range, or without the grant.
base::Status may_transfer(const Rights& rights, const Label& from, const Label& to);

}  // namespace labels
