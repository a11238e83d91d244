#include "zoned/daemon/users.h"

#include <catch2/catch.hpp>

#include "tests/unit/daemon/configs.h"

namespace zoned {
namespace {

using base::Code;
using labels::Label;
using testing::must;
using testing::TemporaryFolder;
using testing::write_text;

const labels::Encodings& encodings() { return labels::Encodings::built_in(); }
Label label(const char* name) { return must(encodings().parse_label(name)); }

// Users of every Debian: daemon, bin and sys.
struct World {
  Users load(std::vector<std::string>* problems = nullptr) {
    std::vector<std::string> ignored;
    return must(Users::load(folder.path(), &encodings(), &reader,
                            problems != nullptr ? problems : &ignored));
  }
  std::string text() { return must(base::read_file(AT_FDCWD, folder / "users.toml")); }
  TemporaryFolder folder;
  testing::PlainReader reader;
};

TEST_CASE("root has all labels and grants, everybody else the least clearance and no grant") {
  World world;
  Users users = world.load();
  Caller root = users.caller(0, 7);
  CHECK(root.rights.clearance == Label::admin_high());
  CHECK(root.rights.minimum == Label::admin_low());
  CHECK(root.rights.upgrade);
  CHECK(root.rights.downgrade);
  Caller other = users.caller(4711, 7);
  CHECK(other.rights.clearance == encodings().default_clearance());
  CHECK(other.rights.minimum == encodings().default_label());
  CHECK_FALSE(other.rights.upgrade);
  CHECK_FALSE(other.rights.downgrade);
  CHECK(other.role == Role::kNone);
}

TEST_CASE("a caller of whom nothing is known sees nothing") {
  CHECK_FALSE(Caller{}.root());
  CHECK(Caller{}.rights.clearance == Label::admin_low());
  CHECK(Caller{}.role == Role::kNone);
}

TEST_CASE("what an entry says holds for the user of that name") {
  World world;
  write_text(world.folder / "users.toml",
             "[[user]]\nname = \"daemon\"\nclearance = \"SECRET ENG\"\nminimum = \"internal\"\n"
             "grants = [\"downgrade\"]\nrole = \"system\"\n");
  Users users = world.load();
  Caller caller = users.caller(must(uid_of_user("daemon")), 7);
  CHECK(caller.rights.clearance == label("SECRET ENG"));
  CHECK(caller.rights.minimum == label("INTERNAL"));
  CHECK_FALSE(caller.rights.upgrade);
  CHECK(caller.rights.downgrade);
  CHECK(caller.role == Role::kSystem);
  CHECK(users.caller(must(uid_of_user("bin")), 7).role == Role::kNone);
}

TEST_CASE("a wrong users file is refused with line and reason") {
  struct Row {
    const char* text;
    const char* line;
    const char* reason;
  };
  const std::vector<Row> rows = {
      {"[[user]]\nname = \"bin\"\nclearence = \"PUBLIC\"\n", ":3:", "'clearence'"},
      {"[[user]]\nname = \"bin\"\nclearance = \"PUBLIK\"\n", ":3:", "PUBLIK"},
      {"[[user]]\nname = \"bin\"\nclearance = 7\n", ":3:", "clearance"},
      {"[[user]]\nname = \"bin\"\nminimum = \"ADMIN_LOW\"\n", ":3:", "minimum"},
      {"[[user]]\nname = \"bin\"\ngrants = [\"fly\"]\n", ":3:", "'fly'"},
      {"[[user]]\nname = \"bin\"\ngrants = \"upgrade\"\n", ":3:", "list"},
      {"[[user]]\nname = \"bin\"\nrole = \"king\"\n", ":3:", "'king'"},
      {"[[user]]\nclearance = \"SECRET\"\n", ":1:", "no name"},
      {"[[user]]\nname = \"bin\"\n[[user]]\nname = \"bin\"\n", ":3:", "already"},
      {"[[user]]\nname = \"bin\"\nclearance = \"INTERNAL\"\nminimum = \"SECRET\"\n",
       ":1:", "does not dominate"},
      {"[[usr]]\nname = \"bin\"\n", ":1:", "'usr'"},
      {"[user]\nname = \"bin\"\n", ":1:", "[[user]]"},
      {"[[user]]\nname = \"bin\"\nx.y = 1\n", ":3:", "x"},
      {"user = 3\n", ":1:", "[[user]]"}};
  for (const Row& row : rows) {
    INFO(row.text);
    auto document = core::parse_document(row.text, "users.toml");
    auto users = document ? users_from(*document, encodings()) : document.error();
    REQUIRE_FALSE(users.ok());
    INFO(users.error().message);
    CHECK(users.error().code == Code::kInvalid);
    CHECK_THAT(users.error().message, Catch::StartsWith(std::string("users.toml") + row.line));
    CHECK_THAT(users.error().message, Catch::Contains(row.reason));
  }
}

TEST_CASE("root takes no entry") {
  World world;
  write_text(world.folder / "users.toml", "[[user]]\nname = \"root\"\nrole = \"security\"\n");
  std::vector<std::string> problems;
  auto users = Users::load(world.folder.path(), &encodings(), &world.reader, &problems);
  REQUIRE_FALSE(users.ok());
  CHECK_THAT(users.error().message, Catch::Contains("'root'"));
}

TEST_CASE("a user whom the host does not know is nobody, and no reason to fail") {
  World world;
  write_text(world.folder / "users.toml",
             "[[user]]\nname = \"gone-user\"\nclearance = \"SECRET\"\n"
             "[[user]]\nname = \"bin\"\nclearance = \"SECRET\"\n");
  std::vector<std::string> problems;
  Users users = world.load(&problems);
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0], Catch::Contains("'gone-user'"));
  CHECK(users.all().size() == 2);
  CHECK(users.caller(must(uid_of_user("bin")), 1).rights.clearance == label("SECRET"));
}

