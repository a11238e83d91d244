// zone-dhcp6: serves a network's guests of one label what dhcp6.h says, in the zone of their name
// server (zoned/daemon/name_service.h), with dnsmasq(8) as its child: either ends with the other.
//
// Router solicitations come to a raw socket, DHCPv6 to port 547, on the interface net0. Advertisements go
// to who asks, to all clients at start and every half hour. SIGHUP: the file is read anew, and
// dnsmasq told likewise. Where the file names no address of the server, it becomes dnsmasq.
#pragma once

#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "netns/dhcp6.h"

namespace netns {

class Dhcp6Server {
 public:
  // file: guidance_text(). Needs CAP_NET_RAW and CAP_NET_BIND_SERVICE in the network namespace.
  static base::Result<std::unique_ptr<Dhcp6Server>> create(std::string file);

  // Runs the program (argv[0] is its path) until it ends or we are to. Exit status for main().
  base::Result<int> run(const std::vector<std::string>& argv);

 private:
  explicit Dhcp6Server(std::string file) : file_(std::move(file)) {}
  base::Status read_file();
  base::Status open_sockets();
  void on_signal(int signal);
  void on_solicitation();
  void on_message();
  void advertise_to_all();

  std::string file_;
  Guidance guidance_;
  uint32_t interface_ = 0;
  std::unique_ptr<base::EventLoop> loop_;
  base::UniqueFd router_;
  base::UniqueFd dhcp_;
  pid_t child_ = -1;
  int status_ = 0;
};

}  // namespace netns
