#include "zoned/daemon/resolver.h"

#include <catch2/catch.hpp>

namespace {

std::string servers(std::string_view text) {
  return zoned::resolver_text(zoned::reachable_servers(text));
}

}  // namespace

TEST_CASE("Of a resolv.conf zones get the servers that they can reach") {
  CHECK(
      servers(
          "# made by hand\nsearch example.org\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 # x\n"
          "options edns0\n") == "nameserver 192.0.2.1\nnameserver 2001:db8::1\n");
  CHECK(servers("nameserver 127.0.0.53\noptions edns0 trust-ad\n").empty());
  CHECK(servers("nameserver ::1\nnameserver fe80::1%eth0\nnameserver fe80::1\n").empty());
  CHECK(servers("nameserver\nnameservers 192.0.2.1\nnameserver x\n;nameserver 192.0.2.2").empty());
}

TEST_CASE("A zone's resolv.conf names no more servers than the C library reads, and none twice") {
  CHECK(servers("nameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"
                "nameserver 192.0.2.3\nnameserver 192.0.2.4\n") ==
        "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n");
}
