#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "base/files.h"
#include "base/strings.h"
#include "cli/handlers.h"

namespace cli {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;

void print_changes(const Context& context, const std::string& name, const json& reply) {
  print_warnings(context, reply);
  for (const json& change : reply.value("changes", json::array())) {
    if (!bool_of(change, "live"))
      note(context,
           "zone '" + name + "': " + shown(text_of(change, "key")) + " waits for the next boot");
  }
}

// A private file with the text, removed when it goes.
class Draft {
 public:
  static base::Result<Draft> create(const std::string& text) {
    const char* folder = getenv("TMPDIR");
    std::string path = std::string(folder != nullptr ? folder : "/tmp") + "/zone-edit-XXXXXX.toml";
    constexpr int kSuffix = 5;  // ".toml", for the editor's colours
    base::UniqueFd fd(mkostemps(path.data(), kSuffix, O_CLOEXEC));
    if (!fd) return base::sys_error("create " + base::quoted(path));
    Draft draft(std::move(path));
    TRY(base::write_all(fd.get(), text));
    return draft;
  }
  Draft(Draft&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Draft& operator=(Draft&&) = delete;
  ~Draft() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  const std::string& path() const { return path_; }

 private:
  explicit Draft(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// $VISUAL or $EDITOR, which may hold options; so a shell splits it. The path is never part of the
// shell's text.
base::Status run_editor(const std::string& path) {
  const char* editor = getenv("VISUAL");
  if (editor == nullptr || *editor == '\0') editor = getenv("EDITOR");
  if (editor == nullptr || *editor == '\0') editor = "vi";
  std::string script = std::string(editor) + " \"$1\"";
  pid_t child = fork();
  if (child < 0) return base::sys_error("fork");
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", script.c_str(), "sh", path.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return base::sys_error("wait for the editor");
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return make_error(Code::kIo, "editor " + base::quoted(editor) + " failed",
                      "set EDITOR to the one you use");
  return {};
}

bool ask(const char* question) {
  if (isatty(STDIN_FILENO) == 0) return false;
  fputs(question, stderr);
  char answer[16] = {};
  return fgets(answer, sizeof answer, stdin) != nullptr && (answer[0] == 'y' || answer[0] == '\n');
}

}  // namespace

base::Result<int> set(const Context& context, const Arguments& arguments) {
  std::vector<std::string> names, assignments;
  for (const std::string& word : arguments.words)
    (word.find('=') == std::string::npos ? names : assignments).push_back(word);
  if (assignments.empty())
    return make_error(Code::kInvalid, "nothing to set", "such as: zone set web cpu-shares=20");
  TRY_AS(names, zone_names(context, arguments, names, {}));
  bool ok = true;
  json results = json::array();
  for (const std::string& name : names) {
    auto reply = call(context, "Set", {{"name", name}, {"assignments", assignments}});
    if (!reply) {
      print_error(context, reply.error());
      ok = false;
      continue;
    }
    print_changes(context, name, *reply);
    results.push_back({{"name", name}, {"changes", reply->value("changes", json::array())}});
  }
  if (context.json) print_json(results);
  return ok ? 0 : 1;
}

base::Result<int> export_config(const Context& context, const Arguments& arguments) {
  TRY_AS(json reply, call(context, "Export", {{"name", arguments.words[0]}}));
  if (context.json) {
    print_json(reply);
  } else {
    print(text_of(reply, "config"));
  }
  return 0;
}

base::Result<int> edit(const Context& context, const Arguments& arguments) {
  const std::string& name = arguments.words[0];
  TRY_AS(json reply, call(context, "Export", {{"name", name}}));
  std::string before = text_of(reply, "config");
  TRY_AS(Draft draft, Draft::create(before));
  while (true) {
    TRY(run_editor(draft.path()));
    TRY_AS(std::string after, base::read_file(AT_FDCWD, draft.path()));
    if (after == before) {
      note(context, "zone '" + name + "': nothing changed");
      return 0;
    }
    auto changed = call(context, "Configure", {{"name", name}, {"config", after}});
    if (changed) {
      print_changes(context, name, *changed);
      return 0;
    }
    print_error(context, changed.error());
    if (!ask("edit again? [y] ")) return 1;
  }
}

base::Result<int> verify(const Context& context, const Arguments& arguments) {
  json config;
  std::vector<std::string> names = arguments.words;
  if (arguments.has("file")) {
    TRY_AS(config, read_text(arguments.value("file")));
    if (names.size() > 1 || arguments.has("all"))
      return make_error(Code::kInvalid, "one file is the configuration of one zone");
    if (names.empty()) {
      std::string file = arguments.value("file");
      std::string stem = file.substr(file.rfind('/') + 1);
      names.push_back(stem.substr(0, stem.find('.')));
    }
  } else {
    TRY_AS(names, zone_names(context, arguments, names, {}));
  }
  bool ok = true;
  json results = json::array();
  for (const std::string& name : names) {
    auto reply = call(context, "Verify", {{"name", name}, {"config", config}});
    if (!reply) {
      print_error(context, reply.error());
      ok = false;
      continue;
    }
    print_warnings(context, *reply);
    results.push_back({{"name", name}, {"warnings", reply->value("warnings", json::array())}});
  }
  if (context.json) print_json(results);
  return ok ? 0 : 1;
}

}  // namespace cli
