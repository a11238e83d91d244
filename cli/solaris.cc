#include "cli/solaris.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/strings.h"
#include "cli/handlers.h"
#include "cli/verbs.h"
#include "cli/zonecfg.h"
#include "zoned/api/paths.h"

namespace cli {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;
using Kind = ZonecfgStep::Kind;

base::Result<Arguments> parse_usage(const Grammar& grammar, std::span<const std::string> words,
                                    const char* usage) {
  auto arguments = parse(grammar, words);
  if (arguments) return arguments;
  base::Error error = std::move(arguments).error();
  if (error.hint.empty()) error.hint = usage;
  return error;
}

// --- zonecfg -----------------------------------------------------------------------------------

constexpr const char* kZonecfgUsage =
    "usage: zonecfg [-R DIR] -z NAME [-f FILE | COMMAND[; COMMAND]...]";

// Carries the steps out: changes are collected and reach zoned as one, at commit.
class ZonecfgSession {
 public:
  ZonecfgSession(const Context& context, std::string name)
      : context_(context), name_(std::move(name)) {
    auto config = call(context_, "Export", {{"name", name_}});
    if (config) translator_ = ZonecfgTranslator(count_lists(text_of(*config, "config")));
  }

  base::Status line(const std::string& text) {
    TRY_AS(auto steps, translator_.line(text));
    for (const ZonecfgStep& step : steps) TRY(apply(step));
    return {};
  }

  base::Status finish() {
    if (!translator_.open_resource().empty())
      return make_error(Code::kInvalid,
                        "resource " + base::quoted(translator_.open_resource()) + " is not ended",
                        "end");
    return commit();
  }
  bool ended() const { return ended_; }
  const std::string& resource() const { return translator_.open_resource(); }

 private:
  base::Status commit() {
    json parameters = {{"name", name_}, {"assignments", std::exchange(pending_, {})}};
    bool create = std::exchange(create_, false);
    if (!create && parameters["assignments"].empty()) return {};
    if (create) parameters["config"] = "";
    TRY_AS(json reply, call(context_, create ? "Create" : "Set", parameters));
    print_warnings(context_, reply);
    return {};
  }

  base::Status show() {
    if (create_ || !pending_.empty()) {
      for (const std::string& assignment : pending_) print(assignment + "\n");
      return {};
    }
    TRY_AS(json reply, call(context_, "Export", {{"name", name_}}));
    print(text_of(reply, "config"));
    return {};
  }

  base::Status apply(const ZonecfgStep& step) {
    for (const std::string& text : step.notes) note(context_, text);
    switch (step.kind) {
      case Kind::kAssign:
        pending_.insert(pending_.end(), step.assignments.begin(), step.assignments.end());
        return {};
      case Kind::kCreate:
        create_ = true;
        return {};
      case Kind::kRevert:
        create_ = false;
        pending_.clear();
        return {};
      case Kind::kInfo:
      case Kind::kExport:
        return show();
      case Kind::kVerify: {
        // What is not committed yet is verified by the commit itself, before anything changes.
        if (create_ || !pending_.empty()) return {};
        TRY_AS(json reply, call(context_, "Verify", {{"name", name_}, {"config", nullptr}}));
        print_warnings(context_, reply);
        return {};
      }
      case Kind::kDelete: {
        create_ = false;
        pending_.clear();
        TRY_AS(json reply, call(context_, "Delete", {{"name", name_}, {"force", step.force}}));
        return {};
      }
      case Kind::kExit:
        ended_ = true;
        return commit();
      case Kind::kCommit:
        return commit();
    }
    return {};
  }

