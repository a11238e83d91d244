#include "zoned/daemon/authorise.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

namespace zoned {
namespace {

using base::Code;
using labels::Label;

Label label(uint8_t classification, std::initializer_list<unsigned> compartments = {}) {
  labels::Compartments set;
  for (unsigned compartment : compartments) set.set(compartment);
  return {classification, set};
}

const Label kPublic = label(1);
const Label kSecret = label(6);
const Label kSecretA = label(6, {0});
const Label kSecretB = label(6, {1});

constexpr uid_t kUser = 1001;
constexpr uid_t kOther = 1002;

class Recorder : public AuditSink {
 public:
  base::Status record(const Decision& decision) override {
    ++count;
    allowed = decision.allowed;
    zone = std::string(decision.zone);
    reason = std::string(decision.reason);
    return {};
  }
  void settle(std::string_view, Then then) override { then({}); }
  int count = 0;
  bool allowed = false;
  std::string zone;
  std::string reason;
};

Caller user(const Label& clearance, Role role = Role::kNone, const Label& minimum = kPublic) {
  return {kUser, 1, {minimum, clearance, false, false}, role};
}

// What decisions look at: a zone can't be copied.
struct Shape {
  Label label;
  std::vector<Grant> grants;
};
Shape zone_of(const Label& label, std::vector<Grant> grants = {}) {
  return {label, std::move(grants)};
}
Zone make(const Shape& shape) {
  Zone zone;
  zone.name = "web";
  zone.label = shape.label;
  zone.grants = shape.grants;
  return zone;
}

enum class Answer { kYes, kDenied, kAbsent };

Answer ask(const Caller& caller, Verb verb, const Zone* zone, const std::string& name) {
  Recorder recorder;
  base::Status status = authorise(caller, "Method", verb, zone, name, &recorder);
  CHECK(recorder.count == 1);
  CHECK(recorder.allowed == status.ok());
  CHECK(recorder.zone == name);
  if (status) return Answer::kYes;
  return status.error().code == Code::kNotFound ? Answer::kAbsent : Answer::kDenied;
}

constexpr Verb kZoneVerbs[] = {Verb::kSee, Verb::kLogin, Verb::kManage, Verb::kConfigure};
constexpr Verb kHostVerbs[] = {Verb::kReadHost, Verb::kHost, Verb::kUsers, Verb::kAudit};

TEST_CASE("verb, role, grant and label give exactly these decisions on a zone") {
  constexpr Answer kYes = Answer::kYes;
  constexpr Answer kNo = Answer::kDenied;
  constexpr Answer kAbsent = Answer::kAbsent;
  const Grant login{kUser, true, false};
  const Grant manage{kUser, false, true};
  const Grant bare{kUser, false, false};
  const Grant others{kOther, true, true};
  struct Row {
    const char* what;
    Caller caller;
    Shape shape;
    Answer see, login, manage, configure;
  };
  const std::vector<Row> rows = {
      {"root", Caller::of_root(1), zone_of(kSecretA), kYes, kYes, kYes, kYes},
      {"root, a zone without a readable label", Caller::of_root(1), zone_of(Label::admin_high()),
       kYes, kYes, kYes, kYes},
      {"no grant", user(kSecretA), zone_of(kPublic), kAbsent, kAbsent, kAbsent, kAbsent},
      {"another's grant", user(kSecretA), zone_of(kPublic, {others}), kAbsent, kAbsent, kAbsent,
       kAbsent},
      {"an entry without rights", user(kPublic), zone_of(kPublic, {bare}), kYes, kNo, kNo, kNo},
      {"login", user(kPublic), zone_of(kPublic, {login}), kYes, kYes, kNo, kNo},
      {"manage", user(kPublic), zone_of(kPublic, {manage}), kYes, kNo, kYes, kNo},
      {"all grants, lower clearance", user(kPublic), zone_of(kSecret, {login, manage}), kAbsent,
       kAbsent, kAbsent, kAbsent},
      {"all grants, compartment missing", user(kSecret), zone_of(kSecretA, {login, manage}),
       kAbsent, kAbsent, kAbsent, kAbsent},
      {"all grants, incomparable", user(kSecretB), zone_of(kSecretA, {login}), kAbsent, kAbsent,
       kAbsent, kAbsent},
      {"login, clearance above", user(kSecretA), zone_of(kPublic, {login}), kYes, kYes, kNo, kNo},
      {"login, zone below his range", user(kSecretA, Role::kNone, kSecret),
       zone_of(kPublic, {login, manage}), kYes, kNo, kNo, kNo},
      {"system", user(kSecretA, Role::kSystem), zone_of(kSecretA), kYes, kNo, kYes, kNo},
      {"system, lower zone", user(kSecretA, Role::kSystem), zone_of(kPublic), kYes, kNo, kYes, kNo},
      {"system with login", user(kSecretA, Role::kSystem), zone_of(kSecret, {login}), kYes, kYes,
       kYes, kNo},
      {"system, zone above", user(kSecret, Role::kSystem), zone_of(kSecretA), kAbsent, kAbsent,
       kAbsent, kAbsent},
      {"system, zone below his range", user(kSecretA, Role::kSystem, kSecret), zone_of(kPublic),
       kAbsent, kAbsent, kAbsent, kAbsent},
      {"security", user(kSecretA, Role::kSecurity), zone_of(kPublic), kAbsent, kAbsent, kAbsent,
       kAbsent},
      {"security with grants", user(kSecretA, Role::kSecurity), zone_of(kPublic, {login, manage}),
       kAbsent, kAbsent, kAbsent, kAbsent},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    Zone zone = make(row.shape);
    CHECK(ask(row.caller, Verb::kSee, &zone, "web") == row.see);
    CHECK(ask(row.caller, Verb::kLogin, &zone, "web") == row.login);
    CHECK(ask(row.caller, Verb::kManage, &zone, "web") == row.manage);
    CHECK(ask(row.caller, Verb::kConfigure, &zone, "web") == row.configure);
    CHECK(may_see(row.caller, zone) == (row.see == kYes));
  }
}

TEST_CASE("role and verb give exactly these decisions on the host") {
  const std::vector<std::pair<Caller, std::vector<Verb>>> rows = {
      {Caller::of_root(1), {Verb::kReadHost, Verb::kHost, Verb::kUsers, Verb::kAudit}},
      {user(kSecretA), {}},
      {user(Label::admin_high()), {}},
      {user(kPublic, Role::kSystem), {Verb::kReadHost}},
      {user(kPublic, Role::kSecurity), {Verb::kUsers}},
      {user(Label::admin_high(), Role::kSecurity), {Verb::kUsers, Verb::kAudit}}};
  for (const auto& [caller, allowed] : rows) {
    for (Verb verb : kHostVerbs) {
      INFO("uid " << caller.uid << " role " << role_name(caller.role) << " verb "
                  << verb_name(verb));
      bool may = std::find(allowed.begin(), allowed.end(), verb) != allowed.end();
      CHECK(ask(caller, verb, nullptr, "") == (may ? Answer::kYes : Answer::kDenied));
    }
    Answer create = caller.root() ? Answer::kYes : Answer::kDenied;
    CHECK(ask(caller, Verb::kConfigure, nullptr, "") == create);
  }
}

TEST_CASE("a hidden zone and an absent zone answer alike; the record tells which it was") {
  const Grant all{kUser, true, true};
  struct Row {
    Caller caller;
    Shape shape;
    const char* reason;
  };
  const std::vector<Row> rows = {{user(kSecretA), zone_of(kSecret), "hidden: no [[admin]] entry"},
                                 {user(kSecret), zone_of(kSecretA, {all}),
                                  "hidden: the clearance does not dominate the zone's label"},
                                 {user(kSecretB, Role::kSystem), zone_of(kSecretA, {all}),
                                  "hidden: the clearance does not dominate the zone's label"},
                                 {user(kSecretA, Role::kSecurity), zone_of(kSecretA, {all}),
                                  "hidden: from security administrators"},
                                 {Caller{}, zone_of(kPublic, {all}),
                                  "hidden: the clearance does not dominate the zone's label"}};
  Recorder recorder;
  for (const auto& [caller, shape, reason] : rows) {
    Zone zone = make(shape);
    for (Verb verb : kZoneVerbs) {
      auto hidden = authorise(caller, "M", verb, &zone, "web", &recorder);
      CHECK(recorder.reason == reason);
      auto absent = authorise(caller, "M", verb, nullptr, "web", &recorder);
      CHECK(recorder.reason == "zone 'web': no such zone");
      REQUIRE_FALSE(hidden.ok());
      REQUIRE_FALSE(absent.ok());
      CHECK(hidden.error().code == absent.error().code);
      CHECK(hidden.error().message == absent.error().message);
      CHECK(hidden.error().hint == absent.error().hint);
    }
  }
}

TEST_CASE("servers of ours are not for users, whatever they hold") {
  Zone server = make(zone_of(kPublic, {{kUser, true, true}}));
  CHECK(may_see(user(kPublic), server));
  server.file.source = "cell:dnsmasq";
  CHECK_FALSE(may_see(user(kPublic), server));
  CHECK_FALSE(may_see(user(kSecretA, Role::kSystem), server));
  CHECK(may_see(Caller::of_root(1), server));
}

}  // namespace
}  // namespace zoned
