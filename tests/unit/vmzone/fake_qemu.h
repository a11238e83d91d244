// The other end of a Qmp, driven by hand: a QEMU that says what the test wants it to say.
#pragma once

#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/unix_socket.h"
#include "vmzone/qmp.h"

namespace vmzone::testing {

template <typename T>
T must(base::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}
inline void must(const base::Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

struct FakeQemu {
  enum class Shake { kNow, kLater };

  explicit FakeQemu(Shake shake = Shake::kNow) : loop(must(base::EventLoop::create())) {
    auto pair = must(base::socket_pair(SOCK_STREAM));
    socket = std::move(pair.first);
    Qmp::Handlers handlers;
    handlers.on_ready = [this](const QmpGreeting& greeting) { major = greeting.major; };
    handlers.on_event = [this](const QmpEvent& event) { events.push_back(event); };
    handlers.on_lost = [this](uint64_t count) { lost += count; };
    handlers.on_broken = [this](const base::Error& error) {
      broken = error.message;
      qmp.reset();
    };
    qmp = must(Qmp::create(loop.get(), std::move(pair.second), std::move(handlers)));
    if (shake == Shake::kNow) handshake();
  }

  void handshake() {
    greet();
    if (receive()["execute"] != "qmp_capabilities") throw std::runtime_error("no handshake");
    answer(nlohmann::json::object());
    while (qmp && !qmp->ready()) spin();
  }
  void greet() {
    send({{"QMP",
           {{"version", {{"qemu", {{"major", 7}, {"minor", 2}, {"micro", 22}}}}},
            {"capabilities", nlohmann::json::array()}}}});
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) bytes.remove_prefix(must(base::send_message(socket.get(), bytes)));
  }
  void send(const nlohmann::json& message) { write(message.dump() + "\r\n"); }
  // To the request that was received last.
  void answer(const nlohmann::json& value) { send({{"return", value}, {"id", id}}); }
  void fail(const std::string& qmp_class, const std::string& text) {
    send({{"error", {{"class", qmp_class}, {"desc", text}}}, {"id", id}});
  }

  // Lets the loop run until a request is here.
  nlohmann::json receive() {
    while (true) {
      if (size_t end = input_.find('\n'); end != std::string::npos) {
        auto request = nlohmann::json::parse(input_.substr(0, end));
        input_.erase(0, end + 1);
        id = request["id"];
        return request;
      }
      spin(0);
      take();
    }
  }
  // A descriptor that came.
  base::UniqueFd receive_fd() {
    if (files_.empty()) return {};
    base::UniqueFd first = std::move(files_.front());
    files_.pop_front();
    return first;
  }
  void spin(int milliseconds = 20) {
    must(loop->run_once(std::chrono::milliseconds(milliseconds)));
  }

  std::unique_ptr<base::EventLoop> loop;
  base::UniqueFd socket;
  std::unique_ptr<Qmp> qmp;
  unsigned major = 0;
  std::vector<QmpEvent> events;
  uint64_t lost = 0;
  std::string broken;
  uint64_t id = 0;

 private:
  void take() {
    if (recv(socket.get(), nullptr, 0, MSG_PEEK | MSG_DONTWAIT) < 0) return;
    auto message = must(base::receive_message(socket.get(), 64 << 10));
    input_ += message.data;
    for (auto& fd : message.fds) files_.push_back(std::move(fd));
  }
  std::string input_;
  std::deque<base::UniqueFd> files_;
};

}  // namespace vmzone::testing