  const Context& context_;
  std::string name_;
  ZonecfgTranslator translator_;
  bool create_ = false;
  bool ended_ = false;
  std::vector<std::string> pending_;
};

// Typed by a person: an error is told and the next line read.
base::Result<int> zonecfg_interactive(const Context& context, const std::string& name,
                                      ZonecfgSession* session) {
  char* line = nullptr;
  size_t capacity = 0;
  while (!session->ended()) {
    std::string inner = session->resource().empty() ? "" : ":" + session->resource();
    print("zonecfg:" + name + inner + "> ");
    fflush(stdout);
    ssize_t length = getline(&line, &capacity, stdin);
    if (length < 0) break;
    std::string text(line, static_cast<size_t>(length));
    if (text.ends_with('\n')) text.pop_back();
    if (auto status = session->line(text); !status) print_error(context, status.error());
  }
  free(line);
  TRY(session->finish());
  return 0;
}

base::Result<int> zonecfg(Context context, std::span<const std::string> words) {
  static constexpr Option kOptions[] = {
      {"zone", 'z', "NAME", ""}, {"file", 'f', "FILE", ""}, {"root", 'R', "DIR", ""}};
  TRY_AS(Arguments arguments, parse_usage({kOptions, 0, Grammar::kNone, 0}, words, kZonecfgUsage));
  if (!arguments.has("zone")) return make_error(Code::kInvalid, "no zone given", kZonecfgUsage);
  if (arguments.has("root")) context.root = arguments.value("root");
  std::string name = arguments.value("zone");
  ZonecfgSession session(context, name);
  bool typed = !arguments.has("file") && arguments.command.empty();
  if (typed && isatty(STDIN_FILENO) != 0) return zonecfg_interactive(context, name, &session);
  std::string text = base::join(arguments.command, " ");
  std::string file = arguments.value("file", "-");
  if (arguments.has("file") || typed) {
    TRY_AS(text, read_text(file));
  }
  for (const std::string& line : base::split(text, '\n')) {
    auto status = session.line(line);
    if (!status) return std::move(status).error().context(file == "-" ? "zonecfg" : file);
    if (session.ended()) return 0;
  }
  TRY(session.finish());
  return 0;
}

// --- zoneadm -----------------------------------------------------------------------------------

constexpr const char* kZoneadmUsage =
    "usage: zoneadm [-R DIR] [-z NAME] boot|halt|shutdown|reboot|verify|install [-d DIR|-a TAR|-s "
    "SOURCE]|uninstall [-F]|list [-cipv]";

base::Result<int> zoneadm_list(const Context& context, const std::string& zone,
                               std::span<const std::string> words) {
  static constexpr Option kOptions[] = {{"configured", 'c', "", ""},
                                        {"installed", 'i', "", ""},
                                        {"parsable", 'p', "", ""},
                                        {"verbose", 'v', "", ""},
                                        {"not-global", 'n', "", ""}};
  TRY_AS(Arguments arguments, parse_usage({kOptions, 0, 0}, words, kZoneadmUsage));
  json names = json::array();
  if (!zone.empty()) names.push_back(zone);
  TRY_AS(json reply, call(context, "List", {{"names", names}}));
  std::string lib = api::paths_for(context.root).lib;
  std::vector<ZoneadmRow> rows;
  if (zone.empty() && !arguments.has("not-global"))
    rows.push_back({"0", "global", "running", "/", "native", "shared"});
  std::vector<std::string> uuids(rows.size());
  json zones = reply.value("zones", json::array());
  std::sort(zones.begin(), zones.end(),
            [](const json& a, const json& b) { return text_of(a, "name") < text_of(b, "name"); });
  for (const json& one : zones) {
    std::string state = text_of(one, "state");
    bool active = state == "running" || state == "paused" || state == "ready" ||
                  state == "shutting_down" || state == "down";
    bool wanted = active || !zone.empty() || arguments.has("configured") ||
                  (arguments.has("installed") && state == "installed");
    if (!wanted) continue;
    int64_t pid = int_of(one, "pid");
    rows.push_back({active && pid > 0 ? std::to_string(pid) : "-", text_of(one, "name"), state,
                    lib + "/zones/" + text_of(one, "name"), text_of(one, "brand"), "excl"});
    uuids.push_back(text_of(one, "id"));
  }
  if (arguments.has("verbose") && !arguments.has("parsable"))
    print(zoneadm_line({"", "NAME", "STATUS", "PATH", "BRAND", "IP"}));
  for (size_t i = 0; i < rows.size(); ++i) {
    const ZoneadmRow& row = rows[i];
    if (arguments.has("parsable")) {
      print(base::join({row.id, row.name, row.status, zoneadm_field(row.path), uuids[i], row.brand,
                        row.ip},
                       ":") +
            "\n");
    } else {
      print(arguments.has("verbose") ? zoneadm_line(row) : row.name + "\n");
    }
  }
  return 0;
}

base::Result<int> zoneadm_install(const Context& context, const std::string& zone,
                                  std::span<const std::string> words) {
  static constexpr Option kOptions[] = {
      {"dir", 'd', "DIR", ""}, {"archive", 'a', "TAR", ""}, {"source", 's', "SOURCE", ""}};
  TRY_AS(Arguments arguments, parse_usage({kOptions, 0, 0}, words, kZoneadmUsage));
  std::string source = arguments.value("source");
  if (arguments.has("dir")) source = "dir:" + arguments.value("dir");
  if (arguments.has("archive")) source = "tar:" + arguments.value("archive");
  if (source.empty())
    return make_error(Code::kInvalid, "install needs a source",
                      "-d DIR, -a TAR or -s SOURCE, such as -s debian:bookworm");
  TRY(install_zone(context, zone, source));
  return 0;
}

base::Result<int> zoneadm(Context context, std::span<const std::string> words) {
  static constexpr Option kOptions[] = {{"zone", 'z', "NAME", ""}, {"root", 'R', "DIR", ""}};
  TRY_AS(Arguments arguments, parse_usage({kOptions, 0, Grammar::kNone, 0}, words, kZoneadmUsage));
  if (arguments.has("root")) context.root = arguments.value("root");
  if (arguments.command.empty()) return make_error(Code::kInvalid, "no verb given", kZoneadmUsage);
  std::string verb = arguments.command[0];
  std::span<const std::string> rest = std::span(arguments.command).subspan(1);
  std::string zone = arguments.value("zone");
  if (verb == "list") return zoneadm_list(context, zone, rest);
  if (zone.empty()) return make_error(Code::kInvalid, "no zone given", kZoneadmUsage);
  if (verb == "install") return zoneadm_install(context, zone, rest);
  Arguments ours;
  ours.words.push_back(zone);
  bool force = !rest.empty() && rest[0] == "-F";
  if (force && verb == "uninstall") rest = rest.subspan(1);
  if (verb == "shutdown" && !rest.empty() && rest[0] == "-r") {
    verb = "reboot";
    rest = rest.subspan(1);
  }
  constexpr std::pair<std::string_view, Handler> kVerbs[] = {
      {"boot", boot},           {"halt", halt},     {"shutdown", shutdown}, {"reboot", reboot},
      {"uninstall", uninstall}, {"verify", verify}, {"login", login}};
  std::vector<std::string> known = {"list", "install"};
  for (const auto& [name, handler] : kVerbs) {
    known.emplace_back(name);
    if (verb != name) continue;
    if (!rest.empty())
      return make_error(Code::kInvalid, "unexpected argument " + base::quoted(rest[0]),
                        kZoneadmUsage);
    return handler(context, ours);
  }
  std::string near = base::nearest(verb, known);
  return make_error(Code::kInvalid, "unknown verb " + base::quoted(verb),
                    near.empty() ? kZoneadmUsage : "did you mean " + near + "?");
}

// --- zlogin, zonestat --------------------------------------------------------------------------

base::Result<int> zlogin(Context context, std::span<const std::string> words) {
  static constexpr const char* kUsageText =
      "usage: zlogin [-R DIR] [-l USER] NAME [COMMAND...] | zlogin -C NAME";
  static constexpr Option kOptions[] = {{"user", 'l', "USER", ""},
                                        {"console", 'C', "", ""},
                                        {"safe", 'S', "", ""},
                                        {"root", 'R', "DIR", ""}};
  TRY_AS(Arguments arguments, parse_usage({kOptions, 1, 1, 1}, words, kUsageText));
  if (arguments.has("root")) context.root = arguments.value("root");
  if (arguments.has("console")) return attach_console(context, arguments.words[0]);
  ExecRequest request;
  request.name = arguments.words[0];
  request.user = arguments.value("user");
  request.argv = arguments.command;
  // As on Solaris: with a command no terminal is made.
  request.tty = request.argv.empty() && isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
  const char* term = getenv("TERM");
  if (request.tty && term != nullptr) request.env.push_back(std::string("TERM=") + term);
  return exec_in_zone(context, request);
}

base::Result<int> zonestat(Context context, std::span<const std::string> words) {
  static constexpr const char* kUsageText =
      "usage: zonestat [-R DIR] [-z NAME]... [INTERVAL [COUNT]]";
  static constexpr Option kOptions[] = {{"zone", 'z', "NAME", ""}, {"root", 'R', "DIR", ""}};
  TRY_AS(Arguments arguments, parse_usage({kOptions, 0, 2}, words, kUsageText));
  if (arguments.has("root")) context.root = arguments.value("root");
  Arguments ours;
  ours.words = arguments.values("zone");
  if (!arguments.words.empty()) ours.set("interval", arguments.words[0]);
  if (arguments.words.size() > 1) ours.set("count", arguments.words[1]);
  return stat(context, ours);
}

struct Program {
  std::string_view name;
  base::Result<int> (*run)(Context context, std::span<const std::string> words);
  int failure = kFailed;
};
constexpr Program kPrograms[] = {{"zonecfg", zonecfg},
                                 {"zoneadm", zoneadm},
                                 {"zlogin", zlogin, kExecFailed},
                                 {"zonestat", zonestat}};

}  // namespace

bool is_solaris_program(std::string_view program) {
  return std::any_of(std::begin(kPrograms), std::end(kPrograms),
                     [&](const Program& one) { return one.name == program; });
}

int run_solaris(const Context& context, std::span<const std::string> words) {
  for (const Program& program : kPrograms) {
    if (program.name != context.program) continue;
    auto result = program.run(context, words);
    if (result) return *result;
    print_error(context, result.error());
    return failure_status(result.error(), program.failure);
  }
  return kUsage;
}

std::string zoneadm_line(const ZoneadmRow& row) {
  char line[512];
  if (row.id.empty()) {
    snprintf(line, sizeof line, "%4s %-16s %-14s %-30s %-8s %-6s\n", "ID", row.name.c_str(),
             row.status.c_str(), row.path.c_str(), row.brand.c_str(), row.ip.c_str());
  } else {
    snprintf(line, sizeof line, "%4s %-16s %-14s %-30s %-8s %-6s\n", row.id.c_str(),
             row.name.c_str(), row.status.c_str(), row.path.c_str(), row.brand.c_str(),
             row.ip.c_str());
  }
  return line;
}

std::string zoneadm_field(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == ':' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

}  // namespace cli
