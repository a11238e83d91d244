// Processes in zones and their output: run, exec, console, logs.
#include <fcntl.h>

#include <algorithm>
#include <limits>

#include "base/files.h"
#include "base/strings.h"
#include "zoned/core/output.h"
#include "zoned/core/source.h"
#include "zoned/daemon/api.h"
#include "zoned/daemon/client_fds.h"
#include "zoned/daemon/service_zones.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::UniqueFd;
using nlohmann::json;

namespace {

constexpr size_t kMaxArguments = 4096;

std::vector<std::string> strings(const json& value) {
  return value.get<std::vector<std::string>>();
}

base::Status check_texts(const char* what, const std::vector<std::string>& texts) {
  if (texts.size() > kMaxArguments)
    return make_error(Code::kInvalid, std::string(what) + ": more than 4096 entries");
  for (const std::string& text : texts)
    if (text.find('\0') != std::string::npos)
      return make_error(Code::kInvalid, std::string(what) + ": holds a NUL byte");
  return {};
}

base::Status check_env(const std::vector<std::string>& env) {
  TRY(check_texts("env", env));
  for (const std::string& item : env)
    if (item.find('=') == std::string::npos || item.front() == '=')
      return make_error(Code::kInvalid, "env: " + base::quoted(item) + " is not NAME=VALUE");
  return {};
}

uint16_t dimension(const json& value) {
  return static_cast<uint16_t>(
      std::clamp<int64_t>(value.get<int64_t>(), 1, std::numeric_limits<uint16_t>::max()));
}

// {fds: status [, pty]} as the reply's index members.
json fd_members(json members, const std::vector<UniqueFd>& fds) {
  members["status"] = 0;
  if (fds.size() > 1) members["pty"] = 1;
  return members;
}

}  // namespace

void Api::exec(Request request) {
  const json& parameters = request.call.parameters;
  api::Answer answer = request.call.answer;
  auto prepare = [&]() -> Result<ExecRequest> {
    ExecRequest exec;
    exec.argv = strings(parameters["argv"]);
    exec.env = strings(parameters["env"]);
    TRY(check_texts("argv", exec.argv));
    TRY(check_env(exec.env));
    exec.user = parameters["user"].get<std::string>();
    exec.workdir = parameters["workdir"].get<std::string>();
    TRY(check_texts("workdir", {exec.workdir, exec.user}));
    exec.tty = parameters["tty"].get<bool>();
    exec.rows = dimension(parameters["rows"]);
    exec.columns = dimension(parameters["columns"]);
    TRY_AS(exec.stdio, take_client_stdio(std::move(request.call.fds), exec.tty ? 0 : 3));
    return exec;
  };
  auto exec = prepare();
  if (!exec) return answer.fail(exec.error());
  bool root = request.caller.root();
  runtime_->exec(request.zone, *std::move(exec), [answer, root](Result<Entered> entered) {
    if (!entered) return answer.fail(entered.error());
    json members = fd_members({{"pid", root ? entered->pid : 0}}, entered->fds);
    answer.reply(std::move(members), std::move(entered->fds));
  });
}

void Api::run(Request request) {
  const json& parameters = request.call.parameters;
  api::Answer answer = request.call.answer;
  auto prepare = [&](BootRequest* boot) -> Result<Zone*> {
    std::string name = has_parameter(parameters, "name") ? parameters["name"].get<std::string>()
                                                         : "run-" + random_id().substr(0, 8);
    TRY(base::check_name("zone", name));
    TRY(check_free_name(name));
    auto argv = strings(parameters["argv"]);
    auto env = strings(parameters["env"]);
    if (argv.empty()) return make_error(Code::kInvalid, "run: no command given");
    TRY(check_texts("argv", argv));
    TRY(check_env(env));
    boot->run = true;
    boot->tty = parameters["tty"].get<bool>();
    TRY_AS(boot->stdio, take_client_stdio(std::move(request.call.fds), boot->tty ? 0 : 3));
    // Command and environment are in it.
    TRY_AS(ZoneConfig config, core::take_config<core::ZoneSpec>(name, request.call.config));
    TRY_AS(labels::Label label, parts_.registry->label_for(config.spec, nullptr));
    TRY_AS(UniqueFd tree,
           installer_->open_run_source(parameters["source"].get<std::string>(), label));
    TRY_AS(Zone * zone, parts_.registry->create_zone(name, config, true));
    zone->run_source = std::move(tree);
    return zone;
  };
  BootRequest boot;
  auto zone = prepare(&boot);
  if (!zone) return answer.fail(zone.error());
  std::string name = (*zone)->name;
  runtime_->boot(*zone, std::move(boot), [answer, name](Result<Booted> booted) {
    if (!booted) return answer.fail(booted.error());
    json members = fd_members({{"name", name}}, booted->fds);
    answer.reply(std::move(members), std::move(booted->fds));
  });
}

void Api::console(Request request) {
  Zone* zone = request.zone;
  api::Answer answer = request.call.answer;
  // A zone that is down may be watched from its next boot on, by the keeper that gets it.
  auto keeper = parts_.keepers->choose(zone->last_keeper, false);
  if (!keeper) return answer.fail(keeper.error());
  zone->last_keeper = static_cast<int>(*keeper);
  zone->consoles = true;
  parts_.keepers->request(zone->record ? zone->record->keeper : *keeper,
                          {{"op", "console"}, {"zone", zone->name}}, {},
                          [answer](Result<KeeperReply> reply) {
                            if (!reply) return answer.fail(reply.error());
                            answer.reply({{"socket", 0}}, std::move(reply->fds));
                          });
}

void Api::logs(Request request) {
  auto collect = [&]() -> Result<std::vector<UniqueFd>> {
    std::vector<UniqueFd> files;
    auto dir = parts_.registry->zone_dir(request.zone->name, false);
    if (!dir) return files;
    for (const char* name : {core::kOldLogName, core::kLogName}) {
      auto file = base::open_at(dir->get(), std::string("log/") + name, O_RDONLY | O_NOFOLLOW);
      if (!file && file.error().code == Code::kNotFound) continue;
      if (!file) return std::move(file).error();
      files.push_back(*std::move(file));
    }
    return files;
  };
  auto files = collect();
  if (!files) return request.call.answer.fail(files.error());
  json indices = json::array();
  for (size_t i = 0; i < files->size(); ++i) indices.push_back(i);
  request.call.answer.reply({{"files", std::move(indices)}}, *std::move(files));
}

}  // namespace zoned
