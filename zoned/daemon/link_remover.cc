#include "zoned/daemon/link_remover.h"

#include "base/log.h"

namespace zoned {

using base::Status;
using netns::PortPlan;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kKernelsTurn{200};
constexpr milliseconds kRetry{1000};

}  // namespace

LinkRemover::~LinkRemover() {
  if (timer_ != 0) loop_->cancel(timer_);
}

void LinkRemover::leave(netns::Links* host, const std::vector<PortPlan>& ports) {
  host_ = host;
  for (const PortPlan& port : ports)
    for (std::string& name : netns::link_names(port)) leaving_.insert(std::move(name));
  look_later(kKernelsTurn);
}

Status LinkRemover::remove(const std::string& name) {
  TRY(host_->remove(name));
  leaving_.erase(name);
  return {};
}

Status LinkRemover::make_way(const std::vector<PortPlan>& ports) {
  if (leaving_.empty()) return {};
  for (const PortPlan& port : ports)
    for (const std::string& name : netns::link_names(port))
      if (leaving_.contains(name)) TRY(remove(name));
  return {};
}

Status LinkRemover::finish() {
  while (!leaving_.empty()) TRY(remove(std::string(*leaving_.begin())));
  return {};
}

void LinkRemover::look_later(milliseconds delay) {
  if (timer_ != 0 || helped_ || leaving_.empty()) return;
  timer_ = loop_->after(delay, [this] {
    timer_ = 0;
    look();
  });
}

void LinkRemover::look() {
  std::erase_if(leaving_, [this](const std::string& name) {
    auto link = host_->find(name);
    return !link && link.error().code == base::Code::kNotFound;
  });
  if (!leaving_.empty()) start_helper();
}

void LinkRemover::start_helper() {
  auto work = [names = leaving_]() -> int {
    auto links = netns::Links::open();
    if (!links) return 1;
    int failed = 0;
    for (const std::string& name : names)
      if (!links->remove(name)) failed = 1;
    return failed;
  };
  auto started = children_->run({}, work, [this](int status) {
    helped_ = false;
    if (status != 0) base::log_warning("links of ended zones could not be removed, trying again");
    if (status == 0) look();
    look_later(kRetry);
  });
  helped_ = started.ok();
  if (!started) look_later(kRetry);
}

}  // namespace zoned