// As the daemon does it.
void take(Users* users, base::Result<Users::Change> change) {
  auto made = must(std::move(change));
  must(users->set(made, must(core::parse_document(made.text, users->file()))));
}

TEST_CASE("setting edits the lines and keeps what people wrote around them") {
  World world;
  write_text(world.folder / "users.toml",
             "# who may what\n[[user]]\nname = \"bin\"  # the binary one\n"
             "clearance = \"SECRET\"\n\n[[user]]\nname = \"sys\"\n");
  Users users = world.load();
  take(&users, users.edited("bin", {"clearance=SECRET HR", "minimum=INTERNAL",
                                    "grants=upgrade,downgrade", "role=security"}));
  CHECK(world.text() ==
        "# who may what\n[[user]]\nname = \"bin\"  # the binary one\nclearance = \"SECRET HR\"\n"
        "minimum = \"INTERNAL\"\ngrants = [\"upgrade\", \"downgrade\"]\nrole = \"security\"\n\n"
        "[[user]]\nname = \"sys\"\n");
  const Users again = world.load();
  for (const Users* now : {&std::as_const(users), &again}) {
    Caller bin = now->caller(must(uid_of_user("bin")), 1);
    CHECK(bin.rights.clearance == label("SECRET HR"));
    CHECK(bin.rights.minimum == label("INTERNAL"));
    CHECK(bin.rights.upgrade);
    CHECK(bin.rights.downgrade);
    CHECK(bin.role == Role::kSecurity);
  }
  users = world.load();
  take(&users, users.edited("bin", {"grants=downgrade,downgrade"}));
  CHECK(world.text().find("grants = [\"downgrade\"]\n") != std::string::npos);
  take(&users, users.edited("bin", {"role=", "grants=[]", "minimum=\"PUBLIC\""}));
  Caller bin = world.load().caller(must(uid_of_user("bin")), 1);
  CHECK(bin.role == Role::kNone);
  CHECK_FALSE(bin.rights.upgrade);
  CHECK(bin.rights.minimum == label("PUBLIC"));
}

TEST_CASE("entries come and go") {
  World world;
  Users users = world.load();
  take(&users, users.edited("bin", {"clearance=SECRET"}));
  take(&users, users.edited("sys", {}));
  CHECK(world.load().all().size() == 2);
  CHECK(world.load().find("sys")->rights.clearance == encodings().default_clearance());
  CHECK_FALSE(users.without("daemon").ok());
  take(&users, users.without("bin"));
  CHECK(world.load().find("bin") == nullptr);
  CHECK(world.load().find("sys") != nullptr);
  take(&users, users.without("sys"));
  CHECK(world.load().all().empty());
}

TEST_CASE("a text that says something else than was asked is not taken") {
  World world;
  Users users = world.load();
  take(&users, users.edited("bin", {"clearance=SECRET"}));
  const std::string before = world.text();
  auto change = must(users.edited("bin", {"clearance=INTERNAL"}));
  auto other = must(users.edited("bin", {"clearance=INTERNAL", "role=security"}));
  auto read = must(core::parse_document(other.text, users.file()));
  CHECK(users.set(change, read).error().code == Code::kInternal);
  CHECK(world.text() == before);
  take(&users, users.edited("sys", {"clearance='SECRET'", "grants=['upgrade']"}));
  CHECK(users.find("sys")->rights.upgrade);
  CHECK(users.set(other, read).error().code == Code::kBusy);
}

TEST_CASE("a change that is refused leaves the old state") {
  World world;
  Users users = world.load();
  take(&users, users.edited("bin", {"clearance=SECRET"}));
  const std::string before = world.text();
  for (const char* wrong : {"clearance=NONE SUCH", "role=king", "grants=fly", "name=sys",
                            "colour=x", "no equals", "minimum=ADMIN_HIGH", "clearance=\"SECRET",
                            "clearance=\"SECRET\"\nrole=\"system\"", "grants=[[\"upgrade\"]]"}) {
    INFO(wrong);
    CHECK_FALSE(users.edited("bin", {wrong}).ok());
  }
  CHECK(world.text() == before);
  CHECK(users.caller(must(uid_of_user("bin")), 1).rights.clearance == label("SECRET"));
}

}  // namespace
}  // namespace zoned
