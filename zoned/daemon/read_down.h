// Read-down: a running native zone sees, at /zone/NAME, what the running native zones that its label
// strictly dominates export (docs/labels.md).
//
// A reader with something to read has one server (core/down_server.h), in a zone of ours named
// READER-down: a cell at the reader's label that holds the program and nothing else, kept and restarted
// as any zone. It runs as long as there is something to read. zoned mounts /zone by a helper of the
// keeper, hands over mounts of the exported folders, and keeps no descriptor of either: a zoned that comes
// back asks the server what it has (RUN/zones/READER-down.control).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "zoned/daemon/keeper_client.h"
#include "zoned/daemon/registry.h"

namespace zoned {

class Keepers;

class ReadDown {
 public:
  // Called from the loop; none may be empty.
  struct Hooks {
    std::function<void(Zone*, Callback done)> boot;
    std::function<void(Zone*)> halt;
    // The reader tried to write below /zone. what: "mkdir '/export/a'", the last of count; lower: the
    // zone that it is of, null for none of those that it reads now.
    std::function<void(const std::string& reader, const std::string& what, const Zone* lower,
                       uint64_t count)>
        wrote;
  };
  // None owned.
  ReadDown(base::EventLoop* loop, Registry* registry, Keepers* keepers, Hooks hooks);
  ~ReadDown();

  // The zone runs. `then` is called when it sees what it may read, at the latest after some seconds; from
  // inside when there is nothing to read. Those above see what it exports a little later: whoever
  // boots it can't tell by waiting whether there are any. An ephemeral zone does not wait: it reads from a
  // moment after its start on.
  void booted(const std::string& zone, std::function<void()> then);
  // The zone has ended, or is gone.
  void ended(const std::string& zone);
  // After our own start, when all zones are known.
  void recover();
  // The zones that this one reads now, sorted.
  std::vector<std::string> read_by(const std::string& zone) const;

 private:
  // A folder that a server has stays after its owner has removed it, which he could see
  // (IN_DELETE_SELF): so it stays whether it is read or not.
  struct Exporter {
    std::vector<std::string> paths;
    std::vector<base::UniqueFd> held;
  };
  struct Server {
    std::string boot_id;  // of the server's zone
    std::unique_ptr<KeeperClient> client;
    bool ready = false;   // it has told what it has
    std::string mounted;  // boot id of the reader's boot that its file system is mounted in
    bool mounting = false;
    std::map<std::string, std::string> zones;  // name, boot id: what it has been given
    unsigned open = 0;                         // requests without an answer
    base::EventLoop::TimerId retry = 0;        // set: it failed, and rests until then
  };
  struct Waiter {
    std::string reader;
    std::function<void()> then;
    base::EventLoop::TimerId timer = 0;
  };

  bool is_running(const Zone& zone) const;
  std::set<std::string> wanted(const std::string& reader) const;
  std::vector<std::string> readers_of(const std::string& zone) const;
  base::Result<base::UniqueFd> tree_of(const std::string& zone) const;
  void note_exports(Zone* zone);
  void update(const std::string& reader);
  void update_soon(const std::string& reader);
  void stop(const std::string& reader);
  void remove_zone(const std::string& name);
  void sync(const std::string& reader, const Zone& zone);
  base::Status ensure_zone(const Zone& reader);
  base::Status connect(const std::string& reader, const Zone& cell);
  void on_hello(const std::string& reader, base::Result<KeeperReply> reply);
  void on_write(const std::string& reader, const nlohmann::json& event) const;
  void mount(const std::string& reader, const Zone& zone);
  base::Status add(const std::string& reader, const Zone& lower);
  void send(const std::string& reader, nlohmann::json body, const std::vector<int>& fds);
  void settled(const std::string& reader);
  void give_up(const std::string& reader, const base::Error& error);

  base::EventLoop* loop_;
  Registry* registry_;
  Keepers* keepers_;
  Hooks hooks_;
  // Running zones with exports.
  std::map<std::string, Exporter> exporters_;
  std::map<std::string, Server> servers_;  // by reader
  std::map<uint64_t, Waiter> waiters_;
  uint64_t next_waiter_ = 1;
};

}  // namespace zoned
