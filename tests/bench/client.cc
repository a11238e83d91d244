// Over one open API connection, as a program that embeds zones would:
//   client run ROOT TREE          a round: Run /bin/true in a zone of its own, to its end
//   client exec ROOT ZONE         a round: Exec /bin/true in a running zone, to its end
//   client boot ROOT TREE N [NETWORK]  N zones bench-0.. running /bin/pause, with a port there; prints
//                                 the time of each Boot
//   client stop ROOT              StopAll
#include <fcntl.h>

#include <cstdio>
#include <iostream>

#include "base/files.h"
#include "base/strings.h"
#include "tests/bench/serve.h"
#include "zoned/api/client.h"

namespace {

using nlohmann::json;

json process(const char* program) {
  return {{"argv", {program}}, {"env", json::array()}, {"tty", false}, {"rows", 0}, {"columns", 0}};
}

// Sends the call with /dev/null as stdio, then waits for the status line.
base::Status to_the_end(api::Client* client, const char* method, const json& parameters, int null) {
  TRY_AS(api::Reply reply, client->call(method, parameters, {null, null, null}));
  size_t index = reply.parameters.value("status", size_t{0});
  if (index >= reply.fds.size())
    return base::make_error(base::Code::kInternal, "no status descriptor");
  TRY_AS(std::string line, base::read_fd(reply.fds[index].get()));
  if (base::trim(line) == "exit 0") return {};
  return base::make_error(base::Code::kIo, "ended with " + base::quoted(line));
}

base::Status boot(api::Client* client, const std::string& tree, uint64_t count,
                  const std::string& network) {
  std::string config = "command = [\"/bin/pause\"]\n";
  if (!network.empty()) config += "[[net]]\nnetwork = \"" + network + "\"\n";
  for (uint64_t i = 0; i < count; ++i) {
    std::string name = "bench-" + std::to_string(i);
    TRY(client->call("Create",
                     {{"name", name}, {"config", config}, {"assignments", json::array()}}));
    TRY(client->call_more("Install", {{"name", name}, {"source", "dir:" + tree}},
                          [](const api::Reply&) { return true; }));
  }
  for (uint64_t i = 0; i < count; ++i) {
    auto begin = std::chrono::steady_clock::now();
    TRY(client->call("Boot", {{"name", "bench-" + std::to_string(i)}}));
    bench::answer(std::chrono::steady_clock::now() - begin);
  }
  return {};
}

base::Result<int> act(std::string_view mode, const std::string& root,
                      const std::vector<std::string>& rest) {
  TRY_AS(api::Client client, api::Client::connect(root));
  TRY_AS(base::UniqueFd null, base::open_at(AT_FDCWD, "/dev/null", O_RDWR));
  if (mode == "run" && rest.size() == 1) {
    json call = process("/bin/true");
    call.update({{"name", nullptr},
                 {"config", ""},
                 {"assignments", json::array()},
                 {"source", "dir:" + rest[0]}});
    return bench::serve([&] { return to_the_end(&client, "Run", call, null.get()); });
  }
  if (mode == "exec" && rest.size() == 1) {
    json call = process("/bin/true");
    call.update({{"name", rest[0]}, {"user", ""}, {"workdir", "/"}});
    return bench::serve([&] { return to_the_end(&client, "Exec", call, null.get()); });
  }
  if (mode == "boot" && (rest.size() == 2 || rest.size() == 3)) {
    TRY_AS(uint64_t count, base::parse_uint(rest[1], 1, 100000));
    TRY(boot(&client, rest[0], count, rest.size() == 3 ? rest[2] : ""));
    return 0;
  }
  if (mode == "stop" && rest.empty()) {
    TRY(client.call("StopAll", json::object()));
    return 0;
  }
  return base::make_error(
      base::Code::kInvalid,
      "usage: client run ROOT TREE | exec ROOT ZONE | boot ROOT TREE N [NETWORK] | stop ROOT");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return bench::fail(base::make_error(base::Code::kInvalid, "client MODE ROOT ..."));
  auto status = act(argv[1], argv[2], std::vector<std::string>(argv + 3, argv + argc));
  return status.ok() ? *status : bench::fail(status.error());
}
