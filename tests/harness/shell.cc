#include "tests/harness/shell.h"

#include <fcntl.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "base/strings.h"

namespace harness {

using nlohmann::json;

base::Output shell(const Sandbox& sandbox, const std::string& script,
                   std::chrono::milliseconds timeout) {
  std::string build = std::filesystem::path(sandbox.program("zone")).parent_path().string();
  auto output = base::run_program({"/usr/bin/env", "Z=" + build + "/zone --root " + sandbox.root(),
                                   "R=" + sandbox.root(), "B=" + build, "/bin/sh", "-c", script},
                                  timeout);
  INFO(script);
  if (!output.ok()) FAIL(output.error().message);
  return *std::move(output);
}

std::string shell_ok(const Sandbox& sandbox, const std::string& script,
                     std::chrono::milliseconds timeout) {
  base::Output output = shell(sandbox, script, timeout);
  INFO(script << "\nstdout: " << output.out << "\nstderr: " << output.err);
  REQUIRE(output.status == 0);
  return output.out;
}

json listed(const Sandbox& sandbox, const std::string& name) {
  for (const json& zone : json::parse(sandbox.zone_ok({"list", "--json"})))
    if (zone["name"] == name) return zone;
  return {};
}

std::string state_of(const Sandbox& sandbox, const std::string& name) {
  json zone = listed(sandbox, name);
  return zone.is_null() ? "absent" : zone["state"].get<std::string>();
}

pid_t pid_of(const Sandbox& sandbox, const std::string& name) {
  json zone = listed(sandbox, name);
  return zone.is_null() || zone["pid"].is_null() ? 0 : zone["pid"].get<pid_t>();
}

void boot_script(Sandbox& sandbox, const std::string& name, const std::string& script,
                 const std::vector<std::string>& settings) {
  std::string tree = sandbox.root() + "/tree";
  if (!base::exists_at(AT_FDCWD, tree)) sandbox.busybox_tree();
  std::vector<std::string> args = {
      "create",
      name,
      "--from",
      "dir:" + tree,
      "--boot",
      "--set",
      "command=" + json(std::vector<std::string>{"/bin/sh", "-c", script}).dump()};
  for (const std::string& setting : settings) {
    args.emplace_back("--set");
    args.push_back(setting);
  }
  sandbox.zone_ok(args);
}

void check_refused(const base::Output& output, const std::vector<std::string>& pieces, int status) {
  INFO("stdout: " << output.out << "\nstderr: " << output.err);
  CHECK(output.status == status);
  for (const std::string& piece : pieces) CHECK_THAT(output.err, Catch::Contains(piece));
  CHECK_THAT(output.err, Catch::Contains("hint: "));
}

std::string cgroup_value(const Sandbox& sandbox, const std::string& zone,
                         const std::string& controller, const std::string& v1_file,
                         const std::string& v2_file) {
  std::string pid = std::to_string(pid_of(sandbox, zone));
  std::string mount = "/sys/fs/cgroup";
  std::string folder;
  std::string file = v2_file;
  for (const std::string& line : base::split(read_text("/proc/" + pid + "/cgroup"), '\n')) {
    auto fields = base::split(line, ':');
    REQUIRE(fields.size() == 3);
    auto names = base::split(fields[1], ',');
    if (std::find(names.begin(), names.end(), controller) != names.end()) {
      folder = mount + "/" + fields[1] + fields[2];
      file = v1_file;
      break;
    }
    if (fields[0] == "0") folder = mount + fields[2];
  }
  // On v2 the processes are in a group below the one that has the limits.
  std::filesystem::path path(folder);
  while (path.has_relative_path() && path.filename() != zone) path = path.parent_path();
  return read_text((path / file).string());
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (file.fail()) FAIL("write " << path);
}

std::string read_text(const std::string& path) {
  auto text = base::read_file(AT_FDCWD, path, 64 << 20);
  if (!text.ok()) FAIL(text.error().message);
  return std::string(base::trim(*text));
}

}  // namespace harness
