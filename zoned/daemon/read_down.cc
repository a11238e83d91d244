#include "zoned/daemon/read_down.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/unix_socket.h"
#include "labels/policy.h"
#include "zoned/core/down_writes.h"
#include "zoned/core/exports.h"
#include "zoned/daemon/keepers.h"
#include "zoned/daemon/name_service.h"
#include "zoned/daemon/read_down_cell.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using nlohmann::json;

namespace {

constexpr std::chrono::seconds kPatience{5};
constexpr std::chrono::seconds kRest{30};
constexpr std::chrono::milliseconds kMoment{100};
constexpr size_t kMaxShown = 100;  // of a path in a record

std::string subject(const std::string& reader) {
  return "zone " + base::quoted(reader) + ": read-down";
}

bool reads(const Zone& reader, const Zone& lower) {
  return labels::access(reader.label, lower.label) == labels::Access::kRead;
}

}  // namespace

ReadDown::ReadDown(base::EventLoop* loop, Registry* registry, Keepers* keepers, Hooks hooks)
    : loop_(loop), registry_(registry), keepers_(keepers), hooks_(std::move(hooks)) {}

ReadDown::~ReadDown() = default;

// --- who reads what ------------------------------------------------------------------------------

bool ReadDown::is_running(const Zone& zone) const {
  return zone.state == State::kRunning && zone.record && zone.record->pid != 0 &&
         zone.spec.brand == core::Brand::kNative && !is_read_down(zone) && !is_name_service(zone);
}

std::set<std::string> ReadDown::wanted(const std::string& reader) const {
  std::set<std::string> names;
  const Zone* zone = registry_->find(reader);
  if (zone == nullptr || !is_running(*zone)) return names;
  for (const auto& [name, exporter] : exporters_) {
    const Zone* lower = registry_->find(name);
    if (lower != nullptr && is_running(*lower) && reads(*zone, *lower)) names.insert(name);
  }
  return names;
}

std::vector<std::string> ReadDown::readers_of(const std::string& zone) const {
  std::vector<std::string> readers;
  const Zone* lower = registry_->find(zone);
  if (lower == nullptr || !exporters_.contains(zone)) return readers;
  for (const auto& [name, reader] : registry_->zones())
    if (is_running(*reader) && reads(*reader, *lower)) readers.push_back(name);
  return readers;
}

std::vector<std::string> ReadDown::read_by(const std::string& zone) const {
  std::vector<std::string> names;
  auto server = servers_.find(zone);
  if (server == servers_.end() || server->second.mounted.empty()) return names;
  for (const auto& [name, boot_id] : server->second.zones) names.push_back(name);
  return names;
}

