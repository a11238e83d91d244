#include "cli/verbs.h"

#include <unistd.h>

#include <algorithm>
#include <climits>

#include "base/strings.h"
#include "cli/handlers.h"

namespace cli {
namespace {

using base::Code;
using base::make_error;

constexpr Option kGlobal[] = {
    {"root", 0, "DIR", "the instance below DIR ($ZONED_ROOT)"},
    {"json", 0, "", "JSON on stdout; errors as JSON on stderr"},
    {"quiet", 'q', "", "no notes and warnings"},
    {"no-progress", 0, "", "no progress bar"},
    {"help", 'h', "", "tell about the command and end"},
    {"version", 0, "", "print the version and end"},
};

constexpr Option kAll[] = {{"all", 'a', "", "all zones in a fitting state"}};
constexpr Option kCreate[] = {
    {"brand", 0, "BRAND", "native (the default) or vm"},
    {"file", 'f', "FILE", "the configuration, zone.toml(5); - is stdin"},
    {"set", 0, "KEY=VALUE", "on top of the file; may be repeated"},
    {"from", 0, "SOURCE", "install from dir:, tar:, debian:; kernel:, disk:, iso: (vm)"},
    {"boot", 0, "", "boot it as well"},
};
constexpr Option kInstall[] = {
    {"from", 0, "SOURCE", "dir:, tar:, debian:; kernel:, disk:, iso: (vm)"}};
constexpr Option kShutdown[] = {
    {"all", 'a', "", "all running zones"},
    {"timeout", 't', "TIME", "halt it after TIME, such as 30s (default: its stop-timeout)"},
};
constexpr Option kDelete[] = {
    {"all", 'a', "", "all zones"},
    {"force", 'F', "", "halt it first"},
};
constexpr Option kRun[] = {
    {"from", 0, "SOURCE", "the tree to run in: dir:PATH, tar:FILE or debian:SUITE"},
    {"name", 0, "NAME", "the zone's name (default: made up)"},
    {"file", 'f', "FILE", "a configuration, zone.toml(5)"},
    {"set", 0, "KEY=VALUE", "a setting; may be repeated"},
    {"rm", 0, "", "accepted; the zone always goes with its command"},
    {"env", 'e', "KEY=VALUE", "an environment variable; may be repeated"},
    {"tty", 't', "", "with a terminal"},
    {"no-tty", 'T', "", "without a terminal"},
};
constexpr Option kExec[] = {
    {"user", 'u', "USER", "a user of the zone (default: root)"},
    {"env", 'e', "KEY=VALUE", "an environment variable; may be repeated"},
    {"workdir", 'w', "DIR", "the working folder, in the zone"},
    {"tty", 't', "", "with a terminal"},
    {"no-tty", 'T', "", "without a terminal"},
};
constexpr Option kLogin[] = {
    {"user", 'u', "USER", "a user of the zone (default: root)"},
    {"env", 'e', "KEY=VALUE", "an environment variable; may be repeated"},
    {"tty", 't', "", "with a terminal"},
    {"no-tty", 'T', "", "without a terminal"},
};
constexpr Option kLogs[] = {
    {"follow", 'f', "", "go on as the log grows"},
    {"lines", 'n', "LINES", "only the last LINES lines"},
};
constexpr Option kScreenshot[] = {{"output", 'o', "FILE", "where to; - is stdout"}};
constexpr Option kKey[] = {
    {"text", 0, "TEXT",
     "typed after the keys; \\n is return, \\t tab, \\e escape, \\\\ a backslash"}};
constexpr Option kLabels[] = {
    {"file", 0, "FILE", "an encodings file (default: the host's, else the built-in one)"}};
constexpr Option kVnc[] = {
    {"socket", 0, "PATH", "where to listen (default: in a folder of its own)"}};
constexpr Option kCd[] = {
    {"drive", 0, "DRIVE", "cd0 (the default), cd1, ..."},
    {"force", 'F', "", "also when the guest has locked the tray"},
};
constexpr Option kStat[] = {
    {"interval", 'i', "TIME", "repeat every TIME, such as 1 or 500ms"},
    {"count", 'c', "COUNT", "end after COUNT intervals"},
};
constexpr Option kVerify[] = {
    {"all", 'a', "", "all zones"},
    {"file", 'f', "FILE", "a configuration that is not installed yet; - is stdin"},
};
constexpr Option kPool[] = {{"set", 0, "KEY=VALUE", "a setting; may be repeated"}};
constexpr Option kAudit[] = {
    {"since", 0, "TIME", "from TIME on: 2026-01-31, 2026-01-31T12:00 (UTC), or 2h before now"},
    {"zone", 0, "ZONE", "records of that zone"},
    {"uid", 0, "UID", "records of that caller"},
    {"refused", 0, "", "refusals alone"},
    {"follow", 'f', "", "go on as records come"},
};
constexpr Option kAuditVerify[] = {
    {"head", 0, "NUMBER:HASH", "a head that was noted elsewhere; may be repeated"},
    {"heads", 0, "FILE", "noted heads, such as a syslog; - is stdin"},
    {"journal", 0, "", "heads that are in this host's journal"},
    {"file", 0, "FILE", "these files, in this order, instead of zoned's; may be repeated"},
};

constexpr Option kCopy[] = {
    {"recursive", 'r', "", "a folder with all that it holds"},
    {"force", 'F', "", "replace a file by a file"},
    {"preview", 0, "", "show what would be copied, and end"},
    {"yes", 'y', "", "do not ask, also when it goes down"},
};
constexpr Option kRelabel[] = {
    {"preview", 0, "", "show what would be moved, and end"},
    {"yes", 'y', "", "do not ask, also when it goes down"},
};

constexpr Grammar named(std::span<const Option> options = {}) { return {options, 1, 1}; }
constexpr Grammar several(std::span<const Option> options) { return {options, 0, UINT_MAX}; }

constexpr Verb kVerbs[] = {
    {"create", "NAME [--brand BRAND] [-f FILE] [--set KEY=VALUE]... [--from SOURCE] [--boot]",
     "configure a zone; install and boot it too", "Zones", named(kCreate), create},
    {"install",
     "NAME... --from SOURCE",
     "give a zone its tree",
     "Zones",
     {kInstall, 1, UINT_MAX},
     install},
    {"boot", "NAME... | --all", "start zones", "Zones", several(kAll), boot},
    {"shutdown", "[-t TIME] NAME... | --all", "let zones end by themselves", "Zones",
     several(kShutdown), shutdown},
    {"halt", "NAME... | --all", "stop zones at once", "Zones", several(kAll), halt},
    {"reboot", "NAME... | --all", "shut zones down and boot them", "Zones", several(kAll), reboot},
    {"uninstall", "NAME... | --all", "remove the trees of zones", "Zones", several(kAll),
     uninstall},
    {"delete", "[-F] NAME... | --all", "remove zones", "Zones", several(kDelete), remove},
    {"run",
     "[--from SOURCE] [--name NAME] [-f FILE] [--set KEY=VALUE]... [-e KEY=VALUE]... [-tT] "
     "[--rm] [--] CMD...",
     "run one command in a zone of its own",
     "Inside",
     {kRun, 0, UINT_MAX, 0},
     run,
     kExecFailed},
    {"exec",
     "NAME [-u USER] [-e KEY=VALUE]... [-w DIR] [-tT] [--] CMD...",
     "run a command in a running zone",
     "Inside",
     {kExec, 1, UINT_MAX, 1},
     exec,
     kExecFailed},
    {"login", "NAME [-u USER] [-e KEY=VALUE]... [-tT]", "a user's shell in a running zone",
     "Inside", named(kLogin), login, kExecFailed},
    {"console", "NAME", "the zone's console; ~. leaves", "Inside", named(), console},
    {"logs", "NAME [-f] [-n LINES]", "what the zone has written", "Inside", named(kLogs), logs},
    {"screenshot", "NAME -o FILE", "a picture of the screen, as PNG", "Guests", named(kScreenshot),
     screenshot},
    {"key",
     "NAME [KEYS...] [--text TEXT]",
     "press keys, such as ctrl-alt-delete",
     "Guests",
     {kKey, 1, UINT_MAX},
     key},
    {"view", "NAME", "the display in a window that shows its label", "Guests", named(), view},
    {"vnc", "NAME [--socket PATH]", "give VNC viewers a socket, until interrupted", "Guests",
     named(kVnc), vnc},
    {"insert",
     "NAME [--drive DRIVE] [-F] FILE",
     "put a CD into a drive",
     "Guests",
     {kCd, 2, 2},
     insert},
    {"eject", "NAME [--drive DRIVE] [-F]", "take the CD out", "Guests", named(kCd), eject},
    {"pause", "NAME... | --all", "stop guests where they are", "Guests", several(kAll),
     pause_guests},
    {"resume", "NAME... | --all", "let paused guests go on", "Guests", several(kAll),
     resume_guests},
    {"list", "[NAME...]", "zones and their states", "Watching", several({}), list},
    {"info", "NAME", "all about one zone", "Watching", named(), info},
    {"stat", "[-i TIME] [-c COUNT] [NAME...]", "use of CPU, memory and I/O, beside the entitlement",
     "Watching", several(kStat), stat},
    {"top", "[NAME...]", "stat, every second; q ends it", "Watching", several({}), top},
    {"events", "", "what happens, as it happens", "Watching", {{}, 0, 0}, events},
    {"set", "NAME... | --all KEY=VALUE...", "change the configuration, live where possible",
     "Configuration", several(kAll), set},
    {"export", "NAME", "print the configuration", "Configuration", named(), export_config},
    {"edit", "NAME", "edit the configuration", "Configuration", named(), edit},
    {"verify", "NAME... | --all | -f FILE [NAME]", "check configurations", "Configuration",
     several(kVerify), verify},
    {"pool create",
     "NAME [KEY=VALUE]...",
     "make a pool",
     "Pools",
     {kPool, 1, UINT_MAX},
     pool_create},
    {"pool set",
     "NAME KEY=VALUE...",
     "change a pool, live",
     "Pools",
     {kPool, 1, UINT_MAX},
     pool_set},
    {"pool list", "", "pools and their shares", "Pools", {{}, 0, 0}, pool_list},
    {"pool info", "NAME", "all about one pool", "Pools", named(), pool_info},
    {"pool delete", "NAME...", "remove empty pools", "Pools", {{}, 1, UINT_MAX}, pool_delete},
    {"net create",
     "NAME [KEY=VALUE]...",
     "make a network",
     "Networks",
     {kPool, 1, UINT_MAX},
     net_create},
    {"net set",
     "NAME KEY=VALUE...",
     "change a network, live",
     "Networks",
     {kPool, 1, UINT_MAX},
     net_set},
    {"net list", "", "networks and their subnets", "Networks", {{}, 0, 0}, net_list},
    {"net info", "NAME", "all about one network", "Networks", named(), net_info},
    {"net delete",
     "NAME...",
     "remove networks that no zone names",
     "Networks",
     {{}, 1, UINT_MAX},
     net_delete},
    {"net ports",
     "[NAME...]",
     "ports of running zones, and what was refused there",
     "Networks",
     {{}, 0, UINT_MAX},
     net_ports},
    {"label set",
     "PATH LABEL",
     "label a folder or file of the host",
     "Labels",
     {{}, 2, 2},
     label_set},
    {"label get", "PATH", "the label of a folder or file of the host", "Labels", named(),
     label_get},
    {"label clear", "PATH", "take its label away", "Labels", named(), label_clear},
    {"label trees",
     "",
     "folders and files of the host that have labels",
     "Labels",
     {{}, 0, 0},
     label_trees},
    {"copy list", "", "copies that wait", "Labels", {{}, 0, 0}, copy_list},
    {"copy show", "NUMBER", "what such a copy holds", "Labels", named(), copy_show},
    {"copy approve", "NUMBER", "let a copy go down, as the second person", "Labels", named(),
     copy_approve},
    {"copy reject", "NUMBER", "do not", "Labels", named(), copy_reject},
    {"copy",
     "[-r] [-F] [-y] [--preview] ZONE:PATH ZONE:PATH",
     "copy files between zones, up or down too",
     "Labels",
     {kCopy, 2, 2},
     copy},
    {"relabel",
     "[-y] [--preview] ZONE:PATH ZONE[:PATH]",
     "move a file into a zone of another label",
     "Labels",
     {kRelabel, 2, 2},
     relabel},
    {"label check",
     "[FILE]",
     "each fault of an encodings file, with line and rule",
     "Labels",
     {{}, 0, 1},
     label_check,
     kUsage},
    {"label list",
     "[--file FILE]",
     "classifications, words, colours and defaults",
     "Labels",
     {kLabels, 0, 0},
     label_list},
    {"label dominates",
     "[--file FILE] LABEL LABEL",
     "how one label stands to another; exit status 0: dominates it",
     "Labels",
     {kLabels, 2, 2},
     label_dominates,
     kUsage},
    {"audit verify",
     "[--head NUMBER:HASH]... [--heads FILE] [--journal] [--file FILE]...",
     "check that no record was changed, removed or put in",
     "Audit",
     {kAuditVerify, 0, 0},
     audit_verify},
    {"audit accept",
     "",
     "set a damaged audit log aside and begin another",
     "Audit",
     {{}, 0, 0},
     audit_accept},
    {"audit",
     "[--since TIME] [--zone ZONE] [--uid UID] [--refused] [-f]",
     "what was asked of zoned, by whom, and what was decided",
     "Audit",
     {kAudit, 0, 0},
     audit},
    {"user set",
     "NAME KEY=VALUE...",
     "give a user a clearance, grants, a role",
     "Users",
     {kPool, 1, UINT_MAX},
     user_set},
    {"user list", "", "users and their clearances", "Users", {{}, 0, 0}, user_list},
    {"user delete",
     "NAME...",
     "take users back to the defaults",
     "Users",
     {{}, 1, UINT_MAX},
     user_delete},
    {"host", "", "what this host offers and lacks", "Host", {{}, 0, 0}, host},
};

std::string option_line(const Option& option) {
  std::string text = option.letter != 0 ? std::string("  -") + option.letter + ", " : "      ";
  text += "--" + std::string(option.name);
  if (!option.value.empty()) text += " " + std::string(option.value);
  text.resize(std::max(text.size() + 2, size_t{28}), ' ');
  return text + std::string(option.help) + "\n";
}

// Global options that come before the verb; `words` is advanced to the verb.
base::Result<Arguments> parse_leading(std::span<const std::string>* words) {
  size_t count = 0;
  while (count < words->size() && (*words)[count].starts_with("-") && (*words)[count] != "-") {
    bool with_value = (*words)[count] == "--root";
    count = std::min(count + (with_value ? 2 : 1), words->size());
  }
  Grammar grammar = {kGlobal, 0, 0};
  auto result = parse(grammar, words->subspan(0, count));
  *words = words->subspan(count);
  return result;
}

const Verb* find_verb(std::span<const std::string>* words) {
  for (const Verb& verb : kVerbs) {
    std::vector<std::string> parts = base::split(verb.name, ' ');
    if (words->size() < parts.size()) continue;
    if (!std::equal(parts.begin(), parts.end(), words->begin())) continue;
    *words = words->subspan(parts.size());
    return &verb;
  }
  return nullptr;
}

base::Error unknown_verb(std::span<const std::string> words) {
  // "pool create" is a verb of the group "pool".
  auto group_of = [](std::string_view name) {
    size_t space = name.find(' ');
    return space == std::string_view::npos ? std::string() : std::string(name.substr(0, space));
  };
  std::vector<std::string> known;
  bool in_group = std::any_of(std::begin(kVerbs), std::end(kVerbs),
                              [&](const Verb& verb) { return group_of(verb.name) == words[0]; });
  std::string group = in_group ? words[0] : "";
  for (const Verb& verb : kVerbs) {
    std::string own = group_of(verb.name);
    if (own == group) known.emplace_back(verb.name.substr(own.empty() ? 0 : own.size() + 1));
    bool listed = std::find(known.begin(), known.end(), own) != known.end();
    if (!in_group && !own.empty() && !listed) known.push_back(own);
  }
  if (in_group && words.size() < 2)
    return make_error(Code::kInvalid, group + " needs a verb", "one of " + base::join(known, ", "));
  std::string prefix = in_group ? group + " " : "";
  const std::string& word = in_group ? words[1] : words[0];
  std::string near = base::nearest(word, known);
  return make_error(
      Code::kInvalid, "unknown verb " + base::quoted(prefix + word),
      near.empty() ? "zone --help lists the verbs" : "did you mean " + prefix + near + "?");
}

base::Status apply_global(const Arguments& arguments, Context* context) {
  if (arguments.has("root")) context->root = arguments.value("root");
  context->json = context->json || arguments.has("json");
  context->quiet = context->quiet || arguments.has("quiet");
  context->progress = context->progress && !arguments.has("no-progress");
  if (context->root.empty() || context->root[0] == '/') return {};
  char here[PATH_MAX];
  if (getcwd(here, sizeof here) == nullptr) return base::sys_error("getcwd");
  context->root = std::string(here) + "/" + context->root;
  return {};
}

}  // namespace

std::span<const Verb> verbs() { return kVerbs; }
std::span<const Option> global_options() { return kGlobal; }

std::string help_text() {
  std::string text = "usage: zone [options] VERB [arguments]\n";
  std::string_view group;
  size_t widest = 0;
  for (const Verb& verb : kVerbs) widest = std::max(widest, verb.name.size());
  for (const Verb& verb : kVerbs) {
    if (verb.group != group) text += "\n" + std::string(verb.group) + ":\n";
    group = verb.group;
    std::string line = "  " + std::string(verb.name);
    line.resize(widest + 4, ' ');
    text += line + std::string(verb.help) + "\n";
  }
  text += "\nOptions, before or after the verb:\n";
  for (const Option& option : kGlobal) text += option_line(option);
  return text + "\nzone VERB --help tells more; so does zone(1).\n";
}

std::string verb_help(const Verb& verb) {
  std::string text = "usage: zone " + std::string(verb.name);
  if (!verb.usage.empty()) text += " " + std::string(verb.usage);
  text += "\n" + std::string(verb.help) + "\n";
  if (!verb.grammar.options.empty()) text += "\nOptions:\n";
  for (const Option& option : verb.grammar.options) text += option_line(option);
  return text;
}

int failure_status(const base::Error& error, int failure) {
  constexpr int kNotRunnable = 126;
  constexpr int kNoCommand = 127;
  if (failure != kExecFailed) return failure;
  if (error.code == Code::kNoCommand) return kNoCommand;
  return error.code == Code::kNotRunnable ? kNotRunnable : failure;
}

int run_zone(Context context, std::span<const std::string> words) {
  auto fail = [&](const base::Error& error, int status) {
    print_error(context, error);
    return status;
  };
  auto leading = parse_leading(&words);
  if (!leading) return fail(leading.error(), kUsage);
  if (auto status = apply_global(*leading, &context); !status) return fail(status.error(), kFailed);
  if (leading->has("version")) {
    print("zone " ZONED_VERSION "\n");
    return 0;
  }
  if (leading->has("help") || (!words.empty() && words[0] == "help" && words.size() == 1)) {
    print(help_text());
    return 0;
  }
  if (words.empty())
    return fail(make_error(Code::kInvalid, "no verb given", "zone --help lists the verbs"), kUsage);
  std::span<const std::string> rest = words;
  const Verb* verb = find_verb(&rest);
  if (verb == nullptr) return fail(unknown_verb(words), kUsage);
  bool runs = verb->failure == kExecFailed;
  std::vector<Option> options(verb->grammar.options.begin(), verb->grammar.options.end());
  options.insert(options.end(), std::begin(kGlobal), std::end(kGlobal));
  Grammar grammar = verb->grammar;
  grammar.options = options;
  auto is_help = [](const std::string& word) { return word == "--help" || word == "-h"; };
  // Help comes before the complaint that arguments are missing; in a command it is the command's.
  bool wants_help = runs ? !rest.empty() && is_help(rest.front())
                         : std::any_of(rest.begin(), rest.end(), is_help);
  auto arguments = parse(grammar, rest);
  if (arguments ? arguments->has("help") : wants_help) {
    print(verb_help(*verb));
    return 0;
  }
  if (!arguments) {
    base::Error error = std::move(arguments).error();
    if (error.hint.empty()) error.hint = "zone " + std::string(verb->name) + " --help";
    return fail(error, runs ? kExecFailed : kUsage);
  }
  if (auto status = apply_global(*arguments, &context); !status)
    return fail(status.error(), verb->failure);
  auto result = verb->handler(context, *arguments);
  if (result) return *result;
  return fail(result.error(), failure_status(result.error(), verb->failure));
}

}  // namespace cli
