// Files from zone to zone: copy and relabel, and the second person for what goes down.
#include "base/strings.h"
#include "zoned/daemon/api.h"
#include "zoned/daemon/transfers.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using nlohmann::json;

namespace {

std::string_view grant_of(labels::Flow flow) {
  if (flow == labels::Flow::kEqual) return "no grant needed";
  return flow == labels::Flow::kUp ? "grant upgrade" : "grant downgrade";
}

std::string_view flow_name(labels::Flow flow) {
  switch (flow) {
    case labels::Flow::kEqual:
      return "equal";
    case labels::Flow::kUp:
      return "up";
    case labels::Flow::kDown:
      break;
  }
  return "down";
}

base::Error no_such_copy(uint64_t number) {
  return make_error(Code::kNotFound, "copy " + std::to_string(number) + ": no such copy",
                    "'zone copy list' shows those that wait");
}

uint64_t number_of(const json& parameters) {
  int64_t number = parameters["number"].get<int64_t>();
  return number < 0 ? 0 : static_cast<uint64_t>(number);
}

}  // namespace

json Api::transfer_members(const Transfer& transfer) const {
  return {{"number", transfer.number},
          {"state", transfer_stage_name(transfer.state)},
          {"uid", transfer.uid},
          {"from", transfer.from},
          {"from_path", transfer.from_path},
          {"from_label", parts_.encodings->name_of(transfer.from_label)},
          {"to", transfer.to},
          {"to_path", transfer.to_path},
          {"to_label", parts_.encodings->name_of(transfer.to_label)},
          {"flow", flow_name(transfer.flow())},
          {"move", transfer.move},
          {"files", transfer.files},
          {"bytes", transfer.bytes},
          {"sha256", transfer.sha256}};
}

// For the audit log.
std::string Api::transfer_detail(const Transfer& transfer) const {
  std::string detail(transfer.move ? "move " : "copy ");
  if (!transfer.sha256.empty())
    detail += "of " + std::to_string(transfer.files) + " files and folders, " +
              std::to_string(transfer.bytes) + " bytes, SHA-256 " + transfer.sha256 + ", ";
  detail += std::string(grant_of(transfer.flow())) + ", for uid " + std::to_string(transfer.uid) +
            ", from " + base::quoted(parts_.encodings->name_of(transfer.from_label)) + " to " +
            base::quoted(parts_.encodings->name_of(transfer.to_label)) + ": ";
  return detail + transfer.text();
}

// Both zones must exist for the caller, be his to act in, and data may go this way. On record with all
// that the transfer is.
Status Api::authorise_transfer(const Caller& caller, const char* method, Transfer transfer,
                               AuditSink* audit) const {
  const json given = transfer_members(transfer);
  for (const std::string& name : {transfer.from, transfer.to}) {
    const Zone* zone = parts_.registry->find(name);
    TRY(authorise(caller, method, Verb::kLogin, zone, name, audit, &given));
    if (zone == nullptr) return no_such_zone(name);
  }
  const Zone* to = parts_.registry->find(transfer.to);
  transfer.from_label = parts_.registry->find(transfer.from)->label;
  transfer.to_label = to->label;
  Status allowed = labels::may_transfer(caller.rights, transfer.from_label, transfer.to_label);
  if (!allowed) allowed = std::move(allowed).error().context(transfer.text());
  std::string_view reason = allowed ? std::string_view() : allowed.error().message;
  if (audit == nullptr) return allowed;
  const std::string detail = transfer_detail(transfer);
  TRY(audit->record(
      {caller, method, Verb::kLogin, transfer.to, allowed.ok(), to, reason, &given, detail}));
  return allowed;
}

// Goes on, or answers with the refusal, once the decision is on record; by then it must still hold.
void Api::decide(const Request& request, const char* method, const Decide& decide,
                 std::function<void()> next) {
  const api::Answer answer = request.call.answer;
  Status allowed = decide(request.caller, audit_);
  auto then = [this, answer, asked_by = request.caller, allowed = std::move(allowed), decide,
               next = std::move(next)](Status recorded) {
    if (!recorded) return answer.fail(recorded.error());
    if (!allowed) return answer.fail(allowed.error());
    Status still = decide(parts_.users->caller(asked_by.uid, asked_by.pid), nullptr);
    if (!still) return answer.fail(still.error());
    next();
  };
  audit_->settle(method, std::move(then));
}

void Api::copy(Request request) {
  const json& parameters = request.call.parameters;
  api::Answer answer = request.call.answer;
  Transfer wanted;
  wanted.uid = request.caller.uid;
  wanted.from = parameters["from"].get<std::string>();
  wanted.from_path = parameters["from_path"].get<std::string>();
  wanted.to = parameters["to"].get<std::string>();
  wanted.to_path = parameters["to_path"].get<std::string>();
  wanted.recursive = parameters["recursive"].get<bool>();
  wanted.replace = parameters["replace"].get<bool>();
  wanted.move = parameters["move"].get<bool>();
  if (wanted.move && (wanted.recursive || wanted.replace))
    return answer.fail(make_error(Code::kInvalid, "a move is of one file, to a new place"));
  auto may = [this, wanted](const Caller& caller, AuditSink* audit) {
    return authorise_transfer(caller, "Copy", wanted, audit);
  };
  decide(request, "Copy", may, [this, answer, wanted] {
    parts_.transfers->freeze(wanted, [this, answer](Result<const Transfer*> frozen) {
      if (!frozen) return answer.fail(frozen.error());
      reply_content(answer, **frozen);
    });
  });
}