Result<UniqueFd> ReadDown::tree_of(const std::string& zone) const {
  TRY_AS(UniqueFd folder, registry_->zone_dir(zone, false));
  return base::open_at(folder.get(), "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

void ReadDown::note_exports(Zone* zone) {
  auto plan = registry_->plan_of(zone);
  if (!plan || (*plan)->exports.empty()) return;
  Exporter exporter;
  exporter.paths = (*plan)->exports;
  auto root = tree_of(zone->name);
  for (const std::string& path : exporter.paths) {
    auto folder = root ? core::open_export(root->get(), path) : Result<UniqueFd>(UniqueFd());
    if (folder && *folder) exporter.held.push_back(*std::move(folder));
  }
  exporters_[zone->name] = std::move(exporter);
}

// --- what happens to zones -----------------------------------------------------------------------

void ReadDown::booted(const std::string& name, std::function<void()> then) {
  Zone* zone = registry_->find(name);
  if (zone != nullptr && is_read_down(*zone)) {
    update_soon(reader_of(name));
    return then();
  }
  if (zone == nullptr || !is_running(*zone)) return then();
  if (zone->ephemeral) {  // most runs are over by then, and are spared the cost of a server
    loop_->after(kMoment, [this, name] { update(name); });
    return then();
  }
  note_exports(zone);
  for (const std::string& reader : readers_of(name))
    loop_->after(std::chrono::milliseconds(0), [this, reader] { update(reader); });
  if (wanted(name).empty()) return then();
  uint64_t id = next_waiter_++;
  auto timer = loop_->after(kPatience, [this, id] {
    auto late = waiters_.extract(id);
    if (!late.empty()) late.mapped().then();
  });
  waiters_[id] = {name, std::move(then), timer};
  update(name);
}

void ReadDown::ended(const std::string& name) {
  if (const Zone* cell = registry_->find(name); cell != nullptr && is_read_down(*cell)) {
    const std::string reader = reader_of(name);
    // Whether it rests after a failure is kept.
    auto server = servers_.find(reader);
    if (server != servers_.end() && server->second.retry == 0) servers_.erase(server);
    // A server ends with its reader's mount, so perhaps before we hear that the reader has ended.
    if (wanted(reader).empty()) return update_soon(reader);
    loop_->after(kMoment, [this, reader] { update(reader); });
    return;
  }
  std::vector<std::string> readers = readers_of(name);
  exporters_.erase(name);
  for (const std::string& reader : readers) update_soon(reader);
  update_soon(name);
}

void ReadDown::update_soon(const std::string& reader) {
  if (servers_.empty() && registry_->find(read_down_of(reader)) == nullptr) return;
  loop_->after(std::chrono::milliseconds(0), [this, reader] { update(reader); });
}

void ReadDown::recover() {
  std::vector<std::string> cells;
  for (auto& [name, zone] : registry_->zones()) {
    if (is_read_down(*zone)) cells.push_back(name);
    if (!is_running(*zone) || zone->ephemeral) continue;
    // Reading ten thousand plans would take seconds; few zones export anything.
    bool may = zone->spec.exports ? !zone->spec.exports->empty() : false;
    if (!zone->spec.exports) {
      auto folder = registry_->zone_dir(name, false);
      may = folder && base::exists_at(folder->get(), std::string("root") + core::kDefaultExport);
    }
    if (may) note_exports(zone.get());
  }
  if (exporters_.empty() && cells.empty()) return;
  std::set<std::string> readers;
  for (const std::string& cell : cells) readers.insert(reader_of(cell));
  for (const auto& [name, exporter] : exporters_)
    for (std::string& reader : readers_of(name)) readers.insert(std::move(reader));
  for (const std::string& reader : readers) update(reader);
}

// --- the servers ---------------------------------------------------------------------------------

// Brings one reader's server to what it should be, one step after another: each answer leads here again.
void ReadDown::update(const std::string& reader) {
  if (wanted(reader).empty()) return stop(reader);
  const Zone& zone = *registry_->find(reader);
  Server& server = servers_[reader];
  if (server.retry != 0) return settled(reader);
  if (Status there = ensure_zone(zone); !there) return give_up(reader, there.error());
  Zone* cell = registry_->find(read_down_of(reader));
  if (cell->state == State::kInstalled && !cell->record && cell->restart_timer == 0)
    return hooks_.boot(cell, [this, reader](const Status& booted) {
      if (!booted) give_up(reader, booted.error());
    });
  if (cell->state != State::kRunning || !cell->record || cell->record->pid == 0) return;
  if (!server.client) {
    if (Status connected = connect(reader, *cell); !connected)
      return give_up(reader, connected.error());
  }
  if (server.ready) sync(reader, zone);
}

void ReadDown::stop(const std::string& reader) {
  if (auto server = servers_.find(reader); server != servers_.end()) {
    if (server->second.retry != 0) loop_->cancel(server->second.retry);
    servers_.erase(server);
  }
  Zone* cell = registry_->find(read_down_of(reader));
  if (cell != nullptr && is_read_down(*cell)) {
    if (cell->record || cell->restart_timer != 0) hooks_.halt(cell);
    // A restart that was called off is over at once.
    cell = registry_->find(read_down_of(reader));
    if (cell != nullptr && !cell->record && cell->restart_timer == 0) remove_zone(cell->name);
  }
  settled(reader);
}

void ReadDown::remove_zone(const std::string& name) {
  unlinkat(registry_->run_dir(), read_down_socket(name).c_str(), 0);
  auto aside = registry_->remove_zone(name);
  Status removed =
      aside ? base::remove_tree(registry_->trash_dir(), *aside) : Status(std::move(aside).error());
  base::log_ignored("zone " + base::quoted(name), removed);
}

Status ReadDown::ensure_zone(const Zone& reader) {
  const std::string name = read_down_of(reader.name);
  Zone* cell = registry_->find(name);
  if (cell != nullptr && !is_read_down(*cell))
    return make_error(
        Code::kExists, "zone " + base::quoted(name) + " is somebody else's",
        "rename it: the name is for what zone " + base::quoted(reader.name) + " reads of others");
  if (cell != nullptr && cell->label != reader.label)
    return make_error(Code::kState, "zone " + base::quoted(name) + " has another label",
                      "halt zone " + base::quoted(reader.name) + " and boot it again");
  if (cell != nullptr) return {};
  TRY(read_down_tree(registry_->paths().lib));
  TRY_AS(cell, registry_->create_zone(name, read_down_config(reader), false));
  cell->label = reader.label;
  return registry_->set_file(cell, read_down_file(reader, cell->file));
}

Status ReadDown::connect(const std::string& reader, const Zone& cell) {
  TRY_AS(UniqueFd socket,
         base::connect_unix(registry_->run_dir(), read_down_socket(cell.name), SOCK_SEQPACKET));
  Server& server = servers_[reader];
  server.boot_id = cell.record->boot_id;
  TRY_AS(
      server.client,
      KeeperClient::create(
          loop_, std::move(socket), [this, reader](const json& event) { on_write(reader, event); },
          // Its zone's end tells the rest; one that lives on without answering is ended.
          [this, reader, boot_id = server.boot_id](const base::Error&) {
            loop_->after(std::chrono::milliseconds(0), [this, reader, boot_id] {
              Zone* zone = registry_->find(read_down_of(reader));
              if (zone != nullptr && zone->record && zone->record->boot_id == boot_id)
                hooks_.halt(zone);
            });
          }));
  // Twice what it says while it is ours.
  server.client->limit_unasked(
      base::RateLimit(2 * core::DownWrites::kBurst, core::DownWrites::kInterval / 2));
  server.client->request({{"op", "hello"}}, {}, [this, reader](Result<KeeperReply> reply) {
    on_hello(reader, std::move(reply));
  });
  return {};
}

void ReadDown::on_hello(const std::string& reader, Result<KeeperReply> reply) {
  auto found = servers_.find(reader);
  if (found == servers_.end() || !reply) return;
  try {
    found->second.mounted = reply->body.at("mounted").get<std::string>();
    found->second.zones = reply->body.at("zones").get<std::map<std::string, std::string>>();
  } catch (const json::exception&) {
    return give_up(reader, make_error(Code::kIo, "its server does not answer as it should"));
  }
  found->second.ready = true;
  update(reader);
}

// Its words are the server's, which may not be ours any more.
void ReadDown::on_write(const std::string& reader, const json& event) const {
  try {
    const auto act = event.at("act").get<std::string>();
    const auto zone = event.at("zone").get<std::string>();
    const auto path = event.at("path").get<std::string>();
    const auto count = event.at("count").get<uint64_t>();
    constexpr size_t kLongest = 16;
    auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
    if (act.empty() || act.size() > kLongest || !std::all_of(act.begin(), act.end(), is_letter))
      return;
    auto server = servers_.find(reader);
    bool known = server != servers_.end() && server->second.zones.contains(zone);
    const Zone* lower = known ? registry_->find(zone) : nullptr;
    const std::string shown = lower != nullptr ? path
                                               : std::string(core::kReadDownFolder) +
                                                     (zone.empty() ? "" : "/") + zone + path;
    hooks_.wrote(reader, act + " " + base::quoted(shown, kMaxShown), lower,
                 std::max<uint64_t>(count, 1));
  } catch (const json::exception&) {
    base::log_warning(subject(reader) + ": its server does not speak as it should");
  }
}

void ReadDown::sync(const std::string& reader, const Zone& zone) {
  Server& server = servers_[reader];
  // Mounted in an earlier boot of the reader: that file system is gone.
  if (!server.mounted.empty() && server.mounted != zone.record->boot_id)
    return hooks_.halt(registry_->find(read_down_of(reader)));
  const std::set<std::string> want = wanted(reader);
  std::vector<std::string> gone;
  for (const auto& [name, boot_id] : server.zones)
    if (!want.contains(name)) gone.push_back(name);
  for (const std::string& name : gone) {
    server.zones.erase(name);
    send(reader, {{"op", "remove"}, {"zone", name}}, {});
  }
  for (const std::string& name : want) {
    const Zone& lower = *registry_->find(name);
    if (server.zones[name] == lower.record->boot_id) continue;
    server.zones[name] = lower.record->boot_id;
    if (Status added = add(reader, lower); !added)
      base::log_warning(subject(reader) + ": zone " + base::quoted(name) + ": " +
                        added.error().message);
  }
  if (server.mounted.empty() && !server.mounting) mount(reader, zone);
  if (server.open == 0 && !server.mounting) settled(reader);
}

Status ReadDown::add(const std::string& reader, const Zone& lower) {
  const Zone* cell = registry_->find(read_down_of(reader));
  TRY_AS(UniqueFd ids, user_namespace_of(*cell->record));
  TRY_AS(UniqueFd root, tree_of(lower.name));
  std::vector<std::string> paths;
  std::vector<UniqueFd> trees;
  std::vector<int> fds;
  for (const std::string& path : exporters_.at(lower.name).paths) {
    auto tree = core::export_tree(root.get(), path, ids.get());
    if (!tree) {  // the zone may have taken it away meanwhile; that is no reason to hide the others
      base::log_warning("zone " + base::quoted(lower.name) + ": export " + base::quoted(path) +
                        ": " + tree.error().message);
      continue;
    }
    paths.push_back(path);
    fds.push_back(tree->get());
    trees.push_back(*std::move(tree));
  }
  send(reader,
       {{"op", "add"}, {"zone", lower.name}, {"tag", lower.record->boot_id}, {"paths", paths}},
       fds);
  return {};
}

void ReadDown::send(const std::string& reader, json body, const std::vector<int>& fds) {
  Server& server = servers_[reader];
  ++server.open;
  server.client->request(
      std::move(body), fds,
      [this, reader, boot_id = server.boot_id](const Result<KeeperReply>& reply) {
        auto found = servers_.find(reader);
        if (found == servers_.end() || found->second.boot_id != boot_id) return;
        --found->second.open;
        if (!reply) return give_up(reader, reply.error());
        if (found->second.open == 0 && !found->second.mounting) settled(reader);
      });
}

void ReadDown::mount(const std::string& reader, const Zone& zone) {
  Server& server = servers_[reader];
  server.mounting = true;
  keepers_->request(zone.record->keeper,
                    {{"op", "mount"}, {"zone", reader}, {"boot_id", zone.record->boot_id}}, {},
                    [this, reader, reader_boot = zone.record->boot_id,
                     boot_id = server.boot_id](Result<KeeperReply> reply) {
                      auto found = servers_.find(reader);
                      if (found == servers_.end() || found->second.boot_id != boot_id) return;
                      found->second.mounting = false;
                      if (reply && reply->fds.size() != 1)
                        reply = make_error(Code::kInternal, "no descriptor of FUSE");
                      if (!reply) return give_up(reader, reply.error());
                      found->second.mounted = reader_boot;
                      send(reader, {{"op", "mount"}, {"tag", reader_boot}}, {reply->fds[0].get()});
                    });
}

// --- those who wait ------------------------------------------------------------------------------

void ReadDown::settled(const std::string& reader) {
  std::vector<std::function<void()>> ready;
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    if (it->second.reader != reader) {
      ++it;
      continue;
    }
    loop_->cancel(it->second.timer);
    ready.push_back(std::move(it->second.then));
    it = waiters_.erase(it);
  }
  for (auto& then : ready) then();
}

// Tried again later; nobody waits for that.
void ReadDown::give_up(const std::string& reader, const base::Error& error) {
  base::log_warning(subject(reader) + ": " + error.message);
  Server& server = servers_[reader];
  if (server.retry == 0)
    server.retry = loop_->after(kRest, [this, reader] {
      servers_.erase(reader);
      Zone* cell = registry_->find(read_down_of(reader));
      // A fresh one: what the old one has been through is not known.
      if (cell != nullptr && is_read_down(*cell) && cell->record) return hooks_.halt(cell);
      update(reader);
    });
  settled(reader);
}

}  // namespace zoned
