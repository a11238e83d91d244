#include "tests/root/channels/yard.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/files.h"

namespace channels {
namespace {

using harness::shell;
using harness::shell_ok;

constexpr const char* kSeconds = "240";  // at most; guests under TCG are slow
// Rounds of sending while all of them listen: connections and neighbours take more than one.
constexpr std::chrono::seconds kPatience{200};
constexpr const char* kEnough = "\nround 2";
// Users that every Debian has, and that own nothing here.
constexpr std::array<const char*, 5> kUsers = {"games", "lp", "mail", "news", "uucp"};

// All of them may look at the zone as far as grants go: labels alone are in the way.
void add_users(std::vector<std::string>* settings) {
  for (size_t i = 0; i < kUsers.size(); ++i) {
    std::string entry = "admin." + std::to_string(i);
    settings->push_back(entry + ".user=" + kUsers.at(i));
    settings->push_back(entry + ".auths=[\"login\",\"manage\"]");
  }
}

}  // namespace

std::string random_token() {
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::array<unsigned char, 61> random = {};
  REQUIRE(getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()));
  std::string token = "tok";
  for (unsigned char byte : random) token += kAlphabet[byte % kAlphabet.size()];
  return token;
}

Yard::Yard() {
  harness::Sandbox& box = world_.box();
  // Users other than root must reach the socket.
  REQUIRE(chmod(box.root().c_str(), 0711) == 0);
  box.stop_all();
  harness::write_text(box.root() + "/etc/label_encodings", encodings_text());
  box.start();
  for (size_t i = 0; i < kUsers.size(); ++i)
    world_.ok({"user", "set", kUsers.at(i), std::string("clearance=") + test_labels()[i].name});
  world_.ok({"net", "create", "routed", "subnet=10.1.0.0/16", "subnet=fd00:1::/64"});
  world_.ok({"net", "create", "wire", "kind=bridge", "subnet=10.2.0.0/16", "subnet=fd00:2::/64"});
  shell_ok(box, "mkdir -p $R/tree/export && cp $B/victims/courier $R/tree/courier");
  boot_all();
}

void Yard::boot_all() {
  for (bool guest : {true, false})
    for (size_t label = 0; label < test_labels().size(); ++label)
      for (const char* twin : {"1", "2"}) {
        Site site;
        site.zone = (guest ? "vm" : "zone") + std::string(test_labels()[label].letter) + twin;
        for (char& c : site.zone) c = static_cast<char>(std::tolower(c));
        site.label = label;
        site.guest = guest;
        site.log_token = random_token();
        for (const Expected& channel : expected()) site.tokens[channel.channel] = random_token();
        sites_.push_back(std::move(site));
      }
  // Two at a time: more of them starve each other under TCG.
  for (size_t i = 0; i < sites_.size() && sites_[i].guest; i += 2) {
    for (size_t twin : {i, i + 1}) boot_guest(&sites_[twin]);
    for (size_t twin : {i, i + 1}) prepare_guest(sites_[twin]);
  }
  for (Site& site : sites_)
    if (!site.guest) boot_native(&site);
}

void Yard::prepare_guest(const Site& site) {
  auto& console = *consoles_.at(site.zone);
  console.wait_for("guest: ready");
  // The second interface has no DHCP.
  nlohmann::json wire = world_.port_of(site.zone, 1);
  std::string script = "ip link set eth1 up";
  for (const auto& address : wire["addresses"]) {
    std::string text = address;
    script += "; ip addr add " + text + (text.find(':') == std::string::npos ? "/16" : "/64") +
              " dev eth1";
  }
  console.type(script + "; echo to''gether\n");
  console.wait_for("together");
  // Thrice: a message of the kernel may break a line of the console.
  console.type("t=" + site.log_token +
               "; echo $t >/dev/tty1; echo $t; echo $t; echo on sc''reen\n");
  console.wait_for("on screen");
}

void Yard::boot_native(Site* site) {
  std::vector<std::string> settings = {std::string("label=") + test_labels()[site->label].name,
                                       "net.0.network=routed", "net.1.network=wire"};
  add_users(&settings);
  world_.boot(site->zone, settings);
  world_.ok(
      {"exec", site->zone, "--", "/bin/sh", "-c", "echo " + site->log_token + " >/dev/console"});
}

void Yard::boot_guest(Site* site) {
  std::vector<std::string> settings = {
      std::string("label=") + test_labels()[site->label].name, "net.0.network=routed",
      "net.1.network=wire", "vm.video=std",
      R"(vm.kernel-command-line="console=tty0 console=ttyS0 no_timer_check")"};
  add_users(&settings);
  settings.insert(settings.end(), {"vm.memory=96M", "stop-timeout=60s"});
  vm_test::boot(world_.box(), site->zone, guest_source(), settings);
  consoles_[site->zone] = std::make_unique<vm_test::Console>(world_.box(), site->zone);
}

