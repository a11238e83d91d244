#include "zoned/daemon/prepared.h"

#include "base/log.h"
#include "zoned/daemon/state.h"

namespace zoned {

using std::chrono::milliseconds;

namespace {

// When boots have paused: beside them it would cost them as much as it saves.
constexpr milliseconds kQuiet{20};
constexpr milliseconds kAfterFailure{10000};
// After that long without a boot nothing is held any more.
constexpr milliseconds kIdle{60000};

}  // namespace

std::optional<Prepared::Namespaces> Prepared::take(bool with_link) {
  if (each_ == 0) return {};
  Kind& kind = kinds_.at(with_link);
  if (base::EventLoop::Clock::now() >= not_before_) kind.wanted = true;
  fill_after(kQuiet);
  if (idle_timer_ != 0) loop_->cancel(idle_timer_);
  idle_timer_ = loop_->after(kIdle, [this] {
    idle_timer_ = 0;
    drop();
  });
  if (kind.ready.empty()) return {};
  Namespaces taken = std::move(kind.ready.back());
  kind.ready.pop_back();
  return taken;
}

Prepared::~Prepared() {
  *alive_ = false;
  if (idle_timer_ != 0) loop_->cancel(idle_timer_);
  drop();
}

void Prepared::drop() {
  if (timer_ != 0) loop_->cancel(std::exchange(timer_, 0));
  for (Kind& kind : kinds_) drop(&kind);
}

void Prepared::drop(Kind* kind) {
  for (const Namespaces& item : kind->ready) ids_->release(item.range);
  kind->ready.clear();
  kind->wanted = false;
}

void Prepared::clear(std::function<void()> done) {
  each_ = 0;
  drop();
  if (kinds_[0].under_way + kinds_[1].under_way == 0) return done();
  cleared_ = std::move(done);
}

void Prepared::fill_after(milliseconds delay) {
  if (timer_ != 0) loop_->cancel(timer_);
  timer_ = loop_->after(delay, [this] {
    timer_ = 0;
    fill();
  });
}

void Prepared::fill() {
  for (bool with_link : {false, true}) {
    const Kind& kind = kinds_.at(with_link);
    while (kind.wanted && kind.ready.size() + kind.under_way < each_) make(with_link);
  }
}

void Prepared::make(bool with_link) {
  Kind& kind = kinds_.at(with_link);
  ++kind.under_way;
  auto item = std::make_shared<Namespaces>();
  if (with_link) item->link = instance_.port_name(random_id(), "");
  auto range = ids_->lease();
  auto keeper = range ? keepers_->choose(-1, false) : base::Result<unsigned>(range.error());
  if (range) item->range = *range;
  if (!keeper) return made(std::move(*item), std::move(keeper).error());
  keepers_->request(*keeper,
                    {{"op", "prepare"}, {"range_base", item->range.base}, {"link", item->link}}, {},
                    [this, item, alive = alive_](base::Result<KeeperReply> reply) {
                      if (*alive) made(std::move(*item), std::move(reply));
                    });
}

void Prepared::made(Namespaces item, base::Result<KeeperReply> reply) {
  Kind& kind = kinds_.at(!item.link.empty());
  --kind.under_way;
  if (kind.wanted && reply && reply->fds.size() == 2) {
    item.user = std::move(reply->fds[0]);
    item.net = std::move(reply->fds[1]);
    kind.ready.push_back(std::move(item));
  } else if (item.range.base != 0) {
    ids_->release(item.range);
  }
  // Whatever is wrong, a boot will say so better: it makes its own.
  if (!reply && kind.wanted) {
    base::log_warning("namespaces ahead of boots: " + reply.error().message);
    kind.wanted = false;
    not_before_ = base::EventLoop::Clock::now() + kAfterFailure;
  }
  if (cleared_ && kinds_[0].under_way + kinds_[1].under_way == 0) std::exchange(cleared_, {})();
}

}  // namespace zoned