void Api::reply_content(const api::Answer& answer, const Transfer& transfer) const {
  auto content = parts_.transfers->content(transfer);
  if (!content) return answer.fail(content.error());
  std::vector<UniqueFd> fds;
  fds.push_back(*std::move(content));
  answer.reply({{"copy", transfer_members(transfer)},
                {"approval", parts_.transfers->needs_second(transfer)},
                {"content", 0}},
               std::move(fds));
}

// A copy that waits and that the caller asked for; for others there is none.
Result<const Transfer*> Api::own_transfer(const Request& request) const {
  uint64_t number = number_of(request.call.parameters);
  const Transfer* transfer = parts_.transfers->find(number);
  if (transfer == nullptr || transfer->uid != request.caller.uid) return no_such_copy(number);
  return transfer;
}

void Api::copy_confirm(Request request) {
  api::Answer answer = request.call.answer;
  auto transfer = own_transfer(request);
  if (transfer && (*transfer)->state != Transfer::Stage::kFrozen)
    return answer.fail(make_error(Code::kState, "it waits for a second person already"));
  if (!transfer) return answer.fail(transfer.error());
  auto may = [this, copy = **transfer](const Caller& caller, AuditSink* audit) {
    return authorise_transfer(caller, "CopyConfirm", copy, audit);
  };
  decide(request, "CopyConfirm", may,
         [this, answer, number = (*transfer)->number] { write_copy(answer, number); });
}

void Api::write_copy(const api::Answer& answer, uint64_t number) {
  const Transfer* transfer = parts_.transfers->find(number);
  if (transfer == nullptr) return answer.fail(no_such_copy(number));
  if (parts_.transfers->needs_second(*transfer)) {
    Status queued = parts_.transfers->queue(number);
    if (!queued) return answer.fail(queued.error());
    return answer.reply({{"queued", true}});
  }
  parts_.transfers->go_on(number, [answer](const Status& status) {
    if (!status) return answer.fail(status.error());
    answer.reply({{"queued", false}});
  });
}

void Api::copy_cancel(Request request) {
  auto transfer = own_transfer(request);
  if (!transfer) return request.call.answer.fail(transfer.error());
  Status dropped = parts_.transfers->drop((*transfer)->number);
  if (!dropped) return request.call.answer.fail(dropped.error());
  request.call.answer.reply(json::object());
}

// The second person: of the role security, not who asked, and both labels are within his range.
bool Api::may_approve(const Caller& caller, const Transfer& transfer) {
  return transfer.state == Transfer::Stage::kQueued && caller.role == Role::kSecurity &&
         caller.uid != transfer.uid && caller.rights.clearance.dominates(transfer.from_label) &&
         caller.rights.clearance.dominates(transfer.to_label);
}

void Api::copy_list(Request request) {
  json copies = json::array();
  for (const Transfer* transfer : parts_.transfers->all()) {
    bool own = transfer->uid == request.caller.uid || request.caller.root();
    if (own || may_approve(request.caller, *transfer))
      copies.push_back(transfer_members(*transfer));
  }
  request.call.answer.reply({{"copies", std::move(copies)}});
}

// kNotFound for what is not his to know of; the decision is on record, with all that the copy is.
Status Api::approvable(const Caller& caller, const char* method, uint64_t number,
                       AuditSink* audit) const {
  const Transfer* transfer = parts_.transfers->find(number);
  if (transfer == nullptr) return no_such_copy(number);
  bool own = transfer->uid == caller.uid || caller.root();
  bool may = may_approve(caller, *transfer);
  base::Error refusal = no_such_copy(number);
  if (own && !may)
    refusal = make_error(Code::kDenied, "copy " + std::to_string(number) + ": not yours to decide",
                         "another user of the role 'security' does");
  if (audit == nullptr) return may ? Status() : refusal;
  const json given = transfer_members(*transfer);
  std::string_view reason = may ? std::string_view() : refusal.message;
  const std::string detail = transfer_detail(*transfer);
  TRY(audit->record({caller, method, Verb::kLogin, transfer->to, may,
                     parts_.registry->find(transfer->to), reason, &given, detail}));
  return may ? Status() : refusal;
}

void Api::copy_show(Request request) {
  uint64_t number = number_of(request.call.parameters);
  const Transfer* transfer = parts_.transfers->find(number);
  bool own = transfer != nullptr && (transfer->uid == request.caller.uid || request.caller.root());
  if (transfer == nullptr || !(own || may_approve(request.caller, *transfer)))
    return request.call.answer.fail(no_such_copy(number));
  reply_content(request.call.answer, *transfer);
}

void Api::copy_approve(Request request) {
  api::Answer answer = request.call.answer;
  uint64_t number = number_of(request.call.parameters);
  auto may = [this, number](const Caller& caller, AuditSink* audit) {
    return approvable(caller, "CopyApprove", number, audit);
  };
  decide(request, "CopyApprove", may, [this, answer, number] {
    parts_.transfers->go_on(number, [answer](const Status& status) {
      if (!status) return answer.fail(status.error());
      answer.reply(json::object());
    });
  });
}

void Api::copy_reject(Request request) {
  api::Answer answer = request.call.answer;
  uint64_t number = number_of(request.call.parameters);
  auto may = [this, number](const Caller& caller, AuditSink* audit) {
    return approvable(caller, "CopyReject", number, audit);
  };
  decide(request, "CopyReject", may, [this, answer, number] {
    Status dropped = parts_.transfers->drop(number);
    if (!dropped) return answer.fail(dropped.error());
    answer.reply(json::object());
  });
}

}  // namespace zoned
