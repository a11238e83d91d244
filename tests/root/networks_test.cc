// Zones on networks. The instance runs in a network namespace of the test's own: that one is "the
// host" here, and nothing of the machine's network is touched.
#include <catch2/catch.hpp>

#include "tests/harness/shell.h"
#include "tests/root/networks/world.h"

namespace {

using harness::check_refused;
using harness::eventually;
using harness::shell;
using harness::shell_ok;
using networks::World;
using nlohmann::json;

TEST_CASE("zones of one network reach each other by IPv4 and IPv6, others do not") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24", "subnet=fd00:1::/64"});
  world.ok({"net", "create", "dmz", "subnet=10.9.0.0/24"});
  world.boot("a", {"net.0.network=lan"});
  world.boot("b", {"net.0.network=lan"});
  world.boot("c", {"net.0.network=dmz"});
  CHECK(world.reaches("a", world.address_of("b")));
  std::string six = world.port_of("b")["addresses"][1];
  CHECK(six.starts_with("fd00:1::"));
  CHECK(world.reaches("a", six));
  CHECK_FALSE(world.reaches("a", world.address_of("c")));
  CHECK(world.refused("a", "denied") > 0);
  // The same, once the networks are peers of each other.
  world.ok({"net", "set", "lan", "peer=dmz"});
  CHECK_FALSE(world.reaches("a", world.address_of("c")));
  world.ok({"net", "set", "dmz", "peer=lan"});
  CHECK(world.reaches("a", world.address_of("c")));
}

TEST_CASE("a zone pings its gateway and reaches no service of the host") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("a", {"net.0.network=lan"});
  shell_ok(world.box(),
           "mkdir $R/www; echo host >$R/www/index.html; "
           "busybox httpd -h $R/www -p 8000; ip addr add 192.0.2.1/32 dev lo");
  CHECK(shell_ok(world.box(), "busybox wget -qO- http://192.0.2.1:8000/") == "host\n");
  CHECK(world.reaches("a", "169.254.1.1"));
  for (const char* host : {"169.254.1.1", "192.0.2.1"})
    CHECK(world
              .zone({"exec", "a", "--", "/bin/timeout", "2", "/bin/wget", "-qO-",
                     std::string("http://") + host + ":8000/"})
              .status != 0);
  shell_ok(world.box(), "pkill -f \"httpd -h $R\"");
}

TEST_CASE("root of a zone can't send from another address, until that protection is relaxed") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("victim", {"net.0.network=lan"});
  world.boot("evil", {"net.0.network=lan"});
  std::string target = world.address_of("victim");
  auto spoof = [&] {
    uint64_t before = world.port_of("victim")["rx_packets"].get<uint64_t>();
    world.zone({"exec", "evil", "--", "/bin/sh", "-c",
                "ip addr add 10.1.2.99/32 dev net0 2>/dev/null; "
                "ping -c 2 -W 1 -I 10.1.2.99 " +
                    target});
    return world.port_of("victim")["rx_packets"].get<uint64_t>() - before;
  };
  CHECK(world.reaches("evil", target));  // with its own address
  CHECK(spoof() == 0);
  CHECK(world.refused("evil", "ip-nospoof") >= 2);
  world.ok({"set", "evil", R"(net.0.relax=["ip-nospoof"])"});
  world.ok({"halt", "evil"});
  world.ok({"boot", "evil"});
  CHECK(spoof() >= 2);
  CHECK(world.refused("evil", "ip-nospoof") == 0);
}

TEST_CASE("root of a zone can't take another hardware address, until that is relaxed") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("victim", {"net.0.network=lan"});
  world.boot("evil", {"net.0.network=lan"});
  std::string target = world.address_of("victim");
  auto masquerade = [&] {
    // A new address takes the neighbour entries along: put back what is needed to send.
    const std::string script =
        "ip link set net0 address 02:66:66:66:66:66; "
        "ip neigh replace 169.254.1.1 lladdr $(ip neigh show 169.254.1.1 | "
        "sed 's/.*lladdr //;s/ .*//') dev net0 2>/dev/null";
    world.zone({"exec", "evil", "--", "/bin/sh", "-c", script});
    uint64_t before = world.port_of("victim")["rx_packets"].get<uint64_t>();
    world.zone({"exec", "evil", "--", "/bin/ping", "-c", "2", "-W", "1", target});
    return world.port_of("victim")["rx_packets"].get<uint64_t>() - before;
  };
  CHECK(world.reaches("evil", target));
  CHECK(masquerade() == 0);
  CHECK(world.refused("evil", "mac-nospoof") >= 1);
  world.ok({"set", "evil", R"(net.0.relax=["mac-nospoof"])"});
  world.ok({"halt", "evil"});
  world.ok({"boot", "evil"});
  CHECK(masquerade() >= 1);
}

