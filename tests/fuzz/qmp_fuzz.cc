// What a hostile QEMU may send: however it is cut, the same messages come out; and operations that
// get lines of the input for answers end, with whatever result.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "vmzone/control.h"

namespace {

constexpr const char* kGreeting =
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}}}}\n"
    "{\"return\": {}, \"id\": 0}\n";

// The kinds of the messages, up to the first malformed one.
std::string kinds_of(std::string_view bytes, size_t piece) {
  vmzone::QmpReader reader;
  std::string kinds;
  for (size_t i = 0; i < bytes.size(); i += piece) {
    reader.feed(bytes.substr(i, piece));
    while (true) {
      auto message = reader.next();
      if (!message) return kinds + "!";
      if (!message->has_value()) break;
      kinds += std::to_string((*message)->index());
    }
  }
  return kinds;
}

struct Peer {
  explicit Peer(base::EventLoop* loop) {
    auto pair = base::socket_pair(SOCK_STREAM);
    if (!pair) abort();
    socket = std::move(pair->first);
    vmzone::Qmp::Handlers handlers;
    handlers.on_ready = [](const auto&) {};
    handlers.on_event = [](const auto& event) { vmzone::guest_change_of(event); };
    handlers.on_lost = [](uint64_t) {};
    handlers.on_broken = [this](const auto&) { broken = true; };
    auto made = vmzone::Qmp::create(loop, std::move(pair->second), std::move(handlers));
    if (!made) abort();
    qmp = *std::move(made);
    write(kGreeting);
  }
  void write(std::string_view bytes) {
    send(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  // Answers what has been asked with the next lines.
  void answer(const std::vector<std::string>& lines) {
    auto got = recv(socket.get(), nullptr, 0, MSG_PEEK | MSG_DONTWAIT) < 0
                   ? base::Result<base::Message>(base::Message())
                   : base::receive_message(socket.get(), 1 << 16);
    if (!got) abort();
    for (const std::string& text : base::split(got->data, '\n')) {
      auto request = nlohmann::json::parse(text, nullptr, false);
      if (!request.is_object() || request["id"] == 0) continue;
      std::string line = next < lines.size() ? lines[next++] : "{}";
      std::string body =
          line.starts_with("!") ? "\"error\": " + line.substr(1) : "\"return\": " + line;
      write("{\"id\": " + request["id"].dump() + ", " + body + "}\n");
    }
  }
  base::UniqueFd socket;
  std::unique_ptr<vmzone::Qmp> qmp;
  bool broken = false;
  size_t next = 0;
};

void operate(const std::vector<std::string>& lines) {
  auto loop = base::EventLoop::create();
  auto image = base::sealed_memfd("image", "x");
  if (!loop || !image) abort();
  Peer peer(loop->get());
  size_t open = 3;
  auto done = [&open](const auto&) { --open; };
  vmzone::query_status(peer.qmp.get(), done);
  vmzone::insert_cd(peer.qmp.get(), "cd0", *std::move(image), false, done);
  vmzone::screendump(peer.qmp.get(), done);
  // Each of them asks at most a dozen times.
  for (int round = 0; round < 100 && open > 0; ++round) {
    if (!(*loop)->run_once(std::chrono::milliseconds(0))) abort();
    if (!peer.broken) peer.answer(lines);
  }
  if (open != 0) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  std::string whole = kinds_of(text, text.size() + 1);
  for (size_t piece : {size_t{1}, size_t{7}, size_t{4096}})
    if (kinds_of(text, piece) != whole) abort();
  operate(base::split(text, '\n'));
  return 0;
}
