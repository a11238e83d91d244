#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <functional>
#include <utility>

#include "base/files.h"
#include "base/strings.h"
#include "cli/handlers.h"
#include "cli/progress.h"

namespace cli {
namespace {

using base::Code;
using base::make_error;
using nlohmann::json;

// Calls in flight at once: shutting down many zones takes the time of the slowest, not the sum.
constexpr size_t kParallel = 16;

struct Pending {
  std::string name;
  api::Client client;
};

// One finished call of for_each: prints what went wrong, keeps what came.
bool finish(const Context& context, Pending* pending, json* results) {
  auto reply = pending->client.next();
  if (!reply) {
    print_error(context, reply.error());
    return false;
  }
  print_warnings(context, reply->parameters);
  auto zone = reply->parameters.find("zone");
  results->push_back(zone != reply->parameters.end() ? *zone : json{{"name", pending->name}});
  return true;
}

// Calls `method` for each zone. Every failure is printed; the others go on.
base::Result<int> for_each(const Context& context, const std::vector<std::string>& names,
                           std::string_view method,
                           const std::function<json(const std::string&)>& parameters) {
  std::vector<Pending> pending;
  json results = json::array();
  bool ok = true;
  size_t next = 0;
  while (next < names.size() || !pending.empty()) {
    while (next < names.size() && pending.size() < kParallel) {
      TRY_AS(api::Client client, context.connect());
      TRY(client.start(method, parameters(names[next]), /*more=*/false));
      pending.push_back({names[next++], std::move(client)});
    }
    std::vector<pollfd> polled;
    for (const Pending& one : pending) polled.push_back({one.client.fd(), POLLIN, 0});
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR)
      return base::sys_error("poll");
    for (size_t i = polled.size(); i-- > 0;) {
      if (polled[i].revents == 0) continue;
      ok = finish(context, &pending[i], &results) && ok;
      pending.erase(pending.begin() + static_cast<ptrdiff_t>(i));
    }
  }
  if (context.json) {
    std::sort(results.begin(), results.end(),
              [](const json& a, const json& b) { return text_of(a, "name") < text_of(b, "name"); });
    print_json(results);
  }
  return ok ? 0 : 1;
}

}  // namespace

