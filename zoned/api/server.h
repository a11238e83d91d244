// The daemon's side of the API: accepts, identifies the peer, frames, has every message read, validates
// the call against the interface definition, and hands it to one handler. What reaches the handler has
// the types that io.zoned.varlink says; who may do what is the handler's business.
//
// Calls of one connection are answered in order: the next one is read when the last has been
// answered, so a client can't queue work without bound. A peer that does not read its replies is
// dropped at kMaxQueuedBytes; one that leaves a message incomplete is dropped after a time-out.
// Idle connections cost one descriptor and no timer.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "base/unix_socket.h"
#include "zoned/api/frame.h"
#include "zoned/api/idl.h"
#include "zoned/api/message.h"

namespace api {

class Server;
struct Connection;

// How one call is answered: at once or at any later time, also after the client or the server has
// gone (then nothing happens). Copies share one answer. When the last copy goes without an answer,
// the client gets an error of code "internal". Never calls a handler or an on_close callback from
// inside its own functions.
class Answer {
 public:
  // The last or only reply.
  void reply(nlohmann::json parameters, std::vector<base::UniqueFd> fds = {}) const;
  // A reply that others follow. Dropped unless the call said "more".
  void next(nlohmann::json parameters, std::vector<base::UniqueFd> fds = {}) const;
  // Ends the call with io.zoned.Failed.
  void fail(const base::Error& error) const;
  // Neither answered nor abandoned by the client.
  bool open() const;
  // Runs callback (once) if the client goes before the call is answered; at once if it has gone.
  // For streams that must be stopped. Replaces an earlier callback.
  void on_close(std::function<void()> callback) const;
  // Runs callback when the call ends with an error, whether or not somebody still listens.
  void on_fail(std::function<void(const base::Error&)> callback) const;

 private:
  friend class Server;
  struct State;
  explicit Answer(std::shared_ptr<State> state) : state_(std::move(state)) {}
  void send(const ReplyMessage& reply, std::vector<base::UniqueFd> fds) const;
  std::shared_ptr<State> state_;
};

// What was read from a message.
struct ParsedCall {
  CallMessage message;
  nlohmann::json config;  // what the reader made of configuration in it; null: there was none
};
// Called once, at any time; an error ends the connection once it has been told.
using OnParsed = std::function<void(base::Result<ParsedCall>)>;
// Reads one message of a process of `uid`, without NUL. The bytes may be anything: zoned has them read
// by a process apart.
using Parse = std::function<void(uid_t uid, const std::string& text, OnParsed done)>;

struct Call {
  base::Peer peer;                  // as of connect(2)
  std::string method;               // "List": a method of io.zoned
  nlohmann::json parameters;        // checked
  nlohmann::json config;            // as ParsedCall's, unchecked
  std::vector<base::UniqueFd> fds;  // at most kMaxClientFds, unchecked; never seen by the reader
  bool more = false;
  Answer answer;
};

class Server {
 public:
  struct Options {
    size_t max_connections = 16384;  // all together
    size_t max_unprivileged = 4096;  // of uids other than 0
    size_t max_per_uid = 64;         // of one such uid
    std::chrono::milliseconds incomplete_timeout = std::chrono::seconds(30);
  };
  using Handler = std::function<void(Call)>;

  // Serves on `listener`, a listening SOCK_STREAM unix socket, non-blocking. The loop outlives the
  // server.
  static base::Result<std::unique_ptr<Server>> create(base::EventLoop* loop,
                                                      base::UniqueFd listener, Parse parse,
                                                      Handler handler, Options options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Serves a connected stream socket as if it had been accepted.
  base::Status adopt(base::UniqueFd socket);
  size_t connections() const { return connections_.size(); }
  // What is served, parsed from interface_text().
  const Interface& interface() const { return interface_; }

 private:
  friend class Answer;
  using ConnectionPtr = std::shared_ptr<Connection>;
  using Clock = base::EventLoop::Clock;

  Server(base::EventLoop* loop, base::UniqueFd listener, Parse parse, Handler handler,
         Options options)
      : loop_(loop),
        listener_(std::move(listener)),
        parse_(std::move(parse)),
        handler_(std::move(handler)),
        options_(options) {}
  void accept_some();
  void shed_one();
  bool has_room(uid_t uid) const;
  void on_event(const ConnectionPtr& connection, uint32_t events);
  void read(const ConnectionPtr& connection);
  void process(const ConnectionPtr& connection);
  void parse(const ConnectionPtr& connection, Frame frame);
  void on_parsed(const ConnectionPtr& connection, base::Result<ParsedCall> parsed);
  void dispatch(const ConnectionPtr& connection, ParsedCall parsed,
                std::vector<base::UniqueFd> fds);
  bool answer_service(const CallMessage& call, const Answer& answer) const;
  void queue(Connection* connection, const ReplyMessage& reply, std::vector<base::UniqueFd> fds);
  void finished(Connection* connection);
  void watch_incomplete(const ConnectionPtr& connection);
  void drop_incomplete();
  void update(Connection* connection);
  void close(const ConnectionPtr& connection);

  base::EventLoop* loop_;
  base::UniqueFd listener_;
  base::UniqueFd reserve_;  // given up to accept and refuse when descriptors have run out
  Parse parse_;
  Handler handler_;
  Options options_;
  Interface interface_;
  std::unordered_map<int, ConnectionPtr> connections_;
  std::map<uid_t, size_t> per_uid_;  // of uids other than 0
  size_t unprivileged_ = 0;
  // When connections with an incomplete message are looked at, each at most once.
  std::multimap<Clock::time_point, std::weak_ptr<Connection>> incomplete_;
  base::EventLoop::TimerId incomplete_timer_ = 0;  // 0: not set
};

}  // namespace api
