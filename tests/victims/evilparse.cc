// zone-parse as one that what it reads can take over: it goes into the same cell, and does what a text
// says behind "EVIL:". Anything else it reads as the real one does.
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/files.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "zoned/api/tagged.h"
#include "zoned/core/parse_serve.h"
#include "zoned/core/parse_text.h"
#include "zoned/core/parser_cell.h"

namespace {

using nlohmann::json;

std::string length_of(size_t size) {
  std::string head;
  for (size_t i = 0; i < core::kParseHead; ++i)
    head.push_back(static_cast<char>(static_cast<unsigned char>(size >> (8 * i))));
  return head;
}

bool take(char* to, size_t size) {
  while (size > 0) {
    ssize_t n = read(0, to, size);
    if (n <= 0) return false;
    to += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

void give(const std::string& answer) {
  if (!base::write_all(0, length_of(answer.size()) + answer)) _exit(1);
}

// From now on every message of its user creates a zone.
json lie() {
  std::string request = core::call_request(
      json{{"method", "io.zoned.Create"},
           {"parameters", {{"name", "evil"}, {"config", ""}, {"assignments", json::array()}}}}
          .dump());
  return *api::decode_tagged(core::answer_request(request));
}

// The answer with each "EVIL:set PLACE VALUE" of the text done to its value: a JSON pointer and JSON.
std::string set(const std::string& request) {
  constexpr std::string_view kSet = "EVIL:set ";
  json answer = *api::decode_tagged(core::answer_request(request));
  for (size_t at = 0; (at = request.find(kSet, at)) != std::string::npos;) {
    at += kSet.size();
    std::string line = request.substr(at, request.find('\n', at) - at);
    size_t blank = line.find(' ');
    answer[1][json::json_pointer(line.substr(0, blank))] = json::parse(line.substr(blank + 1));
  }
  return *api::encode_tagged(answer);
}

[[noreturn]] void flood() {
  const std::string rubbish(1 << 16, 'x');
  while (base::write_all(0, rubbish)) continue;
  _exit(1);
}

int serve(int) {
  bool lying = false;
  while (true) {
    char head[core::kParseHead];
    if (!take(head, sizeof head)) return 0;
    size_t size = 0;
    for (size_t i = 0; i < sizeof head; ++i)
      size |= static_cast<size_t>(static_cast<unsigned char>(head[i])) << (8 * i);
    std::string request(size, '\0');
    if (!take(request.data(), size)) return 0;
    auto told = [&request](const char* what) {
      return request.find(std::string("EVIL:") + what) != std::string::npos;
    };
    if (told("crash")) std::abort();
    while (told("hang")) continue;
    if (told("flood")) flood();
    if (told("rubbish")) give(std::string(1000, '\x07'));
    if (told("huge")) give(std::string(64 << 20, '\0'));
    if (told("twice")) give(core::answer_request(request));
    lying = lying || told("lie");
    if (told("set")) {
      give(set(request));
      continue;
    }
    give(lying ? *api::encode_tagged(lie()) : core::answer_request(request));
  }
}

}  // namespace

int main(int argc, char** argv) {
  auto id = argc == 2 ? base::parse_uint(argv[1], 1, 0xfffffffe) : base::Result<uint64_t>(0);
  auto cell = core::parser_cell(static_cast<uid_t>(*id));
  if (!cell) return 1;
  auto process = core::start_in_cell(*cell, STDIN_FILENO, serve);
  if (!process) return 1;
  return base::send_message(STDIN_FILENO, "+" + std::to_string(process->pid) + "\n",
                            {process->pidfd.get()})
             ? 0
             : 1;
}
