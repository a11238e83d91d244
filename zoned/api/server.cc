#include "zoned/api/server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/files.h"

namespace api {

using base::Code;
using base::make_error;
using nlohmann::json;

struct Connection : std::enable_shared_from_this<Connection> {
  Connection(Server* s, base::UniqueFd fd, base::Peer p)
      : server(s), socket(std::move(fd)), peer(p) {}

  Server* server;  // null once closed
  base::UniqueFd socket;
  base::Peer peer;
  FrameReader reader{kMaxCallBytes, kMaxClientFds};
  FrameWriter writer;
  uint32_t watched = EPOLLIN;
  bool busy = false;         // a call is not answered yet
  bool dispatching = false;  // process() is on the stack
  bool parsing = false;      // the call in progress is still being read
  bool hung_up = false;      // the peer went meanwhile: it is watched no more
  bool eof = false;
  bool failed = false;  // to be closed when its queue has been sent
  bool incomplete_listed = false;
  base::EventLoop::Clock::time_point incomplete_since = {};
  std::function<void()> on_close;   // of the call in progress
  std::vector<base::UniqueFd> fds;  // of the message that is being read
};

struct Answer::State {
  std::weak_ptr<Connection> connection;
  bool more = false;
  bool oneway = false;
  bool done = false;
  std::function<void(const base::Error&)> on_fail;

