#include "zoned/daemon/keeper_client.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/files.h"
#include "base/unix_socket.h"
#include "zoned/core/keeper_protocol.h"

namespace zoned {

using base::Code;
using base::make_error;
using nlohmann::json;

base::Result<std::unique_ptr<KeeperClient>> KeeperClient::create(base::EventLoop* loop,
                                                                 base::UniqueFd socket,
                                                                 OnEvent on_event,
                                                                 OnBroken on_broken) {
  int flags = fcntl(socket.get(), F_GETFL);
  if (flags < 0 || fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    return base::sys_error("fcntl");
  // A sequenced packet must fit the buffer as a whole; the kernel doubles what is asked for.
  int bytes = static_cast<int>(core::kMaxKeeperMessage);
  if (setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) != 0)
    return base::sys_error("SO_SNDBUF");
  std::unique_ptr<KeeperClient> client(
      new KeeperClient(loop, std::move(socket), std::move(on_event), std::move(on_broken)));
  KeeperClient* self = client.get();
  TRY(loop->add(self->socket_.get(), EPOLLIN, [self](uint32_t events) { self->on_ready(events); }));
  return client;
}

KeeperClient::KeeperClient(base::EventLoop* loop, base::UniqueFd socket, OnEvent on_event,
                           OnBroken on_broken)
    : loop_(loop),
      socket_(std::move(socket)),
      on_event_(std::move(on_event)),
      on_broken_(std::move(on_broken)) {}

KeeperClient::~KeeperClient() {
  *alive_ = false;
  if (silence_ != 0) loop_->cancel(silence_);
  loop_->remove(socket_.get());
}

void KeeperClient::answer_later(uint64_t id, base::Error error) {
  loop_->after(std::chrono::milliseconds(0), [this, alive = alive_, id, error = std::move(error)] {
    if (!*alive) return;
    auto it = pending_.find(id);
    if (it == pending_.end()) return;
    OnReply reply = std::move(it->second);
    pending_.erase(it);
    reply(error);
  });
}

void KeeperClient::request(json body, const std::vector<int>& fds, OnReply on_reply) {
  uint64_t id = next_id_++;
  body["id"] = id;
  pending_[id] = std::move(on_reply);
  watch_silence();
  std::string text = body.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > core::kMaxKeeperMessage) {
    answer_later(id, make_error(Code::kNoSpace, "request to the keeper is larger than 256K"));
    return;
  }
  if (queue_.empty()) {
    auto sent = base::send_message(socket_.get(), text, fds);
    if (sent) return;
    if (sent.error().sys_errno != EAGAIN) {
      // A dead connection shows itself as EPOLLHUP and answers everything.
      if (sent.error().sys_errno == EPIPE || sent.error().sys_errno == ECONNRESET) return;
      answer_later(id, std::move(sent).error().context("zone-keeper"));
      return;
    }
  }
  Outgoing outgoing{std::move(text), {}};
  for (int fd : fds) {
    auto copy = base::dup_fd(fd);
    if (!copy) {
      answer_later(id, std::move(copy).error());
      return;
    }
    outgoing.fds.push_back(*std::move(copy));
  }
  queue_.push_back(std::move(outgoing));
  if (auto status = loop_->modify(socket_.get(), EPOLLIN | EPOLLOUT); !status)
    answer_later(id, status.error());
}

void KeeperClient::flush() {
  while (!queue_.empty()) {
    std::vector<int> fds;
    for (const auto& fd : queue_.front().fds) fds.push_back(fd.get());
    auto sent = base::send_message(socket_.get(), queue_.front().text, fds);
    if (!sent) return;  // full again, or broken: then EPOLLHUP follows
    queue_.pop_front();
  }
  // Only a descriptor that is not watched could fail here.
  static_cast<void>(loop_->modify(socket_.get(), EPOLLIN));
}

void KeeperClient::on_ready(uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  constexpr int kPerRound = 64;  // others get their turn
  for (int i = 0; i < kPerRound; ++i)
    if (!read_some()) return;
}

bool KeeperClient::read_some() {
  // Asks for the size first: most messages are tiny, and a buffer for the largest costs more than
  // the call.
  ssize_t size = recv(socket_.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (size > static_cast<ssize_t>(core::kMaxKeeperMessage)) {
    broken(make_error(Code::kInvalid, "zone-keeper has sent too large a message"));
    return false;
  }
  size_t room = size > 0 ? static_cast<size_t>(size) : 1;
  auto message = base::receive_message(socket_.get(), room);
  if (!message) {
    if (message.error().sys_errno != EAGAIN) broken(std::move(message).error());
    return false;
  }
  if (message->eof) {
    broken(make_error(Code::kIo, "zone-keeper has closed the connection"));
    return false;
  }
  auto alive = alive_;
  take(message->data, std::move(message->fds));
  return *alive;
}

void KeeperClient::take(const std::string& text, std::vector<base::UniqueFd> fds) {
  json body = json::parse(text, nullptr, false);
  auto id = body.is_object() ? body.find("id") : body.end();
  auto it = id != body.end() && id->is_number_unsigned() ? pending_.find(id->get<uint64_t>())
                                                         : pending_.end();
  if (it == pending_.end()) {
    if (allow_unasked() && body.is_object() && body.contains("event")) on_event_(body);
    return;
  }
  OnReply reply = std::move(it->second);
  pending_.erase(it);
  if (pending_.empty() && silence_ != 0) loop_->cancel(std::exchange(silence_, 0));
  if (auto error = body.find("error"); error != body.end()) {
    reply(core::error_from_json(*error));
  } else {
    reply(KeeperReply{std::move(body), std::move(fds)});
  }
}

bool KeeperClient::allow_unasked() {
  if (!unasked_ || unasked_->take(base::RateLimit::Clock::now())) return true;
  broken(make_error(Code::kInvalid, "it says more than it should"));
  return false;
}

// One timer, only while something is open: an idle daemon has none.
void KeeperClient::watch_silence() {
  constexpr std::chrono::seconds kPatience{75};  // the keeper's own limit for a launch is 60
  if (silence_ != 0) return;
  silence_ = loop_->after(kPatience, [this, newest = next_id_ - 1] {
    silence_ = 0;
    bool old = std::any_of(pending_.begin(), pending_.end(),
                           [newest](const auto& item) { return item.first <= newest; });
    if (old) return broken(make_error(Code::kTimeout, "zone-keeper does not answer"));
    if (!pending_.empty()) watch_silence();
  });
}

void KeeperClient::broken(base::Error error) {
  auto alive = alive_;
  if (silence_ != 0) loop_->cancel(std::exchange(silence_, 0));
  loop_->remove(socket_.get());
  auto pending = std::exchange(pending_, {});
  for (auto& [id, reply] : pending) {
    reply(error);
    if (!*alive) return;
  }
  OnBroken on_broken = std::move(on_broken_);
  on_broken(error);
}

}  // namespace zoned
