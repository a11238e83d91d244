#include "base/files.h"
#include "labels/encodings.h"
#include "tests/unit/cli/fake_daemon.h"

namespace {

using cli_test::FakeDaemon;
using cli_test::take;
using nlohmann::json;

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string write_file(const std::string& folder, const std::string& name,
                       const std::string& text) {
  take(base::make_dirs(AT_FDCWD, folder));
  base::UniqueFd fd =
      take(base::open_at(AT_FDCWD, folder + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  REQUIRE(base::write_all(fd.get(), text).ok());
  return folder + "/" + name;
}

// From then on nobody answers.
void stop(const FakeDaemon& daemon) {
  REQUIRE(unlink((daemon.root() + "/run/zoned.sock").c_str()) == 0);
}

}  // namespace

TEST_CASE("label check tells each fault with file, line and rule and fails, or what a file holds") {
  FakeDaemon daemon;
  std::string text(labels::Encodings::built_in_text());
  std::string good = write_file(daemon.root() + "/files", "good", text);
  std::string bad = write_file(
      daemon.root() + "/files", "bad",
      replaced(replaced(text, "sname= INT;", "sname= PUB;"), "color= red;", "color= reddish;"));

  auto outcome = daemon.zone({"label", "check", good});
  CHECK(outcome.status == 0);
  CHECK(outcome.out == good +
                           ": zoned default 1: 4 classifications, 5 words, default label PUBLIC, "
                           "default clearance PUBLIC\n");
  outcome = daemon.zone({"label", "check", bad});
  CHECK(outcome.status == 1);
  CHECK(outcome.out ==
        bad + ":7: CLASSIFICATIONS: name: name 'PUB' is taken\n" + bad +
            ":80: LOCAL DEFINITIONS: COLOR NAMES: color: unknown colour 'reddish'\n");
  outcome = daemon.zone({"--json", "label", "check", bad});
  CHECK(outcome.status == 1);
  json reply = json::parse(outcome.out);
  CHECK(reply["faults"].size() == 2);
  CHECK(reply["faults"][0]["line"] == 7);
  CHECK(daemon.zone({"label", "check", daemon.root() + "/files/none"}).status == 2);
  const std::string fifo = daemon.root() + "/files/fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  for (const std::string& odd : {fifo, daemon.root() + "/files", std::string("/dev/null")}) {
    outcome = daemon.zone({"label", "check", odd});
    CHECK(outcome.status == 2);
    CHECK_THAT(outcome.err, Catch::Contains("'" + odd + "' is not a regular file"));
  }
  CHECK(daemon.called.empty());
}

TEST_CASE("label list and dominates ask the daemon unless a file is given") {
  FakeDaemon daemon;
  const json row = {{"name", "LOW"},
                    {"short_name", "L"},
                    {"value", 3},
                    {"range", "only 2"},
                    {"colour", "#00ff00"}};
  daemon.reply("LabelNames",
               {{"classifications", {row}}, {"words", json::array()}, {"default_label", "LOW"}});
  daemon.reply("LabelDominates", {{"relation", "dominated"}});
  auto outcome = daemon.zone({"label", "list"});
  CHECK(outcome.status == 0);
  CHECK(outcome.out.find("default label:     LOW\n\nCLASSIFICATION") == 0);
  for (const char* piece : {"LOW", "only 2", "#00ff00"})
    CHECK(outcome.out.find(piece) != std::string::npos);
  CHECK(outcome.out.find("version") == std::string::npos);
  outcome = daemon.zone({"label", "dominates", "LOW", "HIGH"});
  CHECK(outcome.out == "dominated\n");
  CHECK(outcome.status == 1);
  CHECK(daemon.called == std::vector<std::string>{"LabelNames", "LabelDominates"});
  std::string given = write_file(daemon.root() + "/files", "given",
                                 std::string(labels::Encodings::built_in_text()));
  CHECK(daemon.zone({"label", "dominates", "--file", given, "SECRET", "PUBLIC"}).out ==
        "dominates\n");
  CHECK(daemon.called.size() == 2);
  daemon.methods.clear();
  CHECK(daemon.zone({"label", "list"}).err.find("no LabelNames") != std::string::npos);
}

TEST_CASE("without a daemon they go by the host's file, else the built-in one") {
  FakeDaemon daemon;
  stop(daemon);
  std::string text(labels::Encodings::built_in_text());
  auto outcome = daemon.zone({"label", "list"});
  CHECK(outcome.status == 0);
  CHECK(outcome.out.find("file:              built-in\n") == 0);
  CHECK(outcome.out.find("SECRET") != std::string::npos);

  std::string renamed = replaced(text, "VERSION= zoned default 1", "VERSION= of the host");
  write_file(daemon.root() + "/etc", "label_encodings", renamed);
  CHECK(daemon.zone({"label", "list"}).out.find("version:           of the host\n") !=
        std::string::npos);
  std::string given = write_file(daemon.root() + "/files", "given",
                                 replaced(text, "zoned default 1", "given by hand"));
  json reply = json::parse(daemon.zone({"--json", "label", "list", "--file", given}).out);
  CHECK(reply["version"] == "given by hand");
  CHECK(reply["default_label"] == "PUBLIC");
  CHECK(reply["default_clearance"] == "PUBLIC");
  CHECK(reply["classifications"].size() == 4);
  CHECK(reply["words"].size() == 5);

  write_file(daemon.root() + "/etc", "label_encodings", "broken");
  outcome = daemon.zone({"label", "list"});
  CHECK(outcome.status == 1);
  CHECK(outcome.err.find("/etc/label_encodings:1: VERSION: ") != std::string::npos);
}

TEST_CASE("label dominates answers in a word and by its exit status") {
  FakeDaemon daemon;
  stop(daemon);
  struct Row {
    const char* a;
    const char* b;
    const char* word;
    int status;
  };
  for (const Row& row :
       {Row{"secret eng", "SEC ENG", "equal\n", 0}, Row{"secret eng", "public", "dominates\n", 0},
        Row{"public", "secret eng", "dominated\n", 1},
        Row{"secret eng", "secret hr", "incomparable\n", 1},
        Row{"admin_high", "secret hr", "dominates\n", 0},
        Row{"admin_low", "public", "dominated\n", 1}}) {
    auto outcome = daemon.zone({"label", "dominates", row.a, row.b});
    CHECK(outcome.out == row.word);
    CHECK(outcome.status == row.status);
  }
  auto outcome = daemon.zone({"label", "dominates", "public", "top secret"});
  CHECK(outcome.status == 2);
  CHECK(outcome.err == "zone: label 'top secret': unknown classification 'top'\n");
}
