#include "labels/policy.h"

namespace labels {

Flow flow(const Label& from, const Label& to) {
  if (from == to) return Flow::kEqual;
  return to.dominates(from) ? Flow::kUp : Flow::kDown;
}

Access access(const Label& subject, const Label& object) {
  if (subject == object) return Access::kReadWrite;
  return subject.dominates(object) ? Access::kRead : Access::kNone;
}

bool may_see(const Label& clearance, const Label& object) { return clearance.dominates(object); }

bool may_send(const Label& sender, const Label& receiver, bool multilevel) {
  return sender == receiver || (multilevel && receiver.dominates(sender));
}

bool may_share_pages(const Label& a, const Label& b) { return a == b; }

base::Status may_transfer(const Rights& rights, const Label& from, const Label& to) {
  using base::Code;
  if (!rights.in_range(from) || !rights.in_range(to))
    return base::make_error(Code::kDenied, "outside your label range");
  switch (flow(from, to)) {
    case Flow::kEqual:
      return {};
    case Flow::kUp:
      if (rights.upgrade) return {};
      return base::make_error(Code::kDenied, "data would go up, which needs the grant 'upgrade'");
    case Flow::kDown:
      break;
  }
  if (rights.downgrade) return {};
  return base::make_error(Code::kDenied, "data would go down, which needs the grant 'downgrade'");
}

}  // namespace labels
