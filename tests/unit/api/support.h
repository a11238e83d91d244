// A server over socket pairs, driven step by step.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

#include "base/event_loop.h"
#include "base/unix_socket.h"
#include "tests/harness/parse_here.h"
#include "zoned/api/server.h"

namespace api_test {

// T out of Result<T>; a failed test otherwise.
template <typename T>
T take(base::Result<T> result) {
  INFO((result ? "" : result.error().message));
  REQUIRE(result.ok());
  return *std::move(result);
}

struct Fixture {
  std::unique_ptr<base::EventLoop> loop = take(base::EventLoop::create());
  std::vector<api::Call> calls;
  api::Parse parse = harness::parse_here;
  api::Server::Handler handler = [this](api::Call call) { calls.push_back(std::move(call)); };
  std::unique_ptr<api::Server> server;

  void start(api::Server::Options options = {}) {
    auto pair = take(base::socket_pair(SOCK_STREAM));  // never readable: stands for a listener
    keep = std::move(pair.second);
    server = take(api::Server::create(
        loop.get(), std::move(pair.first),
        [this](uid_t uid, const std::string& text, const api::OnParsed& done) {
          parse(uid, text, done);
        },
        [this](api::Call call) { handler(std::move(call)); }, options));
  }

  base::UniqueFd connect() {
    auto pair = take(base::socket_pair(SOCK_STREAM));
    REQUIRE(server->adopt(std::move(pair.first)).ok());
    return std::move(pair.second);
  }

  void turn(int rounds = 4) {
    for (int i = 0; i < rounds; ++i) REQUIRE(loop->run_once(std::chrono::milliseconds(0)).ok());
  }

  static void send(const base::UniqueFd& socket, std::string_view text) {
    REQUIRE(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  static void send_message(const base::UniqueFd& socket, std::string text) {
    text.push_back('\0');
    send(socket, text);
  }

  // All that waits at the socket.
  static std::string drain(const base::UniqueFd& socket) {
    std::string all;
    char buffer[65536];
    ssize_t n;
    while ((n = recv(socket.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
      all.append(buffer, static_cast<size_t>(n));
    return all;
  }
  static bool closed(const base::UniqueFd& socket) {
    char byte;
    return recv(socket.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }

  base::UniqueFd keep;
};

}  // namespace api_test
