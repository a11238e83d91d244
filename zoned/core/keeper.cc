#include "zoned/core/keeper.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <csignal>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "base/process.h"
#include "base/strings.h"

namespace core {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using nlohmann::json;

Keeper::Keeper(KeeperSetup setup, std::unique_ptr<base::EventLoop> loop)
    : setup_(std::move(setup)), loop_(std::move(loop)) {}

Keeper::~Keeper() { hubs_.clear(); }  // they refer to the loop

Result<std::unique_ptr<Keeper>> Keeper::create(KeeperSetup setup) {
  TRY_AS(auto loop, base::EventLoop::create());
  std::unique_ptr<Keeper> keeper(new Keeper(std::move(setup), std::move(loop)));
  TRY(keeper->start());
  return keeper;
}

Status Keeper::start() {
  // SIGPIPE is only blocked: an ignored signal would be inherited by zones.
  TRY(loop_->on_signals({SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPIPE}, [this](int signal) {
    if (signal == SIGCHLD) reap();
    if (signal == SIGTERM && zones_.empty() && !busy()) loop_->stop();
  }));
  return loop_->add(setup_.listener.get(), EPOLLIN, [this](uint32_t) { accept_connections(); });
}

Status Keeper::run() {
  reap();
  return loop_->run();
}

// --- connections ---------------------------------------------------------------------------------

void Keeper::accept_connections() {
  constexpr size_t kMaxConnections = 16;
  while (true) {
    UniqueFd socket(accept4(setup_.listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return;
    auto peer = base::peer_of(socket.get());
    if (!peer || peer->uid != 0 || connections_.size() >= kMaxConnections) continue;
    // A launch message may be large, and a default buffer holds barely one.
    int bytes = 4 << 20;
    setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    uint64_t id = next_connection_++;
    int fd = socket.get();
    connections_[id] = Connection{id, std::move(socket)};
    auto added = loop_->add(fd, EPOLLIN, [this, id](uint32_t) { on_request(id); });
    if (!added) connections_.erase(id);
  }
}

void Keeper::drop_connection(uint64_t id) {
  auto it = connections_.find(id);
  if (it == connections_.end()) return;
  loop_->remove(it->second.socket.get());
  connections_.erase(it);
}

void Keeper::on_request(uint64_t id) {
  auto connection = connections_.find(id);
  if (connection == connections_.end()) return;
  auto message = base::receive_message(connection->second.socket.get(), kMaxKeeperMessage);
  if (!message && message.error().sys_errno == EAGAIN) return;
  if (!message || message->eof) return drop_connection(id);
  json request = json::parse(message->data, nullptr, false);
  if (!request.is_object() || !request.contains("id") || !request["id"].is_number_integer())
    return drop_connection(id);
  NamedFds fds;
  const json& names = request.contains("fds") ? request["fds"] : json::array();
  bool matched = names.is_array() && names.size() == message->fds.size();
  for (size_t i = 0; matched && i < names.size(); ++i) {
    matched = names[i].is_string();
    if (matched) fds[names[i].get<std::string>()] = std::move(message->fds[i]);
  }
  if (!matched)
    return reply_error(id, request["id"].get<int64_t>(),
                       make_error(Code::kInvalid, "descriptors and their names differ"));
  dispatch(id, request, std::move(fds));
}

void Keeper::dispatch(uint64_t id, const json& request, NamedFds fds) {
  int64_t number = request["id"].get<int64_t>();
  Status done;
  try {
    std::string op = request.at("op").get<std::string>();
    if (op == "hello") {
      return reply(id, number, hello(request.value("after", "")));
    }
    if (op == "launch") {
      done = launch(id, request, std::move(fds));
      if (done) return;  // the job replies
    } else if (op == "enter") {
      done = enter(id, request, std::move(fds));
      if (done) return;
    } else if (op == "mount") {
      done = mount(id, request);
      if (done) return;
    } else if (op == "prepare") {
      done = prepare(id, request);
      if (done) return;
    } else if (op == "console") {
      auto socket = attach_console(request.at("zone").get<std::string>());
      if (!socket) return reply_error(id, number, socket.error());
      return reply(id, number, json::object(), {socket->get()});
    } else if (op == "hang-up") {
      hubs_.erase(request.at("zone").get<std::string>());
    } else if (op == "output") {
      Zone* zone = find(request.at("zone").get<std::string>());
      if (zone != nullptr && zone->output)
        return reply(id, number, json::object(), {zone->output.get()});
      done = make_error(Code::kNotFound, "no such output");
    } else if (op == "narrow") {
      done = narrow(request.at("zone").get<std::string>());
    } else if (op == "signal") {
      done = signal_zone(request);
    } else if (op == "adopt") {
      done = adopt(request, std::move(fds));
    } else if (op == "forget") {
      Zone* zone = find(request.at("zone").get<std::string>());
      if (zone != nullptr && !zone->record.exited)
        done = make_error(Code::kState, "the zone is running");
      else if (zone != nullptr)
        zones_.erase(zone->record.zone);
    } else if (op == "reexec") {
      done = reexec(request.at("binary").get<std::string>());
    } else if (op == "quit") {
      bool idle = !busy() && std::all_of(zones_.begin(), zones_.end(), [](const auto& zone) {
        return zone.second.record.exited;
      });
      if (idle) loop_->stop();
      if (!idle) done = make_error(Code::kBusy, "zones are running");
    } else {
      done = make_error(Code::kInvalid, base::quoted(op) + " is not a request");
    }
  } catch (const json::exception& e) {
    done = make_error(Code::kInvalid, std::string("request: ") + e.what());
  }
  if (!done) return reply_error(id, number, done.error());
  reply(id, number, json::object());
}

void Keeper::reply(uint64_t id, int64_t request, json body, const std::vector<int>& fds) {
  auto connection = connections_.find(id);
  if (connection == connections_.end()) return;
  body["id"] = request;
  // zoned reads all the time; one that does not is stuck, and its successor asks again by hello.
  if (!base::send_message(connection->second.socket.get(), to_text(body), fds)) drop_connection(id);
}

void Keeper::reply_error(uint64_t id, int64_t request, const base::Error& error) {
  reply(id, request, {{"error", error_to_json(error)}});
}

void Keeper::broadcast(const json& event) {
  std::vector<uint64_t> broken;
  for (auto& [id, connection] : connections_)
    if (!base::send_message(connection.socket.get(), to_text(event))) broken.push_back(id);
  for (uint64_t id : broken) drop_connection(id);
}

// --- requests ------------------------------------------------------------------------------------

json Keeper::hello(const std::string& after) {
  // What fits a message whatever the names are (kMaxKeeperMessage).
  constexpr size_t kZonesPerReply = 500;
  json zones = json::array();
  auto zone = zones_.upper_bound(after);
  for (; zone != zones_.end() && zones.size() < kZonesPerReply; ++zone)
    zones.push_back(to_json(zone->second.record));
  return {{"pid", getpid()},
          {"version", kKeeperProtocol},
          {"zones", std::move(zones)},
          {"more", zone != zones_.end()}};
}

Status Keeper::signal_zone(const json& request) {
  Zone* zone = find(request.at("zone").get<std::string>());
  int signal = request.at("signal").get<int>();
  if (signal < 1 || signal > SIGRTMAX) return make_error(Code::kInvalid, "bad signal");
  if (zone == nullptr || zone->record.exited) return make_error(Code::kNotFound, "no such zone");
  if (zone->pidfd) return base::signal_pidfd(zone->pidfd.get(), signal);
  // Our child, not reaped yet: the number can't have been used again.
  if (kill(zone->record.pid, signal) != 0) return base::sys_error("kill");
  return {};
}

Status Keeper::narrow(const std::string& name) {
  Zone* zone = find(name);
  if (zone == nullptr || zone->record.exited) return make_error(Code::kNotFound, "no such zone");
  if (!zone->start_calls) return {};
  loop_->remove(zone->start_calls.get());
  zone->start_calls.reset();
  return {};
}

Result<UniqueFd> Keeper::attach_console(const std::string& zone) {
  TRY_AS(auto pair, base::socket_pair(SOCK_STREAM));
  hub(zone).add_client(std::move(pair.first));
  return std::move(pair.second);
}

}  // namespace core
