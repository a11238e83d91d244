#include "zoned/daemon/authorise.h"

#include <catch2/catch.hpp>
#include <map>

namespace zoned {
namespace {

constexpr uid_t kLoginUser = 1001;
constexpr uid_t kManageUser = 1002;
constexpr uid_t kBareUser = 1003;  // an entry without rights
constexpr uid_t kStranger = 1004;

class Recorder : public AuditSink {
 public:
  base::Status record(const Decision& decision) override {
    ++count;
    allowed = decision.allowed;
    zone = std::string(decision.zone);
    return {};
  }
  void settle(std::string_view, Then then) override { then({}); }
  int count = 0;
  bool allowed = false;
  std::string zone;
};

Zone sample() {
  Zone zone;
  zone.name = "web";
  zone.label = labels::default_label();
  zone.grants = {{kLoginUser, true, false}, {kManageUser, false, true}, {kBareUser, false, false}};
  return zone;
}

TEST_CASE("verb, role and zone give exactly these decisions") {
  struct Row {
    uid_t uid;
    std::map<Verb, base::Code> refused;
  };
  using base::Code;
  const std::vector<Row> rows = {
      {0, {}},
      {kLoginUser, {{Verb::kManage, Code::kDenied}, {Verb::kConfigure, Code::kDenied}}},
      {kManageUser, {{Verb::kLogin, Code::kDenied}, {Verb::kConfigure, Code::kDenied}}},
      {kBareUser,
       {{Verb::kLogin, Code::kDenied},
        {Verb::kManage, Code::kDenied},
        {Verb::kConfigure, Code::kDenied}}},
      {kStranger,
       {{Verb::kSee, Code::kNotFound},
        {Verb::kLogin, Code::kNotFound},
        {Verb::kManage, Code::kNotFound},
        {Verb::kConfigure, Code::kNotFound}}},
  };
  Zone zone = sample();
  for (const Row& row : rows) {
    for (Verb verb : {Verb::kSee, Verb::kLogin, Verb::kManage, Verb::kConfigure}) {
      INFO("uid " << row.uid << " verb " << verb_name(verb));
      Recorder recorder;
      auto status = authorise({row.uid, 1}, "Method", verb, &zone, "web", &recorder);
      auto refused = row.refused.find(verb);
      CHECK(status.ok() == (refused == row.refused.end()));
      if (refused != row.refused.end()) CHECK(status.error().code == refused->second);
      CHECK(recorder.count == 1);
      CHECK(recorder.allowed == status.ok());
      CHECK(recorder.zone == "web");
    }
  }
}

TEST_CASE("a hidden zone and an absent zone answer alike") {
  Zone zone = sample();
  Recorder recorder;
  for (Verb verb : {Verb::kSee, Verb::kLogin, Verb::kManage, Verb::kConfigure}) {
    auto hidden = authorise({kStranger, 1}, "M", verb, &zone, "web", &recorder);
    auto absent = authorise({kStranger, 1}, "M", verb, nullptr, "web", &recorder);
    REQUIRE_FALSE(hidden.ok());
    REQUIRE_FALSE(absent.ok());
    CHECK(hidden.error().code == absent.error().code);
    CHECK(hidden.error().message == absent.error().message);
    CHECK(hidden.error().hint == absent.error().hint);
  }
}

TEST_CASE("only root acts on the host or makes zones") {
  Recorder recorder;
  CHECK(authorise({0, 1}, "PoolCreate", Verb::kHost, nullptr, "", &recorder).ok());
  CHECK(authorise({0, 1}, "Create", Verb::kConfigure, nullptr, "new", &recorder).ok());
  auto pool = authorise({kManageUser, 1}, "PoolCreate", Verb::kHost, nullptr, "", &recorder);
  REQUIRE_FALSE(pool.ok());
  CHECK(pool.error().code == base::Code::kDenied);
  CHECK_FALSE(
      authorise({kManageUser, 1}, "Create", Verb::kConfigure, nullptr, "new", &recorder).ok());
  CHECK_FALSE(authorise({kManageUser, 1}, "Run", Verb::kConfigure, nullptr, "", &recorder).ok());
}

TEST_CASE("a caller without the clearance does not see the zone, root included") {
  Zone zone = sample();
  zone.label = labels::Label(200, {});
  Caller low{0, 1, labels::Label(1, {})};
  Recorder recorder;
  auto status = authorise(low, "Info", Verb::kSee, &zone, "web", &recorder);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == base::Code::kNotFound);
  CHECK_FALSE(may_see(low, zone));
  low.clearance = labels::Label(200, {});
  CHECK(may_see(low, zone));
}

TEST_CASE("a zone without a label is for the highest clearance alone") {
  Zone zone = sample();
  zone.label = Zone{}.label;
  CHECK(may_see({0, 1}, zone));
  CHECK_FALSE(may_see({0, 1, labels::Label(255, {})}, zone));
}

}  // namespace
}  // namespace zoned
