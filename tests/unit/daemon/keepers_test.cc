#include "zoned/daemon/keepers.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "base/unix_socket.h"
#include "tests/unit/daemon/temporary.h"

namespace zoned {
namespace {

using base::UniqueFd;
using nlohmann::json;
using testing::must;

// zoned's side of one keeper, whose part is played by hand.
struct World {
  World()
      : run(must(base::open_at(AT_FDCWD, folder.path(), O_PATH | O_DIRECTORY))),
        listener(must(base::listen_unix(run.get(), "keeper-0.sock", SOCK_SEQPACKET))),
        loop(must(base::EventLoop::create())),
        keepers(loop.get(), &children, {folder.path(), folder.path(), run.get(), "/new/keeper"},
                {[this](unsigned, const std::vector<core::ZoneRecord>& zones) {
                   ready.push_back(zones.size());
                 },
                 [](unsigned, const std::string&, const std::string&, const core::ExitStatus&) {},
                 [this](const std::string& text) { troubles.push_back(text); }}) {
    keepers.ensure(1);
    accept();
  }
  void accept() {
    keeper.reset(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(keeper);
  }
  // zoned's next request.
  json asked(const std::string& op) {
    json request;
    for (int i = 0; i < kPatience && request.is_null(); ++i) {
      must(loop->run_once(std::chrono::milliseconds(10)));
      char byte = 0;
      if (recv(keeper.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
        request = json::parse(must(base::receive_message(keeper.get(), 1 << 20)).data);
    }
    REQUIRE(request.value("op", "") == op);
    return request;
  }
  void answer(const json& request, json body) {
    body["id"] = request["id"];
    must(base::send_message(keeper.get(), body.dump()));
  }
  void say_version(int version) {
    answer(asked("hello"), {{"pid", 1}, {"version", version}, {"zones", json::array()}});
  }
  void spin() { must(loop->run_once(std::chrono::milliseconds(20))); }

  static constexpr int kPatience = 300;
  testing::TemporaryFolder folder;
  UniqueFd run;
  UniqueFd listener;
  std::unique_ptr<base::EventLoop> loop;
  Children children;
  std::vector<size_t> ready;
  std::vector<std::string> troubles;
  UniqueFd keeper;
  Keepers keepers;
};

TEST_CASE("a keeper of today is ready at once") {
  World world;
  world.say_version(core::kKeeperProtocol);
  world.spin();
  CHECK(world.ready.size() == 1);
  CHECK(world.keepers.all_ready());
}

TEST_CASE("a keeper of yesterday replaces its program before anything else is asked of it") {
  World world;
  world.keepers.request(0, {{"op", "signal"}}, {}, [](base::Result<KeeperReply>) {});
  world.say_version(core::kKeeperProtocol - 1);
  json first = world.asked("reexec");
  CHECK(first["binary"] == "/new/keeper");
  CHECK(world.ready.empty());
  // It is at work for the zoned before: later.
  world.answer(first, {{"error", core::error_to_json(base::make_error(base::Code::kBusy, "no"))}});
  world.say_version(core::kKeeperProtocol - 1);
  world.asked("reexec");
  world.keeper.reset();
  world.spin();
  world.accept();
  world.say_version(core::kKeeperProtocol);
  world.asked("signal");
  CHECK(world.ready.size() == 1);
}

TEST_CASE("a keeper that can't run the program of today is asked again") {
  World world;
  world.say_version(core::kKeeperProtocol - 1);
  base::Error cause = base::make_error(base::Code::kNotRunnable, "exec '/new/keeper': no");
  world.answer(world.asked("reexec"), {{"error", core::error_to_json(cause)}});
  world.say_version(core::kKeeperProtocol - 1);
  world.asked("reexec");
  REQUIRE_FALSE(world.troubles.empty());
  CHECK(world.troubles[0] == "keeper 0: exec '/new/keeper': no");
}

TEST_CASE("a keeper whose installed program is old too is told of, and nothing waits for it") {
  World world;
  std::string refused;
  world.keepers.request(0, {{"op", "signal"}}, {}, [&](const base::Result<KeeperReply>& reply) {
    if (!reply) refused = reply.error().message;
  });
  world.say_version(core::kKeeperProtocol - 1);
  world.asked("reexec");
  world.keeper.reset();
  world.spin();
  world.accept();
  world.say_version(core::kKeeperProtocol - 1);
  world.spin();
  REQUIRE_FALSE(world.troubles.empty());
  CHECK(world.troubles.back() == "keeper 0: '/new/keeper' is too old");
  CHECK(refused == "'/new/keeper' is too old");
  CHECK_FALSE(world.keepers.all_ready());
  // It ends with everything else.
  bool ended = false;
  world.keepers.quit([&] { ended = true; });
  world.answer(world.asked("quit"), json::object());
  world.spin();
  CHECK(ended);
  CHECK_FALSE(base::exists_at(world.run.get(), "keeper-0.sock"));
}

TEST_CASE("the socket of a keeper that refuses to end stays") {
  World world;
  world.say_version(core::kKeeperProtocol);
  world.spin();
  bool ended = false;
  world.keepers.quit([&] { ended = true; });
  base::Error busy = base::make_error(base::Code::kBusy, "zones are running");
  world.answer(world.asked("quit"), {{"error", core::error_to_json(busy)}});
  world.spin();
  CHECK(ended);
  CHECK(base::exists_at(world.run.get(), "keeper-0.sock"));
}

}  // namespace
}  // namespace zoned
