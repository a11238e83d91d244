#include "tests/root/doors/rows.h"

namespace doors {

using nlohmann::json;

namespace {

const std::string kSleeper =
    "command = [\"/bin/sleep\", \"1000\"]\nlabel = \"SECRET ENG\"\n" + std::string(kGrants);

json named(const char* zone) { return {{"name", zone}}; }

json exec_of(const char* zone) {
  return {{"name", zone},  {"argv", {"/bin/true"}}, {"env", json::array()}, {"user", ""},
          {"workdir", ""}, {"tty", false},          {"rows", 24},           {"columns", 80}};
}

std::vector<Row> looking() {
  return {
      {"List", {{{"names", {kNative}}}, {}, false}, kMay},
      {"Info", {named(kNative), {}, false}, kMay},
      {"Stat", {{{"names", {kNative}}, {"interval_ms", 0}}, {}, false}, kMay},
      {"Events", {json::object(), {}, true}, "root"},
      {"NetPorts", {{{"names", {kNative}}}, {}, false}, kMay},
      {"Export", {named(kNative), {}, false}, "root"},
      {"Verify", {named(kNative), {}, false}, "root"},
      {"Console", {named(kNative), {}, false}, kMay},
      {"Logs", {named(kNative), {}, false}, kMay},
      {"Exec", {exec_of(kNative), {"/dev/null", "/dev/null", "/dev/null"}, false}, kMay},
  };
}

std::vector<Row> guests(const std::string& cd) {
  const json drive = {{"name", kVm}, {"drive", "cd0"}, {"force", true}};
  return {
      {"Screenshot", {named(kVm), {}, false}, kMay},
      {"Keys", {{{"name", kVm}, {"keys", {"a"}}, {"text", ""}}, {}, false}, kMay},
      {"Display", {named(kVm), {}, false}, kMay},
      {"Eject", {drive, {}, false}, "root"},
      {"Insert", {drive, {cd}, false}, "root"},
      {"Pause", {named(kVm), {}, false}, kMay},
      {"Resume", {named(kVm), {}, false}, kMay},
  };
}

// One way down, which a second person decides on.
std::vector<Row> copies() {
  const Ask copy = {copy_down(), {}, false};
  const Ask that = {{{"number", nullptr}}, {}, false};
  return {
      {"CopyShow", that, kMay},    {"CopyConfirm", that, kMay},
      {"CopyApprove", that, "lp"}, {"Copy", copy, kMay},
      {"CopyCancel", that, kMay},  {"Copy", copy, kMay},
      {"CopyConfirm", that, kMay}, {"CopyList", {json::object(), {}, false}, kMay},
      {"CopyReject", that, "lp"},
  };
}

// Of the encodings he knows what is in labels up to his clearance.
std::vector<Row> names() {
  const json above = {{"first", "PUBLIC"}, {"second", kHiddenLabel}};
  return {
      {"LabelNames", {json::object(), {}, false}, kMay},
      {"LabelDominates", {above, {}, false}, kMay},
  };
}

// Gives the tree the label of Run's row.
std::vector<Row> labelling(const std::string& tree) {
  return {
      {"LabelGet", {{{"path", tree}}, {tree}, false}, "root"},
      {"LabelClear", {{{"path", tree}}, {tree}, false}, "root"},
      {"LabelSet", {{{"path", tree}, {"label", kHiddenLabel}}, {tree}, false}, "root"},
      {"LabelTrees", {json::object(), {}, false}, "root"},
  };
}

std::vector<Row> changing(const std::string& tree) {
  const std::string source = "dir:" + tree;
  const json run = {{"name", kNative},       {"config", "label = \"SECRET ENG\"\n"},
                    {"source", source},      {"assignments", json::array()},
                    {"argv", {"/bin/true"}}, {"env", json::array()},
                    {"tty", false},          {"rows", 24},
                    {"columns", 80}};
  return {
      {"Set", {{{"name", kNative}, {"assignments", {"cpu-shares=7"}}}, {}, false}, "root"},
      {"Configure", {{{"name", kNative}, {"config", kSleeper}}, {}, false}, "root"},
      {"Reboot", {named(kNative), {}, false}, kMay},
      {"Shutdown", {{{"name", kNative}, {"timeout_ms", 0}}, {}, false}, kMay},
      {"Boot", {named(kNative), {}, false}, kMay},
      {"Halt", {named(kNative), {}, false}, kMay},
      {"Uninstall", {named(kNative), {}, false}, "root"},
      {"Install", {{{"name", kNative}, {"source", source}}, {}, false}, "root"},
      {"Delete", {{{"name", kNative}, {"force", false}}, {}, false}, "root"},
      {"Run", {run, {"/dev/null", "/dev/null", "/dev/null"}, false}, "root"},
      {"Create",
       {{{"name", kNative}, {"config", kSleeper}, {"assignments", json::array()}}, {}, false},
       "root"},
  };
}

std::vector<Row> of_the_host() {
  const json pool = {{"name", "p9"}, {"assignments", {"shares=3"}}};
  const json network = {{"name", "n9"}, {"settings", {"subnet=10.77.0.0/24"}}};
  const json user = {{"name", "list"}, {"assignments", {"clearance=SECRET"}}};
  return {
      {"PoolCreate", {pool, {}, false}, "root"},
      {"PoolSet", {pool, {}, false}, "root"},
      {"PoolInfo", {named("default"), {}, false}, "bin"},
      {"PoolList", {json::object(), {}, false}, "bin"},
      {"PoolDelete", {named("p9"), {}, false}, "root"},
      {"NetCreate", {network, {}, false}, "root"},
      {"NetSet", {network, {}, false}, "root"},
      {"NetInfo", {named("lan"), {}, false}, "bin"},
      {"NetList", {json::object(), {}, false}, "bin"},
      {"NetDelete", {named("n9"), {}, false}, "root"},
      {"UserSet", {user, {}, false}, "sys"},
      {"UserList", {json::object(), {}, false}, "sys"},
      {"UserDelete", {named("list"), {}, false}, "sys"},
      {"Host", {json::object(), {}, false}, "bin"},
      {"Audit", {json::object(), {}, false}, "lp"},
      {"AuditAccept", {json::object(), {}, false}, "root", "state"},
      {"Upgrade", {json::object(), {}, false}, "root"},
      {"StopAll", {json::object(), {}, false}, "root"},
  };
}

}  // namespace

json copy_down() {
  return {{"from", kNative},   {"from_path", "/bin/busybox"}, {"to", "shown"},
          {"to_path", "/new"}, {"recursive", false},          {"replace", true},
          {"move", false}};
}

std::vector<Row> rows(const std::string& tree) {
  std::vector<Row> all = looking();
  for (std::vector<Row>& more :
       std::vector<std::vector<Row>>{guests(tree + ".iso"), copies(), names(), labelling(tree),
                                     changing(tree), of_the_host()})
    for (Row& row : more) all.push_back(std::move(row));
  return all;
}

}  // namespace doors
