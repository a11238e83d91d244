#include "zoned/daemon/parser_process.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "base/process.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "zoned/api/tagged.h"
#include "zoned/core/parse_serve.h"
#include "zoned/core/parse_text.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using nlohmann::json;

namespace {

constexpr size_t kMaxGreeting = 4096;
constexpr size_t kReadSize = 256 << 10;

base::Error ended_error() {
  return make_error(Code::kIo, "the process that reads this user's messages has ended",
                    "try again; zoned starts another");
}

size_t length_of(const std::string& bytes) {
  size_t length = 0;
  for (size_t i = 0; i < core::kParseHead; ++i)
    length |= static_cast<size_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return length;
}

}  // namespace

ParserProcess::ParserProcess(base::EventLoop* loop, Options options, UniqueFd socket,
                             std::function<void()> on_end)
    : loop_(loop),
      options_(std::move(options)),
      socket_(std::move(socket)),
      on_end_(std::move(on_end)) {}

ParserProcess::~ParserProcess() {
  on_end_ = nullptr;
  waiting_.clear();
  end(ended_error());
}

Result<std::shared_ptr<ParserProcess>> ParserProcess::start(base::EventLoop* loop,
                                                            Children* children, Options options,
                                                            std::function<void()> on_end) {
  TRY_AS(auto pair, base::socket_pair(SOCK_STREAM));
  TRY(children->spawn({options.program, std::to_string(options.host_id)}, nullptr,
                      pair.second.get()));
  if (fcntl(pair.first.get(), F_SETFL, O_NONBLOCK) != 0) return base::sys_error("fcntl");
  std::shared_ptr<ParserProcess> process(
      new ParserProcess(loop, std::move(options), std::move(pair.first), std::move(on_end)));
  std::weak_ptr<ParserProcess> weak = process;
  TRY(loop->add(process->socket_.get(), EPOLLIN, [weak](uint32_t events) {
    if (auto target = weak.lock()) target->on_event(events);
  }));
  process->watch_deadline();
  return process;
}

void ParserProcess::ask(std::string request, OnAnswer on_answer) {
  if (ended_) {
    loop_->after(std::chrono::milliseconds(0),
                 [on_answer = std::move(on_answer)] { on_answer(ended_error()); });
    return;
  }
  std::string head;
  for (size_t i = 0; i < core::kParseHead; ++i)
    head.push_back(static_cast<char>(static_cast<unsigned char>(request.size() >> (8 * i))));
  request.insert(0, head);
  if (waiting_.empty()) since_ = Clock::now();
  out_.push_back(std::move(request));
  waiting_.push_back(std::move(on_answer));
  watch_deadline();
  // What goes wrong here is told by the loop, as a hang-up.
  if (ready_) static_cast<void>(flush());
}

void ParserProcess::on_event(uint32_t) {
  auto keep = shared_from_this();  // an answer may destroy its asker
  Status status = ready_ ? receive() : greet();
  if (status && !ended_ && ready_) status = flush();
  if (!status) end(status.error());
}

// "+PID" with a pidfd, or "-" and why there is none.
Status ParserProcess::greet() {
  auto message = base::receive_message(socket_.get(), kMaxGreeting);
  if (!message && message.error().sys_errno == EAGAIN) return {};
  if (!message) return std::move(message).error();
  if (message->eof) return ended_error();
  if (message->data.starts_with('-'))
    return make_error(
        Code::kIo,
        "zone-parse: " + std::string(base::trim(std::string_view(message->data).substr(1))));
  if (!message->data.starts_with('+') || message->fds.size() != 1)
    return make_error(Code::kIo, "zone-parse says something else than it should");
  pidfd_ = std::move(message->fds.front());
  ready_ = true;
  since_ = Clock::now();
  loop_->cancel(std::exchange(timer_, 0));  // from now on the other deadline
  if (!waiting_.empty()) watch_deadline();
  return {};
}

Status ParserProcess::receive() {
  char buffer[kReadSize];
  while (!ended_) {
    // read(2) takes no descriptors: what it may send is dropped.
    ssize_t n = read(socket_.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return {};
    if (n < 0) return base::sys_error("zone-parse");
    if (n == 0) return ended_error();
    in_.append(buffer, static_cast<size_t>(n));
    TRY(take_answers());
  }
  return {};
}

Status ParserProcess::take_answers() {
  while (!ended_ && !in_.empty()) {
    base::Error strange = ended_error();
    if (waiting_.size() <= out_.size()) return strange;  // nobody asked, or not to the end yet
    if (in_.size() < core::kParseHead) return {};
    size_t length = length_of(in_);
    if (length > api::kMaxTaggedBytes) return strange;
    if (in_.size() < core::kParseHead + length) return {};
    auto answer = core::take_answer(std::string_view(in_).substr(core::kParseHead, length));
    if (!answer && answer.error().code == Code::kInternal) return strange;
    in_.erase(0, core::kParseHead + length);
    OnAnswer on_answer = std::move(waiting_.front());
    waiting_.pop_front();
    since_ = Clock::now();
    // Nothing may wake a daemon that has nothing to do.
    if (waiting_.empty()) loop_->cancel(std::exchange(timer_, 0));
    on_answer(std::move(answer));
  }
  return {};
}

Status ParserProcess::flush() {
  while (!out_.empty()) {
    const std::string& first = out_.front();
    ssize_t n =
        send(socket_.get(), first.data() + out_offset_, first.size() - out_offset_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) return base::sys_error("zone-parse");
    out_offset_ += static_cast<size_t>(n);
    if (out_offset_ < first.size()) continue;
    out_.pop_front();
    out_offset_ = 0;
  }
  uint32_t wanted = out_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
  if (wanted == watched_) return {};
  watched_ = wanted;
  return loop_->modify(socket_.get(), wanted);
}

// One timer while there is an answer to wait for, not moved by each: it looks when it fires.
void ParserProcess::watch_deadline() {
  if (timer_ != 0) return;
  auto patience = ready_ ? options_.answer : options_.start;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(since_ + patience - Clock::now());
  timer_ = loop_->after(std::max(left, std::chrono::milliseconds(1)), [this] {
    timer_ = 0;
    if (ready_ && waiting_.empty()) return;
    if (Clock::now() - since_ < (ready_ ? options_.answer : options_.start))
      return watch_deadline();
    auto keep = shared_from_this();
    end(make_error(Code::kTimeout, "the process that reads this user's messages does not answer"));
  });
}

void ParserProcess::end(const base::Error& why) {
  if (std::exchange(ended_, true)) return;
  if (timer_ != 0) loop_->cancel(std::exchange(timer_, 0));
  loop_->remove(socket_.get());
  socket_.reset();  // what is still on its way into the cell finds nobody to serve
  if (pidfd_) static_cast<void>(base::signal_pidfd(pidfd_.get(), SIGKILL));
  for (auto& on_answer : std::exchange(waiting_, {})) on_answer(why);
  if (auto on_end = std::exchange(on_end_, nullptr)) on_end();
}

}  // namespace zoned
