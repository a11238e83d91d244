// Zones of several labels, one of which exports.
//
// The cast: `low` (PUBLIC) exports; `high` and `side` are above it and incomparable to each other; `peer`
// has low's label, exports nothing and is what low would be without its exports.
#pragma once

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/strings.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/shell.h"

namespace read_down {

using harness::eventually;
using harness::Sandbox;
using harness::shell_ok;

class Cast {
 public:
  Cast() {
    std::string tree = box_.busybox_tree();
    shell_ok(box_,
             "cp $B/victims/prober $R/tree/bin/ && mkdir $R/tree/export $R/tree/export/sub && "
             "echo PUBLIC >$R/tree/etc/secret");
    create("low", tree, {"--set", "label=PUBLIC"});
    create("peer", tree, {"--set", "label=PUBLIC", "--set", "export=[]"});
    create("high", tree,
           {"--set", "label=SECRET ENG OPS", "--set", "export=[\"/export\",\"/srv\"]"});
    create("side", tree, {"--set", "label=SECRET HR", "--set", "export=[]"});
    write("low", "export/hello", "hello\n");
  }

  Sandbox& box() { return box_; }
  std::string tree(const std::string& zone) const {
    return box_.root() + "/lib/zones/" + zone + "/root";
  }
  // As the zone itself would, but for the host's hand: owner root.
  void write(const std::string& zone, const std::string& path, const std::string& text) {
    std::ofstream(tree(zone) + "/" + path) << text;
  }
  void boot(const std::vector<std::string>& zones) {
    for (const std::string& zone : zones) box_.zone_ok({"boot", zone});
  }
  // Boots low after its readers, which see it soon.
  void boot_low_last() {
    boot({"low"});
    CHECK(eventually([&] { return in("high", "cat /zone/low/export/hello") == "hello"; }));
  }
  // The zone's records of attempts to write below, oldest first.
  std::vector<nlohmann::json> records(const std::string& zone) const {
    std::vector<nlohmann::json> found;
    for (const std::string& line :
         base::split(box_.zone_ok({"audit", "--json", "--zone", zone}), '\n')) {
      nlohmann::json record = nlohmann::json::parse(line, nullptr, false);
      if (record.is_object() && record["method"] == "WriteDown") found.push_back(record);
    }
    return found;
  }
  // What a script of the zone's shell prints, trimmed; its errors too.
  std::string in(const std::string& zone, const std::string& script) const {
    base::Output output = box_.zone({"exec", zone, "--", "/bin/sh", "-c", "exec 2>&1; " + script});
    return std::string(base::trim(output.out));
  }

 private:
  void create(const std::string& name, const std::string& tree,
              const std::vector<std::string>& settings) {
    std::vector<std::string> args = {
        "create",         name,     "--set",      "command=[\"/bin/sleep\",\"100000\"]", "--set",
        "stop-timeout=0", "--from", "dir:" + tree};
    args.insert(args.end(), settings.begin(), settings.end());
    box_.zone_ok(args);
  }
  Sandbox box_;
};

inline bool has(const std::string& text, const std::string& piece) {
  return text.find(piece) != std::string::npos;
}

}  // namespace read_down