TEST_CASE("rules that somebody flushes are back within a second, and an event tells") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.ok({"net", "create", "dmz", "subnet=10.9.0.0/24"});
  world.boot("a", {"net.0.network=lan"});
  world.boot("b", {"net.0.network=lan"});
  world.boot("c", {"net.0.network=dmz"});
  std::string tables = world.tables();
  CHECK(tables.find("zoned_") != std::string::npos);
  for (int i = 0; i < 5; ++i) {
    shell_ok(world.box(), "nft flush ruleset");
    CHECK(eventually([&] { return world.tables() == tables; }, std::chrono::seconds(1)));
    CHECK(eventually([&] { return world.reaches("a", world.address_of("b")); }));
    CHECK_FALSE(world.reaches("a", world.address_of("c")));
  }
}

TEST_CASE("ports live on while zoned is killed; a halt leaves neither links nor rules") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("a", {"net.0.network=lan", "net.0.bandwidth=50M"});
  world.boot("b", {"net.0.network=lan"});
  std::string address = world.address_of("b");
  world.box().kill_daemon();
  world.box().start();
  CHECK(world.reaches("a", address));
  CHECK(world.address_of("b") == address);
  // A zone whose end nobody saw.
  world.box().kill_daemon();
  shell_ok(world.box(), "true");
  world.box().start();
  world.ok({"halt", "--all"});
  CHECK(eventually([&] { return world.links().empty(); }));
  world.ok({"boot", "--all"});
  CHECK(world.address_of("b") == address);  // leased for the zone's life
  world.box().restart();
  CHECK(world.reaches("a", address));
  world.ok({"delete", "-F", "a", "b"});
  CHECK(eventually([&] { return world.links().empty(); }));
  world.ok({"net", "delete", "lan"});
  CHECK(world.tables().empty());
}

TEST_CASE("links of a zone that ended go, held or not, and are in the way of no boot") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("a", {"net.0.network=lan", "net.0.bandwidth=50M"});
  std::string host = world.port_of("a")["host_name"];
  auto hold = [&] {
    std::string path = "/proc/" + std::to_string(world.pid_of("a")) + "/ns/net";
    return base::UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  };
  base::UniqueFd held = hold();
  REQUIRE(held);
  world.ok({"halt", "a"});
  CHECK(world.links().find(host) != std::string::npos);
  world.ok({"boot", "a"});
  CHECK(world.port_of("a")["host_name"] == host);
  CHECK(world.reaches("a", "169.254.1.1"));
  held = hold();
  world.ok({"halt", "a"});
  CHECK(eventually([&] { return world.links().empty(); }));
  // At the instance's end none may be left behind without rules.
  world.ok({"boot", "a"});
  held = hold();
  world.box().stop_all();
  CHECK(world.links().empty());
}

TEST_CASE("links and rules that a killed daemon left are swept at its next start") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("a", {"net.0.network=lan"});
  std::string host = world.port_of("a")["host_name"];
  std::string stray = host.substr(0, 8) + "stray00";
  world.box().kill_daemon();
  shell_ok(world.box(), "ip link add " + stray + " type veth peer name other0");
  world.box().start();
  std::string links = world.links();
  CHECK(links.find(stray) == std::string::npos);
  CHECK(links.find(host) != std::string::npos);
}

TEST_CASE("a published port leads from the host to the zone; the firewall decides what else does") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("web", {"net.0.network=lan", R"(net.0.publish=["8080:80"])", "firewall-in=drop",
                     "firewall.0.direction=in", "firewall.0.action=accept",
                     "firewall.0.protocol=tcp", "firewall.0.ports=80"});
  world.boot("client", {"net.0.network=lan"});
  world.ok({"exec", "web", "--", "/bin/sh", "-c",
            "mkdir -p /www; echo page >/www/index.html; httpd -h /www -p 80; httpd -h /www -p 81"});
  std::string address = world.address_of("web");
  auto fetch = [&](const std::string& url) {
    return world.zone({"exec", "client", "--", "/bin/timeout", "2", "/bin/wget", "-qO-", url}).out;
  };
  CHECK(shell_ok(world.box(), "busybox wget -qO- http://127.0.0.1:8080/") == "page\n");
  CHECK(fetch("http://" + address + ":80/") == "page\n");
  CHECK(fetch("http://" + address + ":81/").empty());
  CHECK(world.refused("web", "denied-in") > 0);
}