  ~State() {
    if (done) return;
    auto target = connection.lock();
    if (!target || target->server == nullptr) return;
    if (!oneway)
      target->server->queue(target.get(), failed(make_error(Code::kInternal, "no answer")), {});
    target->server->finished(target.get());
  }
  State(std::weak_ptr<Connection> c, bool is_more, bool is_oneway)
      : connection(std::move(c)), more(is_more), oneway(is_oneway) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

bool Answer::open() const {
  auto target = state_->connection.lock();
  return !state_->done && target && target->server != nullptr;
}

void Answer::send(const ReplyMessage& reply, std::vector<base::UniqueFd> fds) const {
  if (state_->done) return;
  if (!reply.continues) state_->done = true;
  auto target = state_->connection.lock();
  if (!target || target->server == nullptr) return;
  if (!state_->oneway) target->server->queue(target.get(), reply, std::move(fds));
  if (state_->done) target->server->finished(target.get());
}

void Answer::reply(json parameters, std::vector<base::UniqueFd> fds) const {
  send({std::move(parameters), false, ""}, std::move(fds));
}

void Answer::next(json parameters, std::vector<base::UniqueFd> fds) const {
  if (state_->more) send({std::move(parameters), true, ""}, std::move(fds));
}

void Answer::fail(const base::Error& error) const {
  if (!state_->done && state_->on_fail) std::exchange(state_->on_fail, {})(error);
  send(failed(error), {});
}

void Answer::on_fail(std::function<void(const base::Error&)> callback) const {
  state_->on_fail = std::move(callback);
}

void Answer::on_close(std::function<void()> callback) const {
  if (state_->done) return;
  auto target = state_->connection.lock();
  if (target && target->server != nullptr) {
    target->on_close = std::move(callback);
  } else {
    callback();
  }
}

base::Result<std::unique_ptr<Server>> Server::create(base::EventLoop* loop, base::UniqueFd listener,
                                                     Parse parse, Handler handler,
                                                     Options options) {
  std::unique_ptr<Server> server(
      new Server(loop, std::move(listener), std::move(parse), std::move(handler), options));
  TRY_AS(server->interface_, parse_interface(interface_text()));
  TRY_AS(server->reserve_, base::open_at(AT_FDCWD, "/dev/null", O_RDONLY));
  Server* self = server.get();
  TRY(loop->add(self->listener_.get(), EPOLLIN, [self](uint32_t) { self->accept_some(); }));
  return server;
}

Server::~Server() {
  loop_->remove(listener_.get());
  if (incomplete_timer_ != 0) loop_->cancel(incomplete_timer_);
  while (!connections_.empty()) {
    ConnectionPtr connection = connections_.begin()->second;
    close(connection);
  }
}

bool Server::has_room(uid_t uid) const {
  if (connections_.size() >= options_.max_connections) return false;
  if (uid == 0) return true;
  auto it = per_uid_.find(uid);
  return unprivileged_ < options_.max_unprivileged &&
         (it == per_uid_.end() || it->second < options_.max_per_uid);
}

// Out of descriptors: the waiting connection would wake us for ever. Takes it with the reserve and
// refuses it.
void Server::shed_one() {
  reserve_.reset();
  base::UniqueFd refused(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  refused.reset();
  auto again = base::open_at(AT_FDCWD, "/dev/null", O_RDONLY);
  if (again) reserve_ = *std::move(again);
}

void Server::accept_some() {
  constexpr int kPerRound = 64;  // others get their turn
  for (int i = 0; i < kPerRound; ++i) {
    base::UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      int cause = errno;
      if (cause == EMFILE || cause == ENFILE) shed_one();
      if (cause == ECONNABORTED || cause == EINTR) continue;
      return;
    }
    // A refused peer has been told and is gone; there is nobody else to tell.
    static_cast<void>(adopt(std::move(socket)));
  }
}

base::Status Server::adopt(base::UniqueFd socket) {
  int flags = fcntl(socket.get(), F_GETFL);
  if (flags < 0 || fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    return base::sys_error("fcntl");
  TRY_AS(base::Peer peer, base::peer_of(socket.get()));
  if (!has_room(peer.uid)) {
    base::Error error = make_error(Code::kBusy, "zoned has too many connections", "try later");
    FrameWriter last;
    TRY(last.push(to_text(failed(error))));
    static_cast<void>(last.flush(socket.get()));  // best effort: the connection ends here
    return error;
  }
  int fd = socket.get();
  auto connection = std::make_shared<Connection>(this, std::move(socket), peer);
  TRY(loop_->add(fd, EPOLLIN,
                 [this, connection](uint32_t events) { on_event(connection, events); }));
  connections_.emplace(fd, connection);
  if (peer.uid != 0) {
    ++unprivileged_;
    ++per_uid_[peer.uid];
  }
  return {};
}

void Server::on_event(const ConnectionPtr& watched, uint32_t events) {
  ConnectionPtr connection = watched;  // close() destroys the callback that holds `watched`
  if ((events & (EPOLLERR | EPOLLHUP)) != 0 && connection->parsing) {
    // What was sent whole is done, also for a peer that does not wait for the answer.
    connection->hung_up = true;
    loop_->remove(connection->socket.get());
    return;
  }
  if ((events & EPOLLERR) != 0 ||
      ((events & EPOLLHUP) != 0 && (connection->busy || connection->eof || connection->failed))) {
    close(connection);
    return;
  }
  if ((events & (EPOLLIN | EPOLLHUP)) != 0 && !connection->busy) read(connection);
  process(connection);
  if (connection->server == nullptr) return;
  auto sent = connection->writer.flush(connection->socket.get());
  bool over = connection->eof && !connection->busy && !connection->reader.has_frame();
  if (!sent || (*sent && (over || connection->failed))) {
    close(connection);
    return;
  }
  update(connection.get());
}

void Server::read(const ConnectionPtr& connection) {
  auto more = connection->reader.read_from(connection->socket.get());
  if (more) {
    connection->eof = !*more;
  } else if (more.error().sys_errno == EAGAIN) {
    return;
  } else if (more.error().sys_errno != 0) {
    connection->failed = true;
  } else {
    queue(connection.get(), failed(more.error()), {});
    connection->failed = true;
  }
}

// Hands on what is complete, one call at a time. A loop, not recursion: calls that are answered at
// once must not grow the stack.
void Server::process(const ConnectionPtr& connection) {
  connection->dispatching = true;
  while (connection->server != nullptr && !connection->busy && !connection->failed) {
    auto frame = connection->reader.next();
    if (!frame) break;
    connection->incomplete_since = {};  // what may have begun behind it counts from now
    parse(connection, *std::move(frame));
  }
  connection->dispatching = false;
  if (connection->server != nullptr) watch_incomplete(connection);
}

void Server::parse(const ConnectionPtr& connection, Frame frame) {
  connection->busy = true;
  connection->parsing = true;
  connection->on_close = nullptr;
  connection->fds = std::move(frame.fds);
  std::weak_ptr<Connection> weak = connection;
  parse_(connection->peer.uid, frame.text, [weak](base::Result<ParsedCall> parsed) {
    auto target = weak.lock();
    if (target && target->server != nullptr) target->server->on_parsed(target, std::move(parsed));
  });
}

void Server::on_parsed(const ConnectionPtr& connection, base::Result<ParsedCall> parsed) {
  connection->parsing = false;
  std::vector<base::UniqueFd> fds = std::exchange(connection->fds, {});
  if (parsed) {
    dispatch(connection, *std::move(parsed), std::move(fds));
  } else {
    queue(connection.get(), failed(parsed.error()), {});
    connection->failed = true;
    finished(connection.get());
  }
  if (connection->hung_up) close(connection);
}

void Server::dispatch(const ConnectionPtr& connection, ParsedCall parsed,
                      std::vector<base::UniqueFd> fds) {
  CallMessage& call = parsed.message;
  Answer answer(std::make_shared<Answer::State>(connection, call.more, call.oneway));
  if (call.upgrade) {
    answer.send(service_error(kMethodNotImplemented, "method", call.method), {});
    return;
  }
  size_t dot = call.method.rfind('.');
  std::string interface = call.method.substr(0, dot == std::string::npos ? 0 : dot);
  if (interface == "org.varlink.service" && answer_service(call, answer)) return;
  if (interface != interface_.name && interface != "org.varlink.service") {
    answer.send(service_error(kInterfaceNotFound, "interface", interface), {});
    return;
  }
  std::string name = call.method.substr(dot + 1);
  auto method = interface_.methods.find(name);
  if (interface != interface_.name || method == interface_.methods.end()) {
    answer.send(service_error(kMethodNotFound, "method", call.method), {});
    return;
  }
  if (auto bad = check_members(interface_, method->second.parameters, call.parameters)) {
    answer.send(service_error(kInvalidParameter, "parameter", bad->path + ": " + bad->why), {});
    return;
  }
  handler_(Call{connection->peer, std::move(name), std::move(call.parameters),
                std::move(parsed.config), std::move(fds), call.more, std::move(answer)});
}

// org.varlink.service. False: not one of its methods.
bool Server::answer_service(const CallMessage& call, const Answer& answer) const {
  if (call.method == "org.varlink.service.GetInfo") {
    answer.reply({{"vendor", "zoned"},
                  {"product", "zoned"},
                  {"version", ZONED_VERSION},
                  {"url", ""},
                  {"interfaces", {"io.zoned", "org.varlink.service"}}});
    return true;
  }
  if (call.method != "org.varlink.service.GetInterfaceDescription") return false;
  auto wanted = call.parameters.find("interface");
  if (wanted == call.parameters.end() || !wanted->is_string()) {
    answer.send(service_error(kInvalidParameter, "parameter", "interface"), {});
  } else if (*wanted == interface_.name) {
    answer.reply({{"description", std::string(interface_text())}});
  } else {
    answer.send(service_error(kInterfaceNotFound, "interface", wanted->get<std::string>()), {});
  }
  return true;
}

// Called from answers at any time, so it never closes: a dead or stuck peer is shut down, and the
// loop reports that like any other hang-up.
void Server::queue(Connection* connection, const ReplyMessage& reply,
                   std::vector<base::UniqueFd> fds) {
  if (connection->failed) return;
  auto pushed = connection->writer.push(to_text(reply), std::move(fds));
  if (pushed && connection->dispatching) return;  // on_event() sends all that one read gave
  if (pushed) {
    auto sent = connection->writer.flush(connection->socket.get());
    if (sent) {
      update(connection);
      return;
    }
  }
  connection->failed = true;
  shutdown(connection->socket.get(), SHUT_RDWR);
}

void Server::finished(Connection* connection) {
  connection->busy = false;
  connection->on_close = nullptr;
  if (connection->dispatching) return;
  bool waiting = connection->reader.has_frame() || connection->eof || connection->failed;
  update(connection);
  if (!waiting) return;
  // From the loop, not from here: the handler that answers may be in the middle of something.
  loop_->after(std::chrono::milliseconds(0), [weak = connection->weak_from_this()] {
    auto target = weak.lock();
    if (target && target->server != nullptr) target->server->on_event(target, EPOLLOUT);
  });
}

void Server::watch_incomplete(const ConnectionPtr& connection) {
  if (!connection->reader.partial()) {
    connection->incomplete_since = {};
    return;
  }
  if (connection->incomplete_since != Clock::time_point{}) return;
  connection->incomplete_since = Clock::now();
  if (connection->incomplete_listed) return;
  connection->incomplete_listed = true;
  incomplete_.emplace(connection->incomplete_since + options_.incomplete_timeout, connection);
  if (incomplete_timer_ == 0) {
    incomplete_timer_ = loop_->after(options_.incomplete_timeout, [this] { drop_incomplete(); });
  }
}

void Server::drop_incomplete() {
  incomplete_timer_ = 0;
  auto now = Clock::now();
  while (!incomplete_.empty() && incomplete_.begin()->first <= now) {
    ConnectionPtr connection = incomplete_.begin()->second.lock();
    incomplete_.erase(incomplete_.begin());
    if (!connection || connection->server == nullptr) continue;
    connection->incomplete_listed = false;
    if (connection->incomplete_since == Clock::time_point{} || connection->busy) {
      connection->incomplete_since = {};  // counts anew when it is read again
      continue;
    }
    auto deadline = connection->incomplete_since + options_.incomplete_timeout;
    if (deadline <= now) {
      close(connection);
    } else {
      connection->incomplete_listed = true;
      incomplete_.emplace(deadline, connection);
    }
  }
  if (incomplete_.empty()) return;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(incomplete_.begin()->first - now);
  incomplete_timer_ = loop_->after(left, [this] { drop_incomplete(); });
}

// A busy or ended connection is not read; the loop still reports when the peer hangs up.
void Server::update(Connection* connection) {
  uint32_t wanted = 0;
  if (!connection->busy && !connection->eof && !connection->failed) wanted |= EPOLLIN;
  if (!connection->writer.empty()) wanted |= EPOLLOUT;
  if (wanted == connection->watched) return;
  connection->watched = wanted;
  if (!loop_->modify(connection->socket.get(), wanted).ok()) {
    connection->failed = true;
    shutdown(connection->socket.get(), SHUT_RDWR);
  }
}

void Server::close(const ConnectionPtr& doomed) {
  ConnectionPtr connection = doomed;
  if (connection->server == nullptr) return;
  connection->server = nullptr;
  uid_t uid = connection->peer.uid;
  if (uid != 0) {
    --unprivileged_;
    if (--per_uid_[uid] == 0) per_uid_.erase(uid);
  }
  int fd = connection->socket.get();
  connections_.erase(fd);
  loop_->remove(fd);
  connection->socket.reset();
  auto on_close = std::exchange(connection->on_close, nullptr);
  if (on_close) on_close();
}

}  // namespace api
