#include "tests/root/transfers/world.h"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "tests/harness/shell.h"
#include "tests/root/doors/client.h"

namespace transfers {

using nlohmann::json;

namespace {

json first(const std::string& answer) { return json::parse(answer.substr(0, answer.find('\0'))); }

}  // namespace

World::World() {
  doors::open_to_others(box);
  harness::shell_ok(box, "install -m 755 $B/zone $R/client");
  tree_ = box.busybox_tree();
  harness::shell_ok(box, "mkdir -p $R/tree/srv");
  box.zone_ok({"user", "set", "games", "clearance=SECRET ENG"});
  box.zone_ok({"user", "set", "sys", "clearance=SECRET ENG", "role=security"});
  box.zone_ok({"user", "set", "lp", "clearance=PUBLIC", "role=security"});
}

void World::make(const std::string& name, const std::string& label) {
  harness::write_text(box.root() + "/" + name + ".toml",
                      "command = [\"/bin/sleep\", \"1000\"]\nlabel = \"" + label +
                          "\"\n[[admin]]\nuser = \"games\"\nauths = [\"login\"]\n");
  box.zone_ok({"create", name, "-f", box.root() + "/" + name + ".toml", "--from", "dir:" + tree_});
}

base::Output World::run(const std::string& user, const std::string& line) {
  std::string uid = std::to_string(doors::uid_of(user));
  return harness::shell(box, "cd /; exec </dev/null; setpriv --reuid " + uid + " --regid " + uid +
                                 " --clear-groups $R/client --root $R " + line);
}

std::string World::path(const std::string& zone, const std::string& file) const {
  return box.root() + "/lib/zones/" + zone + "/root" + file;
}

void World::write(const std::string& zone, const std::string& file, const std::string& text) const {
  harness::write_text(path(zone, file), text);
}

std::string World::read(const std::string& zone, const std::string& file) const {
  auto text = base::read_file(AT_FDCWD, path(zone, file));
  return text ? *text : "absent";
}

bool World::there(const std::string& zone, const std::string& file) const {
  return base::exists_at(AT_FDCWD, path(zone, file));
}

std::string World::freeze(const std::string& from, const std::string& to, bool move) const {
  size_t from_colon = from.find(':');
  size_t to_colon = to.find(':');
  json reply = first(doors::answer(box, "root", "Copy",
                                   {{{"from", from.substr(0, from_colon)},
                                     {"from_path", from.substr(from_colon + 1)},
                                     {"to", to.substr(0, to_colon)},
                                     {"to_path", to.substr(to_colon + 1)},
                                     {"recursive", false},
                                     {"replace", false},
                                     {"move", move}},
                                    {},
                                    false}));
  INFO(reply.dump());
  REQUIRE(reply["parameters"].contains("copy"));
  return reply["parameters"]["copy"]["number"].dump();
}

std::string World::ask(const std::string& user, const std::string& method,
                       const std::string& number) const {
  json reply =
      first(doors::answer(box, user, method, {{{"number", std::stoi(number)}}, {}, false}));
  return reply.contains("error") ? reply["parameters"].value("code", "no code") : "";
}

bool World::clean(const std::string& zone) const {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path(zone, "")))
    if (entry.path().filename().string().starts_with(".zone-copy")) return false;
  return true;
}

}  // namespace transfers
