// The methods of io.zoned (zoned/api/io.zoned.varlink): a table of {method, verb, what it acts on,
// handler}. Each call passes authorise() before its handler sees it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "zoned/api/server.h"
#include "zoned/daemon/audit_log.h"
#include "zoned/daemon/authorise.h"
#include "zoned/daemon/install_job.h"
#include "zoned/daemon/runtime.h"
#include "zoned/daemon/stat.h"
#include "zoned/daemon/transfers.h"

namespace zoned {

// What the daemon itself does for the API.
struct DaemonHooks {
  std::function<void(Callback done)> stop_all;  // zones and keepers end; then `done`; then we end
  std::function<void(Callback done)> upgrade;   // keepers replaced; then `done`; then we re-exec
};

class Api {
 public:
  Api(const Parts& parts, Runtime* runtime, Installer* installer, AuditLog* audit,
      DaemonHooks hooks);

  void handle(api::Call call);

 private:
  // What a method acts on.
  enum class Target {
    kZone,     // `name`, which must exist
    kNewZone,  // `name`, which need not exist
    kList,     // several zones or labels: the handler shows only what the caller may see
    kHost,     // no zone
  };
  // A call that has passed authorise(). zone: null unless Target::kZone, or if it exists.
  struct Request {
    api::Call call;
    Caller caller;
    Zone* zone = nullptr;
  };
  struct Method {
    const char* name;
    Verb verb;
    Target target;
    void (Api::*handler)(Request);
  };
  static const std::vector<Method>& methods();
  // The zone that the call names; empty: none.
  static std::string target_name(const Method& method, const api::Call& call);
  // Goes on when the decision `allowed` has been recorded, or could not be.
  void proceed(const Method& method, const std::shared_ptr<api::Call>& call, const Caller& caller,
               const base::Status& allowed, const base::Status& recorded);

  // Zones (api_zones.cc).
  void list(Request request);
  void info(Request request);
  void create(Request request);
  void set(Request request);
  void configure(Request request);
  void replace_config(const Request& request, const nlohmann::json& told);
  void export_config(Request request);
  void verify(Request request);
  // Lifecycle (api_lifecycle.cc).
  void boot(Request request);
  void shutdown(Request request);
  void halt(Request request);
  void reboot(Request request);
  void install(Request request);
  void uninstall(Request request);
  void remove(Request request);
  void remove_now(const api::Answer& answer, const std::string& name);
  // Processes and output (api_exec.cc).
  void run(Request request);
  void exec(Request request);
  void console(Request request);
  void logs(Request request);
  // Guests of vm zones (api_guests.cc).
  void screenshot(Request request);
  void keys(Request request);
  void display(Request request);
  void native_display(const Request& request);
  void insert(Request request);
  void eject(Request request);
  void pause(Request request);
  void resume(Request request);
  // Pools (api_pools.cc).
  void pool_create(Request request);
  void pool_set(Request request);
  // told: by the parser, of the text `before` with the changes.
  base::Result<std::vector<std::string>> replace_pool(const std::string& name,
                                                      const std::string& before,
                                                      const base::Result<nlohmann::json>& told);
  void pool_list(Request request);
  void pool_info(Request request);
  void pool_delete(Request request);
  // Networks (api_networks.cc).
  void net_create(Request request);
  void net_set(Request request);
  void net_list(Request request);
  void net_info(Request request);
  void net_delete(Request request);
  void delete_network(const std::string& name, const api::Answer& answer,
                      const base::Status& so_far);
  void net_ports(Request request);
  // Users (api_users.cc).
  void user_set(Request request);
  void user_list(Request request);
  void user_delete(Request request);
  void change_users(const api::Answer& answer, const Users::Change& change,
                    const std::string& done);
  base::Status check_user_change(const Caller& caller, const std::string& name,
                                 const User* after) const;
  // Names of labels, labels of the host's trees (api_labels.cc).
  void label_names(Request request);
  void label_dominates(Request request);
  void change_label(Request request, const std::optional<labels::Label>& label);
  void label_set(Request request);
  void label_get(Request request);
  void label_clear(Request request);
  void label_trees(Request request);
  // Files from zone to zone (api_transfers.cc).
  void copy(Request request);
  void copy_confirm(Request request);
  void copy_cancel(Request request);
  void copy_list(Request request);
  void copy_show(Request request);
  void copy_approve(Request request);
  void copy_reject(Request request);
  base::Status authorise_transfer(const Caller& caller, const char* method, Transfer transfer,
                                  AuditSink* audit) const;
  std::string transfer_detail(const Transfer& transfer) const;
  base::Result<const Transfer*> own_transfer(const Request& request) const;
  base::Status approvable(const Caller& caller, const char* method, uint64_t number,
                          AuditSink* audit) const;
  // audit: null for a decision that is taken anew.
  using Decide = std::function<base::Status(const Caller& caller, AuditSink* audit)>;
  void decide(const Request& request, const char* method, const Decide& decide,
              std::function<void()> next);
  void write_copy(const api::Answer& answer, uint64_t number);
  static bool may_approve(const Caller& caller, const Transfer& transfer);
  void reply_content(const api::Answer& answer, const Transfer& transfer) const;
  nlohmann::json transfer_members(const Transfer& transfer) const;
  // Host (api_host.cc).
  void host(Request request);
  void stat(Request request);
  void stat_again(const std::shared_ptr<StatSession>& session, const Request& request);
  void events(Request request);
  void stop_all(Request request);
  void upgrade(Request request);
  // The audit log (api_audit.cc).
  void audit(Request request);
  void audit_accept(Request request);

  std::vector<std::string> visible(const Caller& caller, const nlohmann::json& names,
                                   base::Status* status) const;
  std::vector<std::string> visible(const Caller& caller) const;
  // What the caller learns of a failed act on a zone that he sees: for others than root, not why. It
  // may lie in what other zones hold: addresses, disks, memory.
  static base::Error told(const Caller& caller, const std::string& zone, base::Error error);
  bool sees(const Caller& caller, const std::string& zone) const;
  std::shared_ptr<StatSession> stat_of(const Caller& caller);
  std::optional<std::set<std::string>> scope(const Caller& caller) const;
  nlohmann::json zone_members(const Zone& zone, const Caller& caller) const;
  // With counts of the zones that the caller may see.
  nlohmann::json pool_members(const Pool& pool, const Caller& caller) const;
  nlohmann::json network_members(const netns::Network& network, const Caller& caller) const;
  // The control of the zone's running guest; kUnsupported for other brands, kState when none runs.
  base::Result<vmzone::Qmp*> guest_of(const Zone& zone) const;
  // Answers with the zone as it is by then, or with the error.
  Callback answer_zone(const Request& request) const;

  Parts parts_;
  Runtime* runtime_;
  Installer* installer_;
  AuditLog* audit_;
  DaemonHooks hooks_;
  std::map<uid_t, std::shared_ptr<StatSession>> stats_;  // of single looks: since his previous one
};

// Parameters that the interface marks with "?": absent and null are the same.
inline bool has_parameter(const nlohmann::json& parameters, const char* name) {
  auto it = parameters.find(name);
  return it != parameters.end() && !it->is_null();
}

}  // namespace zoned