// The small Linux guest with the courier in a second archive behind its own.
std::string Yard::guest_source() {
  std::string initrd = world_.box().root() + "/initrd";
  const std::string& source = linux_;
  size_t at = source.find(",initrd=");
  REQUIRE(at != std::string::npos);
  if (!std::filesystem::exists(initrd))
    shell_ok(world_.box(),
             "mkdir -p $R/more/export && cp $B/victims/courier $R/more/ && cd $R/more && "
             "find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 | cat " +
                 std::filesystem::absolute(source.substr(at + 8)).string() + " - >$R/initrd");
  return source.substr(0, at) + ",initrd=" + initrd;
}

std::string Yard::file(const Site& site, const std::string& kind) {
  return world_.box().root() + "/" + site.zone + "." + kind;
}

void Yard::start_native(const Site& site, size_t lane, const std::string& lanes) {
  REQUIRE(mkfifo(file(site, "in").c_str(), 0600) == 0);
  // Open for reading too, so that nobody waits for the other end.
  shell_ok(world_.box(), "$Z exec " + site.zone + " -- /courier " + kSeconds + " " +
                             std::to_string(lane) + " " + lanes + " <>" + file(site, "in") + " >" +
                             file(site, "out") + " 2>&1 &");
  std::ofstream(file(site, "in")) << script_for(site);
  CHECK(harness::eventually(
      [&] { return harness::read_text(file(site, "out")).starts_with("listening"); }));
}

void Yard::start_guest(const Site& site) {
  auto& console = *consoles_.at(site.zone);
  // The shell edits no line while cat reads.
  console.type("mkdir -p /dev/shm; echo sta''rt; cat >/script\n");
  console.wait_for("start");
  console.type(script_for(site) + "\x04");
  console.type("(cat /script; head -n 1; head -n 1) | /courier " + std::string(kSeconds) +
               " 0 1\n");
  console.wait_for("\nlistening");
}

std::string Yard::script_for(const Site& site) const {
  std::string script;
  for (const std::string& address : addresses_) script += "address " + address + "\n";
  for (const auto& [channel, token] : site.tokens) script += channel + " " + token + "\n";
  return script + "listen\n";
}

void Yard::run_couriers() {
  size_t natives = 0;
  for (const Site& site : sites_) {
    natives += site.guest ? 0 : 1;
    for (size_t index = 0; index < 2; ++index) {
      nlohmann::json port = world_.port_of(site.zone, index);
      for (const auto& address : port["addresses"]) addresses_.push_back(address);
    }
  }
  size_t lane = 0;
  for (const Site& site : sites_)
    site.guest ? start_guest(site) : start_native(site, lane++, std::to_string(natives));
  for (const Site& site : sites_)
    if (site.guest)
      consoles_.at(site.zone)->type("go\n");
    else
      std::ofstream(file(site, "in")) << "go\n";
  for (Site& site : sites_) collect(&site, wait_for(site, kEnough));
  for (const Site& site : sites_)
    if (site.guest)
      consoles_.at(site.zone)->type("stop\n");
    else
      std::ofstream(file(site, "in")) << "stop\n";
  for (Site& site : sites_) collect(&site, wait_for(site, "\nend"));
}

// All that the courier has said, once that is in it.
std::string Yard::wait_for(const Site& site, const std::string& text) {
  if (site.guest) return consoles_.at(site.zone)->wait_for(text, kPatience);
  std::string output;
  CHECK(harness::eventually(
      [&] {
        return (output = harness::read_text(file(site, "out"))).find(text) != std::string::npos;
      },
      kPatience));
  return output;
}

void Yard::collect(Site* site, const std::string& output) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string what, channel, rest;
    words >> what >> channel >> rest;
    if (what == "heard") site->heard[channel].insert(rest);
    if (what == "stuck") site->stuck[channel] = rest;
  }
}

std::string Yard::as_user(size_t label, const std::vector<std::string>& args) {
  std::string command = "cd /; timeout 30 setpriv --reuid " + std::string(kUsers.at(label)) +
                        " --regid nogroup --clear-groups -- $Z";
  for (const std::string& arg : args) command += " " + arg;
  base::Output output = shell(world_.box(), command + " </dev/null");
  return output.out + output.err;
}

std::string Yard::screen_as(size_t label, const std::string& zone) {
  std::string name =
      world_.box().root() + "/pictures/" + zone + "." + std::to_string(label) + ".png";
  shell_ok(world_.box(), "mkdir -p -m 0777 $R/pictures && chmod 0777 $R/pictures");
  as_user(label, {"screenshot", "-o", name, zone});
  auto png = base::read_file(AT_FDCWD, name, 16 << 20);
  if (!png) return "";
  auto font = harness::ScreenFont::load();
  REQUIRE(font);
  auto screen = harness::read_screen(*font, *png);
  return screen ? screen->text() : "";
}

}  // namespace channels
