// What a client sends: a byte stream, cut after the length that its first byte says. Framing gives the
// same messages however the stream is cut; what the strict parser takes survives the way to text and
// back; what reaches a handler fits the interface; and a whole server digests the stream.
#include <fcntl.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "tests/harness/parse_here.h"
#include "zoned/api/idl.h"
#include "zoned/api/message.h"
#include "zoned/api/server.h"

namespace {

void require(bool good, const char* what, std::string_view detail) {
  if (good) return;
  std::fprintf(stderr, "%s:\n%.*s\n", what, static_cast<int>(detail.size()), detail.data());
  std::abort();
}

std::vector<std::string> frames_of(std::string_view stream, size_t piece) {
  api::FrameReader reader(api::kMaxCallBytes, api::kMaxClientFds);
  std::vector<std::string> frames;
  for (size_t at = 0; at < stream.size(); at += piece) {
    require(reader.feed(stream.substr(at, piece), {}).ok(), "short stream refused", stream);
    while (auto frame = reader.next()) frames.push_back(std::move(frame->text));
  }
  return frames;
}

void check_message(const std::string& text, const api::Interface& interface) {
  auto reply = api::parse_reply(text);
  if (reply) require(!api::error_of(*reply).message.empty(), "error without text", text);
  auto call = api::parse_call(text);
  if (!call) {
    require(base::is_clean_utf8(call.error().message), "error is not UTF-8", text);
    return;
  }
  auto again = api::parse_call(api::to_text(*call));
  require(again.ok() && again->method == call->method && again->parameters == call->parameters,
          "call does not survive", text);
  for (const auto& [name, method] : interface.methods) {
    auto bad = api::check_members(interface, method.parameters, call->parameters);
    require(!bad || !bad->why.empty(), "fault without a reason", text);
  }
}

void serve(std::string_view stream, const api::Interface& interface) {
  auto loop = base::EventLoop::create();
  auto idle = base::socket_pair(SOCK_STREAM);
  auto pair = base::socket_pair(SOCK_STREAM);
  require(loop.ok() && idle.ok() && pair.ok(), "no sockets", "");
  auto handler = [&interface](const api::Call& call) {
    const api::Method& method = interface.methods.at(call.method);
    auto bad = api::check_members(interface, method.parameters, call.parameters);
    require(!bad, "handler sees parameters that do not fit", call.method);
    if (call.method == "Halt") return;  // a handler that forgets
    if (call.more) call.answer.next({{"n", 1}});
    call.answer.reply({{"n", 2}});
  };
  auto server =
      api::Server::create(loop->get(), std::move(idle->first), harness::parse_here, handler, {});
  require(server.ok() && (*server)->adopt(std::move(pair->first)).ok(), "no server", "");
  send(pair->second.get(), stream.data(), stream.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  shutdown(pair->second.get(), SHUT_WR);
  for (int i = 0; i < 40 && (*server)->connections() > 0; ++i) {
    require((*loop)->run_once(std::chrono::milliseconds(0)).ok(), "loop", "");
    char sink[65536];
    while (recv(pair->second.get(), sink, sizeof sink, MSG_DONTWAIT) > 0) continue;
  }
  require((*server)->connections() == 0, "connection outlives its client", stream);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const api::Interface interface = *api::parse_interface(api::interface_text());
  if (size < 1 || size > size_t{64} * 1024) return 0;
  std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto frames = frames_of(stream, stream.size() + 1);
  require(frames == frames_of(stream, data[0] + size_t{1}), "frames depend on the cuts", stream);
  for (const std::string& frame : frames) check_message(frame, interface);
  static_cast<void>(api::parse_interface(stream));
  serve(stream, interface);
  return 0;
}
