// What users do with the guest of a running vm zone: its screen, keyboard, CD drives; pausing it.
#include <iterator>

#include "base/strings.h"
#include "base/unix_socket.h"
#include "labels/encodings.h"
#include "zoned/daemon/api.h"
#include "zoned/daemon/client_fds.h"
#include "zoned/daemon/zone_root.h"

namespace zoned {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using base::UniqueFd;
using nlohmann::json;

namespace {

constexpr size_t kMaxChords = 256;

std::string subject(const std::string& zone) { return "zone " + base::quoted(zone); }

// The answer to a call whose operation a guest may never end: the callback that holds the last copy
// goes with the control of the guest, and the client is told so.
class GuestAnswer {
 public:
  GuestAnswer(const api::Answer& answer, std::string zone)
      : state_(std::make_shared<State>(answer, std::move(zone))) {}

  void reply(json parameters, std::vector<UniqueFd> fds = {}) const {
    state_->answer.reply(std::move(parameters), std::move(fds));
  }
  void fail(base::Error error) const {
    state_->answer.fail(std::move(error).context(subject(state_->zone)));
  }
  // Success has no members.
  void done(Status status) const {
    if (status) return reply(json::object());
    fail(std::move(status).error());
  }

 private:
  struct State {
    State(api::Answer given, std::string name) : answer(std::move(given)), zone(std::move(name)) {}
    ~State() {
      if (answer.open())
        answer.fail(make_error(Code::kState, subject(zone) + ": its VMM ended meanwhile"));
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    api::Answer answer;
    std::string zone;
  };
  std::shared_ptr<State> state_;
};

Result<std::vector<vmzone::KeyChord>> chords_of(const json& parameters) {
  std::vector<vmzone::KeyChord> chords;
  if (parameters["keys"].size() > kMaxChords)
    return make_error(Code::kInvalid, "keys: more than " + std::to_string(kMaxChords));
  for (const json& key : parameters["keys"]) {
    TRY_AS(vmzone::KeyChord chord, vmzone::key_chord_from(key.get<std::string>()));
    chords.push_back(std::move(chord));
  }
  TRY_AS(auto typed, vmzone::key_chords_of_text(parameters["text"].get<std::string>()));
  std::move(typed.begin(), typed.end(), std::back_inserter(chords));
  return chords;
}

// The label is the zone's, as the daemon knows it; neither guest nor VNC server is asked.
json display_members(const Zone& zone, const labels::Encodings& encodings) {
  return {{"socket", 0},
          {"label", encodings.name_of(zone.label)},
          {"colour", encodings.colour_of(zone.label)}};
}

}  // namespace

Result<vmzone::Qmp*> Api::guest_of(const Zone& zone) const {
  if (!is_vm(zone))
    return make_error(Code::kUnsupported, "it is of the brand native",
                      "this is for virtual machines, brand = \"vm\"");
  if (zone.state != State::kRunning)
    return make_error(Code::kState,
                      "it is " + std::string(state_name(zone.state)) + ", not running",
                      zone.state == State::kInstalled ? "boot it first" : "");
  return parts_.guests->control(zone);
}

void Api::screenshot(Request request) {
  GuestAnswer answer(request.call.answer, request.zone->name);
  auto guest = guest_of(*request.zone);
  if (!guest) return answer.fail(guest.error());
  auto shot = [answer](Result<UniqueFd> picture) {
    if (!picture) return answer.fail(picture.error());
    std::vector<UniqueFd> fds;
    fds.push_back(*std::move(picture));
    answer.reply({{"image", 0}}, std::move(fds));
  };
  vmzone::check_screen(*guest, [answer, shot, qmp = *guest](Status status) {
    if (!status) return answer.fail(std::move(status).error());
    vmzone::screendump(qmp, shot);
  });
}

void Api::keys(Request request) {
  GuestAnswer answer(request.call.answer, request.zone->name);
  auto chords = chords_of(request.call.parameters);
  if (!chords) return answer.fail(chords.error());
  auto guest = guest_of(*request.zone);
  if (!guest) return answer.fail(guest.error());
  if (parts_.guests->paused(request.zone->name))
    return answer.fail(make_error(Code::kState, "it is paused, and takes no keys",
                                  "resume it first: zone resume " + request.zone->name));
  vmzone::send_keys(*guest, *std::move(chords),
                    [answer](Status status) { answer.done(std::move(status)); });
}

void Api::display(Request request) {
  const Zone& zone = *request.zone;
  if (!is_vm(zone)) return native_display(request);
  GuestAnswer answer(request.call.answer, zone.name);
  auto guest = guest_of(zone);
  if (!guest) return answer.fail(guest.error());
  auto added = [answer, members = display_members(zone, *parts_.encodings)](
                   const std::shared_ptr<UniqueFd>& client, Status status) {
    if (!status) return answer.fail(std::move(status).error());
    std::vector<UniqueFd> fds;
    fds.push_back(std::move(*client));
    answer.reply(members, std::move(fds));
  };
  vmzone::check_screen(*guest, [answer, added, qmp = *guest](Status status) {
    if (!status) return answer.fail(std::move(status).error());
    auto pair = base::socket_pair(SOCK_STREAM);
    if (!pair) return answer.fail(pair.error());
    auto client = std::make_shared<UniqueFd>(std::move(pair->first));
    vmzone::add_vnc_client(qmp, std::move(pair->second),
                           [added, client](Status done) { added(client, std::move(done)); });
  });
}

void Api::native_display(const Request& request) {
  const Zone& zone = *request.zone;
  GuestAnswer answer(request.call.answer, zone.name);
  if (zone.spec.display.empty())
    return answer.fail(
        make_error(Code::kUnsupported, "it has no display",
                   "run a VNC server in it that listens on a unix socket, and name that: "
                   "zone set " +
                       zone.name + " display=/run/vnc.sock"));
  if (zone.state != State::kRunning || !zone.record || zone.record->pid == 0)
    return answer.fail(make_error(Code::kState,
                                  "it is " + std::string(state_name(zone.state)) + ", not running",
                                  zone.state == State::kInstalled ? "boot it first" : ""));
  auto socket = connect_in_zone(*zone.record, zone.spec.display);
  if (!socket) return answer.fail(std::move(socket).error().context("its display"));
  std::vector<UniqueFd> fds;
  fds.push_back(*std::move(socket));
  answer.reply(display_members(zone, *parts_.encodings), std::move(fds));
}

void Api::insert(Request request) {
  GuestAnswer answer(request.call.answer, request.zone->name);
  const json& parameters = request.call.parameters;
  if (auto guest = guest_of(*request.zone); !guest) return answer.fail(guest.error());
  auto image = take_client_image(std::move(request.call.fds));
  if (!image) return answer.fail(image.error());
  parts_.guests->change_cd(*request.zone, parameters["drive"].get<std::string>(), *std::move(image),
                           parameters["force"].get<bool>(),
                           [answer](Status status) { answer.done(std::move(status)); });
}

void Api::eject(Request request) {
  GuestAnswer answer(request.call.answer, request.zone->name);
  const json& parameters = request.call.parameters;
  if (auto guest = guest_of(*request.zone); !guest) return answer.fail(guest.error());
  parts_.guests->change_cd(*request.zone, parameters["drive"].get<std::string>(), {},
                           parameters["force"].get<bool>(),
                           [answer](Status status) { answer.done(std::move(status)); });
}

void Api::pause(Request request) {
  GuestAnswer answer(request.call.answer, request.zone->name);
  if (auto guest = guest_of(*request.zone); !guest) return answer.fail(guest.error());
  parts_.guests->pause(*request.zone, [answer, done = answer_zone(request)](Status status) {
    if (status) return done({});
    answer.fail(std::move(status).error());
  });
}

void Api::resume(Request request) {
  GuestAnswer answer(request.call.answer, request.zone->name);
  if (auto guest = guest_of(*request.zone); !guest) return answer.fail(guest.error());
  parts_.guests->resume(*request.zone, [answer, done = answer_zone(request)](Status status) {
    if (status) return done({});
    answer.fail(std::move(status).error());
  });
}

}  // namespace zoned
