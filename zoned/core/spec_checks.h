// Rules of texts in a configuration. Each error is a phrase that quotes the text.
#pragma once

#include <string_view>

#include "base/result.h"

namespace core {

// Absolute, at most 4095 bytes, components of at most 255 bytes, none empty, "." or ".."; no control
// characters (path_resolution(7)). "/" is a path.
base::Status check_path(std::string_view text);
// As check_path, and not "/".
base::Status check_inner_path(std::string_view text);
// No control characters.
base::Status check_line(std::string_view text);
// As check_inner_path, or empty.
base::Status check_display(std::string_view text);
// Letters, digits, '-' and '.', at most 64 bytes (hostname(7)); or empty.
base::Status check_hostname(std::string_view text);
// A user name (useradd(8)) or a number 0..65535; or empty.
base::Status check_zone_user(std::string_view text);
// A user name.
base::Status check_user(std::string_view text);
// A CPU list (cpuset(7)).
base::Status check_cpu_list(std::string_view text);
base::Status check_pool_name(std::string_view text);
base::Status check_network_name(std::string_view text);
// The name of an interface, or empty (netns/instance.h); its hardware address, or empty.
base::Status check_interface(std::string_view text);
base::Status check_mac(std::string_view text);
// IP addresses with commas between them, with or without a prefix length; or empty.
base::Status check_addresses(std::string_view text);
// A prefix; a publication (netns/firewall.h).
base::Status check_prefix(std::string_view text);
base::Status check_publish(std::string_view text);
base::Status check_multilevel(std::string_view text);
// "80,8000-8010", or empty.
base::Status check_ports(std::string_view text);
// A machine type of QEMU: "pc", "q35", or one with its version, such as "pc-q35-7.2"; or empty.
base::Status check_machine(std::string_view text);
// A processor model of QEMU with features after commas ("Nehalem,-aes,+vmx"), of letters, digits and
// "._+=,-"; or empty.
base::Status check_cpu_model(std::string_view text);
// The name of a file, or an absolute path (check_inner_path); or empty.
base::Status check_disk_path(std::string_view text);
// Letters, digits, '-', '_' and '.'; or empty.
base::Status check_serial(std::string_view text);
// A variable's name: [A-Za-z_][A-Za-z0-9_]*, at most 255 bytes.
base::Status check_env_name(std::string_view text);

}  // namespace core
