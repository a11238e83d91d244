#include "zoned/daemon/keepers.h"

#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "base/strings.h"
#include "base/unix_socket.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kRetryFirst{1};
constexpr milliseconds kRetryLast{1000};
constexpr milliseconds kHelloTimeout{10000};
constexpr milliseconds kBusyPause{100};
constexpr unsigned kAttemptsPerStart = 12;  // 1 + 2 + 4 ... ms: about 4 s

std::string socket_name(unsigned index) { return "keeper-" + std::to_string(index) + ".sock"; }

}  // namespace

Keepers::Keepers(base::EventLoop* loop, Children* children, Options options, Events events)
    : loop_(loop), children_(children), options_(std::move(options)), events_(std::move(events)) {}

Keepers::~Keepers() {
  for (auto& slot : slots_)
    if (slot->timer != 0) loop_->cancel(slot->timer);
}

void Keepers::ensure(unsigned count) {
  while (slots_.size() < std::min(count, kMaxKeepers)) {
    slots_.push_back(std::make_unique<Slot>());
    connect(static_cast<unsigned>(slots_.size() - 1));
  }
}

bool Keepers::all_ready() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const auto& slot) { return slot->ready; });
}

void Keepers::connect(unsigned index) {
  Slot& slot = *slots_[index];
  slot.timer = 0;
  auto socket = base::connect_unix(options_.run_dir, socket_name(index), SOCK_SEQPACKET);
  if (!socket) {
    if (!slot.started) spawn(index);
    retry(index);
    return;
  }
  auto client = KeeperClient::create(
      loop_, *std::move(socket), [this, index](const json& event) { on_event(index, event); },
      [this, index](const base::Error& error) { on_broken(index, error); });
  if (!client) {
    events_.trouble("keeper " + std::to_string(index) + ": " + client.error().message);
    retry(index);
    return;
  }
  slot.client = *std::move(client);
  greet(index);
}

void Keepers::greet(unsigned index) {
  Slot& slot = *slots_[index];
  slot.hello.clear();
  slot.timer = loop_->after(kHelloTimeout, [this, index] {
    slots_[index]->timer = 0;
    base::Error silent =
        make_error(Code::kTimeout, "zone-keeper " + std::to_string(index) + " does not answer",
                   "if it hangs, kill it: its zones go on, and another takes them over");
    for (auto& waiting : std::exchange(slots_[index]->waiting, {})) waiting.reply(silent);
    on_broken(index, silent);
  });
  say_hello(index, {});
}

void Keepers::retry(unsigned index) {
  Slot& slot = *slots_[index];
  unsigned shift = std::min(slot.attempts++, 10U);
  milliseconds delay = std::min(kRetryFirst * (1 << shift), kRetryLast);
  if (slot.attempts % kAttemptsPerStart == 0) {
    slot.started = false;  // it did not come up: start it again
    events_.trouble("keeper " + std::to_string(index) + " does not come up; starting it again");
    for (auto& waiting : std::exchange(slot.waiting, {}))
      waiting.reply(make_error(Code::kIo, "zone-keeper does not start"));
  }
  slot.timer = loop_->after(delay, [this, index] { connect(index); });
}

void Keepers::spawn(unsigned index) {
  slots_[index]->started = true;
  auto pid = children_->spawn({options_.program, "--root-run", options_.run, "--zones",
                               options_.zones, "--index", std::to_string(index)},
                              nullptr);
  if (!pid) events_.trouble(pid.error().message);
}

void Keepers::say_hello(unsigned index, const std::string& after) {
  json body = {{"op", "hello"}};
  if (!after.empty()) body["after"] = after;
  slots_[index]->client->request(std::move(body), {}, [this, index](Result<KeeperReply> reply) {
    on_hello(index, std::move(reply));
  });
}

void Keepers::on_hello(unsigned index, Result<KeeperReply> reply) {
  Slot& slot = *slots_[index];
  if (!reply) return;  // on_broken follows
  if (reply->body.value("version", 0) < core::kKeeperProtocol) return replace(index);
  auto zones = reply->body.find("zones");
  if (zones != reply->body.end() && zones->is_array()) {
    for (const json& value : *zones) {
      auto record = core::zone_record_from_json(value);
      if (record)
        slot.hello.push_back(*std::move(record));
      else
        events_.trouble("keeper " + std::to_string(index) + ": " + record.error().message);
    }
  }
  if (reply->body.value("more", false) && !slot.hello.empty()) {
    say_hello(index, slot.hello.back().zone);
    return;
  }
  loop_->cancel(std::exchange(slot.timer, 0));
  slot.ready = true;
  slot.attempts = 0;
  slot.started = slot.replaced = false;
  events_.ready(index, std::exchange(slot.hello, {}));
  for (auto& waiting : std::exchange(slot.waiting, {})) {
    std::vector<int> fds;
    for (const auto& fd : waiting.fds) fds.push_back(fd.get());
    request(index, std::move(waiting.body), fds, std::move(waiting.reply));
  }
}

