#include "vmzone/qmp.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/unix_socket.h"

namespace vmzone {

using base::Code;
using base::make_error;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr uint64_t kHandshakeId = 0;
constexpr milliseconds kPause{100};
constexpr milliseconds kLostEvery{1000};

base::Error closed() { return make_error(Code::kIo, "QEMU has closed its control socket"); }

// A kernel before 6.16 does not know this; there, reading without room for descriptors has the
// kernel close them.
void refuse_descriptors(int socket) {
#ifndef SO_PASSRIGHTS
  constexpr int SO_PASSRIGHTS = 83;
#endif
  int no = 0;
  static_cast<void>(setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof no));
}

}  // namespace

bool Qmp::Budget::take(size_t amount) {
  auto now = base::EventLoop::Clock::now();
  std::chrono::duration<double> passed = now - last_;
  last_ = now;
  left_ = std::min(left_ + passed.count() * per_second_, 2 * per_second_);
  if (left_ <= 0) return false;
  left_ -= static_cast<double>(amount);
  return true;
}

base::Result<std::unique_ptr<Qmp>> Qmp::create(base::EventLoop* loop, base::UniqueFd socket,
                                               Handlers handlers) {
  int flags = fcntl(socket.get(), F_GETFL);
  if (flags < 0 || fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    return base::sys_error("fcntl");
  refuse_descriptors(socket.get());
  std::unique_ptr<Qmp> qmp(new Qmp(loop, std::move(socket), std::move(handlers)));
  Qmp* self = qmp.get();
  TRY(loop->add(self->socket_.get(), EPOLLIN,
                [self](uint32_t events) { self->on_socket(events); }));
  self->handshake_ = loop->after(kQmpDeadline, [self] {
    self->handshake_ = 0;
    self->broken(make_error(Code::kTimeout, "QEMU does not answer on its control socket"));
  });
  return qmp;
}

Qmp::Qmp(base::EventLoop* loop, base::UniqueFd socket, Handlers handlers)
    : loop_(loop),
      socket_(std::move(socket)),
      handlers_(std::make_shared<const Handlers>(std::move(handlers))) {}

Qmp::~Qmp() {
  *alive_ = false;
  if (handshake_ != 0) loop_->cancel(handshake_);
  for (const auto& [id, pending] : pending_) loop_->cancel(pending.deadline);
  if (state_ != State::kBroken) loop_->remove(socket_.get());
}

void Qmp::execute(std::string command, json arguments, OnAnswer on_answer, int fd,
                  milliseconds deadline) {
  if (state_ == State::kBroken) return answer_later(std::move(on_answer), closed());
  if (pending_.size() >= kMaxQmpPending)
    return answer_later(std::move(on_answer),
                        make_error(Code::kBusy, "QEMU has not answered " +
                                                    std::to_string(kMaxQmpPending) + " requests"));
  uint64_t id = next_id_++;
  auto text = qmp_request(id, command, arguments);
  if (!text) return answer_later(std::move(on_answer), std::move(text).error());
  Outgoing outgoing{id, *std::move(text), 0, {}};
  if (fd >= 0) {
    auto copy = base::dup_fd(fd);
    if (!copy) return answer_later(std::move(on_answer), std::move(copy).error());
    outgoing.fd = *std::move(copy);
  }
  auto timer = loop_->after(deadline, [this, id] { expire(id); });
  pending_.emplace(id, Pending{std::move(on_answer), timer});
  queue_.push_back(std::move(outgoing));
  if (state_ == State::kReady && queue_.size() == 1) flush();
}

void Qmp::after(milliseconds delay, std::function<void()> callback) {
  loop_->after(delay, [alive = alive_, callback = std::move(callback)] {
    if (*alive) callback();
  });
}

void Qmp::answer_later(OnAnswer on_answer, base::Error error) {
  after(milliseconds(0),
        [on_answer = std::move(on_answer), error = std::move(error)] { on_answer(error); });
}

// A request that has not begun leaves the queue too: a peer that reads nothing must not keep it.
void Qmp::expire(uint64_t id) {
  auto unsent = std::find_if(queue_.begin(), queue_.end(), [id](const Outgoing& outgoing) {
    return outgoing.id == id && outgoing.sent == 0;
  });
  if (unsent != queue_.end()) queue_.erase(unsent);
  complete(id, make_error(Code::kTimeout, "QEMU has not answered in time"));
}

void Qmp::flush() {
  while (!queue_.empty()) {
    Outgoing& first = queue_.front();
    std::vector<int> fds;
    if (first.sent == 0 && first.fd) fds.push_back(first.fd.get());
    auto sent =
        base::send_message(socket_.get(), std::string_view(first.text).substr(first.sent), fds);
    if (!sent && sent.error().sys_errno == EAGAIN) break;
    if (!sent) {
      // May have been called by execute(), which answers nobody from inside.
      return after(milliseconds(0), [this, error = sent.error()]() mutable {
        if (state_ != State::kBroken) broken(std::move(error).context("QEMU's control socket"));
      });
    }
    first.sent += *sent;
    if (first.sent == first.text.size()) queue_.pop_front();
  }
  watch();
}

void Qmp::watch() {
  uint32_t events = 0;
  if (!paused_) events |= EPOLLIN;
  if (state_ == State::kReady && !queue_.empty()) events |= EPOLLOUT;
  // Only a descriptor that is not watched could fail here.
  static_cast<void>(loop_->modify(socket_.get(), events));
}

void Qmp::on_socket(uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  // After a hang-up only what the kernel has buffered is left to read, and the event can't be
  // turned off.
  if ((events & (EPOLLHUP | EPOLLERR)) != 0 || (!paused_ && (events & EPOLLIN) != 0)) read_some();
}

bool Qmp::read_some() {
  std::array<char, kQmpReadBytes> room;
  ssize_t n = recv(socket_.get(), room.data(), room.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n <= 0) {
    broken(n == 0 ? closed() : base::sys_error("QEMU's control socket"));
    return false;
  }
  if (!bytes_.take(static_cast<size_t>(n))) pause();
  reader_.feed(std::string_view(room.data(), static_cast<size_t>(n)));
  while (true) {
    auto message = reader_.next();
    if (!message) {
      broken(std::move(message).error());
      return false;
    }
    if (!message->has_value()) return true;
    if (!take(**std::move(message))) return false;
  }
}

void Qmp::pause() {
  paused_ = true;
  watch();
  after(kPause, [this] {
    paused_ = false;
    if (state_ != State::kBroken) watch();
  });
}

bool Qmp::take(QmpMessage message) {
  if (const auto* greeting = std::get_if<QmpGreeting>(&message)) return take_greeting(*greeting);
  if (const auto* event = std::get_if<QmpEvent>(&message)) return take_event(*event);
  if (auto* failure = std::get_if<QmpFailure>(&message))
    return answer(failure->id, std::move(failure->error));
  auto& value = std::get<QmpReturn>(message);
  return answer(value.id, std::move(value.value));
}

bool Qmp::take_greeting(const QmpGreeting& greeting) {
  if (state_ != State::kGreeting) {
    broken(make_error(Code::kInvalid, "QEMU's control socket: a second greeting"));
    return false;
  }
  state_ = State::kNegotiating;
  greeting_ = greeting;
  auto request = qmp_request(kHandshakeId, "qmp_capabilities", nullptr);
  // Nothing has been sent before: there is room for these few bytes.
  auto sent = request ? base::send_message(socket_.get(), *request) : std::move(request).error();
  if (sent) return true;
  broken(std::move(sent).error().context("QEMU's control socket"));
  return false;
}

bool Qmp::take_event(const QmpEvent& event) {
  if (!events_.take(1)) {
    ++dropped_;
    if (++lost_ == 1) after(kLostEvery, [this] { tell_lost(); });
    return true;
  }
  auto alive = alive_;
  auto handlers = handlers_;  // the handler may destroy *this
  handlers->on_event(event);
  return *alive && state_ != State::kBroken;
}

void Qmp::tell_lost() {
  if (state_ == State::kBroken) return;
  auto handlers = handlers_;
  handlers->on_lost(std::exchange(lost_, 0));
}

bool Qmp::answer(uint64_t id, base::Result<json> result) {
  if (state_ == State::kNegotiating && id == kHandshakeId) return negotiated(std::move(result));
  if (id == kHandshakeId || id >= next_id_ || state_ != State::kReady) {
    broken(make_error(Code::kInvalid, "QEMU's control socket: an answer to no request"));
    return false;
  }
  auto alive = alive_;
  complete(id, std::move(result));
  return *alive && state_ != State::kBroken;
}

bool Qmp::negotiated(base::Result<json> result) {
  if (!result) {
    broken(std::move(result).error());
    return false;
  }
  state_ = State::kReady;
  loop_->cancel(std::exchange(handshake_, 0));
  flush();
  auto alive = alive_;
  auto handlers = handlers_;
  handlers->on_ready(greeting_);
  return *alive && state_ != State::kBroken;
}

void Qmp::complete(uint64_t id, base::Result<json> result) {
  auto it = pending_.find(id);
  if (it == pending_.end()) return;  // its deadline came first
  Pending pending = std::move(it->second);
  pending_.erase(it);
  loop_->cancel(pending.deadline);
  pending.on_answer(std::move(result));
}

void Qmp::broken(base::Error error) {
  auto alive = alive_;
  state_ = State::kBroken;
  loop_->remove(socket_.get());
  if (handshake_ != 0) loop_->cancel(std::exchange(handshake_, 0));
  queue_.clear();
  auto open = std::exchange(pending_, {});
  for (auto& [id, pending] : open) loop_->cancel(pending.deadline);
  for (auto& [id, pending] : open) {
    pending.on_answer(error);
    if (!*alive) return;
  }
  auto handlers = handlers_;
  handlers->on_broken(error);
}

}  // namespace vmzone
