// Names of labels, for everybody up to his clearance. Labels of the host's trees: given, told and taken
// away by the administrator alone.
#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <memory>
#include <optional>

#include "base/strings.h"
#include "labels/known_names.h"
#include "zoned/daemon/api.h"
#include "zoned/daemon/tree_labels.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using nlohmann::json;

namespace {

constexpr size_t kMaxShown = 400;

// The folder or file that the client has opened; its name is ours to find.
Result<HostObject> take_object(const api::Call& call) {
  if (call.fds.size() != 1)
    return make_error(Code::kInvalid, "needs 1 descriptor, got " + std::to_string(call.fds.size()));
  auto object = host_object_of(call.fds[0].get());
  if (object) return object;
  return std::move(object).error().context(
      base::quoted(call.parameters["path"].get<std::string>(), kMaxShown));
}

Status check_unused(const HostObject& object, const Zone& zone) {
  auto refuse = [&](const std::string& how) {
    return make_error(Code::kBusy,
                      "zone " + base::quoted(zone.name) + " has " +
                          base::quoted(object.path, kMaxShown) + " " + how,
                      "halt it first");
  };
  if (!zone.record) return {};
  for (const core::FsSpec& fs : zone.spec.fs)
    if (overlap(fs.special, object.path)) return refuse("mounted at " + base::quoted(fs.dir));
  for (const core::DiskSpec& disk : zone.spec.disk)
    if (overlap(disk.path, object.path)) return refuse("as a disk");
  if (!zone.run_source) return {};
  char name[PATH_MAX];
  std::string link = "/proc/self/fd/" + std::to_string(zone.run_source.get());
  ssize_t size = readlink(link.c_str(), name, sizeof name);
  if (size < 0 || overlap(std::string(name, static_cast<size_t>(size)), object.path))
    return refuse("as its tree");
  return {};
}

}  // namespace

void Api::label_names(Request request) {
  request.call.answer.reply(
      labels::known_names(*parts_.encodings, request.caller.rights.clearance));
}

void Api::label_dominates(Request request) {
  auto relate = [&]() -> Result<std::string_view> {
    auto label = [&](const char* name) {
      return labels::parse_known_label(*parts_.encodings,
                                       request.call.parameters[name].get<std::string>(),
                                       request.caller.rights.clearance);
    };
    TRY_AS(labels::Label first, label("first"));
    TRY_AS(labels::Label second, label("second"));
    return labels::relation(first, second);
  };
  auto relation = relate();
  if (!relation) return request.call.answer.fail(relation.error());
  request.call.answer.reply({{"relation", *relation}});
}

// label: null: none from now on. On record with what the descriptor has turned out to be.
void Api::change_label(Request request, const std::optional<labels::Label>& label) {
  const char* method = label ? "LabelSet" : "LabelClear";
  const api::Answer answer = request.call.answer;
  auto object = take_object(request.call);
  if (!object) return answer.fail(object.error());
  std::string detail = base::quoted(object->path, kMaxShown) + ", which is " +
                       base::quoted(parts_.encodings->name_of(object->label));
  if (label) detail += ", becomes " + base::quoted(parts_.encodings->name_of(*label));
  Status recorded =
      audit_->record({request.caller, method, Verb::kHost, "", true, nullptr, {}, nullptr, detail});
  if (!recorded) return answer.fail(recorded.error());
  auto shared = std::make_shared<HostObject>(*std::move(object));
  audit_->settle(method, [this, answer, shared, label](const Status& settled) {
    auto act = [&]() -> Status {
      TRY(settled);
      for (const auto& [name, zone] : parts_.registry->zones()) TRY(check_unused(*shared, *zone));
      return label ? parts_.trees->set(*shared, *label) : parts_.trees->clear(*shared);
    };
    if (Status done = act(); !done) return answer.fail(done.error());
    answer.reply(json::object());
  });
}

void Api::label_set(Request request) {
  auto parse = [&]() -> Result<labels::Label> {
    const std::string name = request.call.parameters["label"].get<std::string>();
    TRY_AS(labels::Label label, parts_.encodings->parse_label(name));
    TRY(parts_.encodings->check_label(label));
    return label;
  };
  auto label = parse();
  if (!label) return request.call.answer.fail(label.error());
  change_label(std::move(request), *label);
}

void Api::label_clear(Request request) { change_label(std::move(request), std::nullopt); }

void Api::label_get(Request request) {
  auto object = take_object(request.call);
  if (!object) return request.call.answer.fail(object.error());
  request.call.answer.reply({{"label", parts_.encodings->name_of(object->label)},
                             {"stored", object->label.encode()},
                             {"tree", object->labelled}});
}

void Api::label_trees(Request request) {
  auto trees = parts_.trees->trees();
  if (!trees) return request.call.answer.fail(trees.error());
  json members = json::array();
  for (const HostObject& tree : *trees)
    members.push_back({{"path", tree.path}, {"label", parts_.encodings->name_of(tree.label)}});
  request.call.answer.reply({{"trees", std::move(members)}});
}

}  // namespace zoned