base::Result<std::vector<std::string>> zone_names(const Context& context,
                                                  const Arguments& arguments,
                                                  const std::vector<std::string>& words,
                                                  const std::vector<std::string>& states) {
  if (!arguments.has("all")) {
    if (words.empty())
      return make_error(Code::kInvalid, "no zone given", "name zones, or say --all");
    return words;
  }
  if (!words.empty()) return make_error(Code::kInvalid, "give names or --all, not both");
  TRY_AS(json reply, call(context, "List", {{"names", json::array()}}));
  std::vector<std::string> names;
  for (const json& zone : reply.value("zones", json::array())) {
    bool wanted = states.empty() ||
                  std::find(states.begin(), states.end(), text_of(zone, "state")) != states.end();
    if (wanted) names.push_back(text_of(zone, "name"));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string absolute_source(const std::string& source, const std::string& here) {
  auto absolute = [&here](const std::string& path) {
    if (path.empty() || path[0] == '/') return path;
    return here + (here.ends_with("/") ? "" : "/") + path;
  };
  for (std::string_view kind : {"dir:", "tar:", "disk:", "iso:"})
    if (source.starts_with(kind)) return std::string(kind) + absolute(source.substr(kind.size()));
  constexpr std::string_view kKernel = "kernel:";
  if (!source.starts_with(kKernel)) return source;
  constexpr std::string_view kInitrd = ",initrd=";
  size_t comma = source.find(kInitrd);
  std::string path = source.substr(kKernel.size(), comma - kKernel.size());
  std::string text = std::string(kKernel) + absolute(path);
  if (comma == std::string::npos) return text;
  return text + std::string(kInitrd) + absolute(source.substr(comma + kInitrd.size()));
}

base::Result<std::string> absolute_source(const std::string& source) {
  char here[PATH_MAX];
  if (getcwd(here, sizeof here) == nullptr) return base::sys_error("getcwd");
  return absolute_source(source, here);
}

base::Result<std::string> read_text(const std::string& file) {
  if (file == "-") return base::read_fd(STDIN_FILENO);
  // Also what a shell gives as <(command): a pipe.
  TRY_AS(base::UniqueFd fd, base::open_at(AT_FDCWD, file, O_RDONLY));
  auto text = base::read_fd(fd.get());
  if (!text) return std::move(text).error().context(base::quoted(file, 400));
  return text;
}

base::Result<int> call_for_zones(const Context& context, const Arguments& arguments,
                                 std::string_view method, const std::vector<std::string>& states) {
  TRY_AS(auto names, zone_names(context, arguments, arguments.words, states));
  return for_each(context, names, method, [](const std::string& name) {
    return json{{"name", name}};
  });
}

base::Status install_zone(const Context& context, const std::string& name,
                          const std::string& source) {
  TRY_AS(std::string absolute, absolute_source(source));
  TRY_AS(api::Client client, context.connect());
  bool bar = context.progress && !context.quiet && !context.json && isatty(STDERR_FILENO) != 0;
  json last;
  {
    Progress progress(bar);
    TRY(client.call_more(
        "Install", {{"name", name}, {"source", absolute}}, [&](const api::Reply& reply) {
          auto done = std::max<int64_t>(int_of(reply.parameters, "done"), 0);
          auto total = std::max<int64_t>(int_of(reply.parameters, "total"), 0);
          if (reply.continues)
            progress.show(shown(text_of(reply.parameters, "stage")), static_cast<uint64_t>(done),
                          static_cast<uint64_t>(total));
          else
            last = reply.parameters;
          return true;
        }));
  }
  print_warnings(context, last);
  return {};
}

base::Result<int> create(const Context& context, const Arguments& arguments) {
  const std::string& name = arguments.words[0];
  std::vector<std::string> assignments = arguments.values("set");
  if (arguments.has("brand"))
    assignments.insert(assignments.begin(), "brand=" + arguments.value("brand"));
  if (arguments.has("boot") && !arguments.has("from"))
    return make_error(Code::kInvalid, "--boot needs --from",
                      "a zone without an installed tree can't boot");
  std::string config;
  if (arguments.has("file")) {
    TRY_AS(config, read_text(arguments.value("file")));
  }
  TRY_AS(json reply, call(context, "Create",
                          {{"name", name}, {"config", config}, {"assignments", assignments}}));
  print_warnings(context, reply);
  if (arguments.has("from")) {
    base::Status installed = install_zone(context, name, arguments.value("from"));
    if (!installed) {
      auto deleted = call(context, "Delete", {{"name", name}, {"force", true}});
      if (deleted) {
        note(context, "zone '" + name + "' could not be installed and was deleted again");
      } else {
        print_error(context, base::Error(deleted.error()).context("delete zone '" + name + "'"));
      }
      return std::move(installed).error();
    }
  }
  json zone = {{"name", name}};
  if (arguments.has("boot")) {
    TRY_AS(json booted, call(context, "Boot", {{"name", name}}));
    print_warnings(context, booted);
    zone = booted.value("zone", zone);
  }
  if (context.json) print_json(json::array({zone}));
  return 0;
}

base::Result<int> install(const Context& context, const Arguments& arguments) {
  if (!arguments.has("from"))
    return make_error(Code::kInvalid, "install needs --from SOURCE",
                      "such as --from debian:bookworm or --from dir:/srv/tree");
  json results = json::array();
  bool ok = true;
  for (const std::string& name : arguments.words) {
    auto status = install_zone(context, name, arguments.value("from"));
    if (status) {
      results.push_back({{"name", name}});
    } else {
      print_error(context, status.error());
      ok = false;
    }
  }
  if (context.json) print_json(results);
  return ok ? 0 : 1;
}

base::Result<int> boot(const Context& context, const Arguments& arguments) {
  return call_for_zones(context, arguments, "Boot", {"installed", "ready"});
}

base::Result<int> shutdown(const Context& context, const Arguments& arguments) {
  json timeout;
  if (arguments.has("timeout")) {
    TRY_AS(timeout, base::parse_duration_ms(arguments.value("timeout")));
  }
  TRY_AS(auto names, zone_names(context, arguments, arguments.words, {"running", "paused"}));
  return for_each(context, names, "Shutdown", [&](const std::string& name) {
    return json{{"name", name}, {"timeout_ms", timeout}};
  });
}

base::Result<int> halt(const Context& context, const Arguments& arguments) {
  return call_for_zones(context, arguments, "Halt",
                        {"ready", "running", "paused", "shutting_down", "down"});
}

base::Result<int> reboot(const Context& context, const Arguments& arguments) {
  return call_for_zones(context, arguments, "Reboot", {"running", "paused"});
}

base::Result<int> uninstall(const Context& context, const Arguments& arguments) {
  return call_for_zones(context, arguments, "Uninstall", {"installed", "incomplete"});
}

base::Result<int> remove(const Context& context, const Arguments& arguments) {
  bool force = arguments.has("force");
  TRY_AS(auto names, zone_names(context, arguments, arguments.words, {}));
  return for_each(context, names, "Delete", [&](const std::string& name) {
    return json{{"name", name}, {"force", force}};
  });
}

}  // namespace cli