TEST_CASE("zones know each other by name as long as they run") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.ok({"net", "create", "dmz", "subnet=10.9.0.0/24"});
  world.boot("a", {"net.0.network=lan"});
  world.boot("b", {"net.0.network=lan"});
  world.boot("c", {"net.0.network=dmz"});
  auto resolves = [&](const std::string& name) {
    return world.zone({"exec", "a", "--", "/bin/ping", "-c", "1", "-W", "1", name}).status == 0;
  };
  CHECK(eventually([&] { return resolves("b"); }));
  CHECK_FALSE(resolves("c"));
  CHECK(world.zone({"exec", "a", "--", "/bin/sh", "-c", "echo 1.2.3.4 x >>/etc/hosts"}).status !=
        0);
  world.box().restart();
  world.boot("late", {"net.0.network=lan"});
  CHECK(eventually([&] { return resolves("late"); }));
  world.ok({"halt", "b"});
  std::string hosts = world.ok({"exec", "a", "--", "/bin/cat", "/etc/hosts"});
  CHECK(eventually([&] {
    hosts = world.ok({"exec", "a", "--", "/bin/cat", "/etc/hosts"});
    return hosts.find(" b\n") == std::string::npos;
  }));
  CHECK(hosts.find(" late\n") != std::string::npos);
}

TEST_CASE("host names the chain of another program that drops zones' packets") {
  World world;
  auto checks = [&] { return world.ok({"host"}); };
  shell_ok(world.box(),
           "nft add table ip docker; nft add chain ip docker FORWARD "
           "'{ type filter hook forward priority 0; policy drop; }'");
  CHECK(checks().find("FORWARD") == std::string::npos);  // no networks: nothing in the way
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  world.boot("a", {"net.0.network=lan"});
  world.boot("b", {"net.0.network=lan"});
  CHECK_THAT(checks(), Catch::Contains("FORWARD"));
  CHECK_FALSE(world.reaches("a", world.address_of("b")));
  // The documented rule.
  std::string prefix = world.port_of("a")["host_name"].get<std::string>().substr(0, 7);
  CHECK_THAT(checks(), Catch::Contains(prefix + "*"));
  shell_ok(world.box(), "nft add rule ip docker FORWARD iifname '\"" + prefix + "*\"' accept");
  CHECK(eventually([&] { return world.reaches("a", world.address_of("b")); }));
}

TEST_CASE("isolated zones reach each other and nothing else") {
  World world;
  world.ok({"net", "create", "cell", "kind=isolated", "subnet=10.3.0.0/24"});
  world.boot("a", {"net.0.network=cell"});
  world.boot("b", {"net.0.network=cell"});
  CHECK(world.reaches("a", world.address_of("b")));
  shell_ok(world.box(), "ip addr add 192.0.2.1/32 dev lo");
  CHECK_FALSE(world.reaches("a", "192.0.2.1"));
}

TEST_CASE("a run has ports too, and they go with it") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/24"});
  std::string out = world.ok({"run", "--from", "dir:" + world.box().root() + "/tree", "--set",
                              "net.0.network=lan", "--", "/bin/ping", "-c", "1", "169.254.1.1"});
  CHECK_THAT(out, Catch::Contains("1 packets received"));
  CHECK(eventually([&] { return world.links().empty(); }));
  CHECK(json::parse(world.ok({"net", "list", "--json"}))[0]["leases"] == 0);
}

TEST_CASE("bad networks and ports are refused with what is wrong, and leave nothing") {
  World world;
  world.ok({"net", "create", "lan", "subnet=10.1.2.0/30"});
  std::string tables = world.tables();
  check_refused(world.zone({"net", "create", "other", "subnet=10.1.0.0/16"}),
                {"lan", "10.1.2.0/30"});
  check_refused(world.zone({"net", "create", "odd", "subnet=10.1.2.9/24"}), {"10.1.2.9/24"});
  check_refused(world.zone({"net", "create", "odd", "kind=rooted"}), {"rooted"});
  check_refused(world.zone({"net", "create", "odd", "kind=bridge", "bridge=absent0"}), {"absent0"});
  CHECK(world.zone({"net", "create", "lan"}).status == 1);
  auto create = [&](const std::vector<std::string>& settings) {
    std::vector<std::string> args = {"create", "x", "--from",
                                     "dir:" + world.box().root() + "/tree"};
    for (const std::string& setting : settings) args.insert(args.end(), {"--set", setting});
    args.push_back("--boot");
    return world.zone(args);
  };
  check_refused(create({"net.0.network=absent"}), {"net.0", "absent"});
  world.zone({"delete", "-F", "x"});
  world.boot("one", {"net.0.network=lan"});
  world.boot("two", {"net.0.network=lan"});
  base::Output full = create({"net.0.network=lan"});
  CHECK(full.status == 1);
  CHECK_THAT(full.err, Catch::Contains("lan"));
  world.zone({"delete", "-F", "x"});
  base::Output taken = create({"net.0.network=lan", "net.0.address=" + world.address_of("one")});
  CHECK(taken.status == 1);
  CHECK_THAT(taken.err, Catch::Contains("one"));
  world.zone({"delete", "-F", "x"});
  check_refused(world.zone({"net", "delete", "lan"}), {"lan", "one"});
  CHECK(world.tables() == tables);
}

}  // namespace