// The process stays, its zones are its children; its program does not.
void Keepers::replace(unsigned index) {
  Slot& slot = *slots_[index];
  auto greet_later = [this, index](milliseconds delay) {
    slots_[index]->timer = loop_->after(delay, [this, index] {
      slots_[index]->timer = 0;
      slots_[index]->replaced = false;
      greet(index);
    });
  };
  loop_->cancel(std::exchange(slot.timer, 0));
  if (std::exchange(slot.replaced, true)) {
    base::Error old = make_error(Code::kState, base::quoted(options_.program, 400) + " is too old",
                                 "install zoned and zone-keeper of one version");
    events_.trouble("keeper " + std::to_string(index) + ": " + old.message);
    for (auto& waiting : std::exchange(slot.waiting, {})) waiting.reply(old);
    return greet_later(kHelloTimeout);
  }
  auto answered = [this, index, greet_later](const Result<KeeperReply>& reply) {
    if (!reply && reply.error().code == Code::kNotRunnable)
      events_.trouble("keeper " + std::to_string(index) + ": " + reply.error().message);
    // Where the connection ended instead, on_broken follows and cancels this.
    bool busy = !reply && reply.error().code == Code::kBusy;
    greet_later(busy ? kBusyPause : kRetryLast);
  };
  slot.client->request({{"op", "reexec"}, {"binary", options_.program}}, {}, answered);
}

void Keepers::on_event(unsigned index, const json& event) {
  if (event.value("event", "") != "exited") return;
  auto status = core::exit_status_from_line(event.value("status", "unknown"));
  events_.exited(index, event.value("zone", ""), event.value("boot_id", ""),
                 status ? *status : core::ExitStatus{});
}

void Keepers::on_broken(unsigned index, const base::Error& error) {
  Slot& slot = *slots_[index];
  slot.ready = false;
  slot.client.reset();
  if (slot.timer != 0) loop_->cancel(std::exchange(slot.timer, 0));
  if (quitting_) return;
  events_.trouble("keeper " + std::to_string(index) + ": " + error.message);
  slot.started = false;
  connect(index);
}

Result<unsigned> Keepers::choose(int preferred, bool count) {
  unsigned best = 0;
  for (unsigned i = 1; i < slots_.size(); ++i)
    if (slots_[i]->zones < slots_[best]->zones) best = i;
  if (preferred >= 0 && static_cast<unsigned>(preferred) < slots_.size() &&
      slots_[static_cast<unsigned>(preferred)]->zones < kZonesPerKeeper)
    best = static_cast<unsigned>(preferred);
  if (slots_.empty() || slots_[best]->zones >= kZonesPerKeeper) {
    if (slots_.size() >= kMaxKeepers)
      return make_error(Code::kNoSpace, "all zone-keepers are full");
    best = size();
    ensure(best + 1);
  }
  if (count) ++slots_[best]->zones;
  return best;
}

void Keepers::count_zone(unsigned index) {
  ensure(index + 1);
  if (index < slots_.size()) ++slots_[index]->zones;
}

void Keepers::uncount_zone(unsigned index) {
  if (index < slots_.size() && slots_[index]->zones > 0) --slots_[index]->zones;
}

void Keepers::request(unsigned index, json body, const std::vector<int>& fds,
                      KeeperClient::OnReply on_reply) {
  if (index < slots_.size() && slots_[index]->ready) {
    slots_[index]->client->request(std::move(body), fds, std::move(on_reply));
    return;
  }
  Waiting waiting{std::move(body), {}, std::move(on_reply)};
  base::Error failure;
  if (index >= slots_.size() || quitting_) failure = make_error(Code::kIo, "no such zone-keeper");
  for (int fd : fds) {
    auto copy = base::dup_fd(fd);
    if (copy)
      waiting.fds.push_back(*std::move(copy));
    else
      failure = copy.error();
  }
  if (failure.message.empty()) {
    slots_[index]->waiting.push_back(std::move(waiting));
    return;
  }
  loop_->after(milliseconds(0), [reply = std::move(waiting.reply), failure] { reply(failure); });
}

// Which of them has clients only they know: a zone keeps its console over restarts of ours.
void Keepers::hang_up(const Zone& zone) {
  if (!zone.consoles) return;
  for (unsigned index = 0; index < slots_.size(); ++index)
    request(index, {{"op", "hang-up"}, {"zone", zone.name}}, {}, [](Result<KeeperReply>) {});
}

void Keepers::quit(std::function<void()> done) {
  quitting_ = true;
  auto left = std::make_shared<size_t>(1);
  auto one_less = [left, done = std::move(done)] {
    if (--*left == 0) done();
  };
  for (unsigned i = 0; i < size(); ++i) {
    Slot& slot = *slots_[i];
    if (slot.timer != 0) loop_->cancel(std::exchange(slot.timer, 0));
    ++*left;
    auto ended = [this, i, one_less](const Result<KeeperReply>& reply) {
      bool refused = !reply && reply.error().code != Code::kIo;
      if (!refused) unlinkat(options_.run_dir, socket_name(i).c_str(), 0);
      one_less();
    };
    if (slot.client)
      slot.client->request({{"op", "quit"}}, {}, ended);
    else
      loop_->after(milliseconds(0), [ended] { ended(KeeperReply{}); });
  }
  loop_->after(milliseconds(0), one_less);
}

void Keepers::reexec(std::function<void(base::Status)> done) {
  auto left = std::make_shared<size_t>(1);
  auto result = std::make_shared<base::Status>();
  auto one_less = [left, result, done = std::move(done)](Result<KeeperReply> reply) {
    // The connection may go with the old program: that is no failure.
    if (!reply && reply.error().code != Code::kIo) *result = std::move(reply).error();
    if (--*left == 0) done(*result);
  };
  for (auto& slot : slots_) {
    if (!slot->ready) continue;
    ++*left;
    slot->client->request({{"op", "reexec"}, {"binary", options_.program}}, {}, one_less);
  }
  loop_->after(milliseconds(0), [one_less] { one_less(KeeperReply{}); });
}

}  // namespace zoned
