#include <algorithm>
#include <catch2/catch.hpp>

#include "base/sha256.h"
#include "zoned/api/audit_check.h"

namespace api {
namespace {

constexpr int64_t kTime = 1767225600123456789;  // 2026-01-01T00:00:00

struct Log {
  std::vector<std::string> lines;
  AuditHead head;
  explicit Log(size_t records) {
    for (size_t i = 0; i < records; ++i) add("decision", {{"uid", i}, {"method", "Boot"}});
  }
  void add(std::string_view kind, const nlohmann::ordered_json& members) {
    lines.push_back(audit_line(head, kTime, kind, members));
    head = head_after(head, lines.back());
  }
  std::string text() const {
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
  }
};

std::vector<std::string> told(const AuditCheck& check) {
  std::vector<std::string> texts;
  for (const AuditFault& fault : check.faults()) texts.push_back(fault.place + ": " + fault.text);
  return texts;
}

AuditCheck checked(const std::string& text, std::vector<AuditHead> known = {}, bool whole = true) {
  AuditCheck check(std::move(known), whole);
  check.begin_file("a.log");
  constexpr size_t kPiece = 7;
  for (size_t at = 0; at < text.size(); at += kPiece) check.feed(text.substr(at, kPiece));
  check.end_file();
  check.finish();
  return check;
}

using Texts = std::vector<std::string>;

TEST_CASE("SHA-256 of the standard's examples") {
  CHECK(base::sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(base::sha256_hex("abc") ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a record is one line that begins with its place in the chain") {
  std::string line = audit_line({}, kTime, "decision", {{"reason", "a\nb\xff"}});
  CHECK(line.starts_with("{\"seq\":1,\"prev\":\"" + std::string(64, '0') +
                         "\",\"time\":\"2026-01-01T00:00:00.123456789Z\",\"kind\":\"decision\","));
  CHECK(line.find('\n') == std::string::npos);
  CHECK(nlohmann::json::parse(line)["reason"] == "a\nb\xef\xbf\xbd");
  auto prefix = audit_prefix(line);
  REQUIRE(prefix);
  CHECK(prefix->seq == 1);
  CHECK(prefix->kind == "decision");
  CHECK(audit_prefix(audit_line({}, kTime, "stop", nlohmann::ordered_json::object())));
  for (const char* bad : {"", "{}", "{\"seq\":1}", "{\"seq\":01,\"prev\":\"\"}"})
    CHECK_FALSE(audit_prefix(bad));
}

TEST_CASE("a head has one text form") {
  AuditHead head{12, std::string(64, 'a')};
  auto again = AuditHead::parse(head.text());
  REQUIRE(again.ok());
  CHECK(*again == head);
  for (const std::string& bad : {std::string("12"), "x:" + head.hash, "12:" + std::string(64, 'g'),
                                 "12:" + std::string(63, 'a'), head.text() + " "})
    CHECK_FALSE(AuditHead::parse(bad).ok());
}

TEST_CASE("names of audit files") {
  CHECK(audit_file_name(12) == "audit.000012.log");
  CHECK(audit_file_number("audit.000012.log") == 12U);
  CHECK(audit_file_number("audit.1000000.log") == 1000000U);
  for (const char* bad : {"head", "audit.log", "audit..log", "audit.x.log", "audit.0.log"})
    CHECK_FALSE(audit_file_number(bad));
}

TEST_CASE("a log as it was written has no fault, and its head is the last record's") {
  Log log(20);
  AuditCheck check = checked(log.text(), {log.head});
  CHECK(told(check) == Texts{});
  CHECK(check.records() == 20);
  CHECK(check.heads_seen() == 1);
  CHECK(check.head() == log.head);
}

TEST_CASE("a changed byte is found at its record, wherever it is") {
  Log log(9);
  const std::string good = log.lines[4];
  size_t missed = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    log.lines[4] = good;
    log.lines[4][at] = good[at] == '7' ? '8' : '7';
    auto texts = told(checked(log.text()));
    INFO(log.lines[4]);
    if (texts.size() != 1 || !texts[0].starts_with("a.log:5: record 5 was changed")) {
      ++missed;
      UNSCOPED_INFO((texts.empty() ? "nothing" : texts[0]));
    }
  }
  CHECK(missed == 0);
}

TEST_CASE("a change of the last record is found by a noted head alone") {
  Log log(5);
  log.lines[4][log.lines[4].size() - 3] = 'x';
  CHECK(told(checked(log.text())) == Texts{});
  auto texts = told(checked(log.text(), {log.head}));
  REQUIRE(texts.size() == 1);
  CHECK(texts[0].starts_with("a.log:5: record 5 is not the one whose head was noted"));
}

TEST_CASE("removed, swapped and inserted records are found where they are") {
  Log log(9);
  SECTION("one removed") {
    log.lines.erase(log.lines.begin() + 3);
    CHECK(told(checked(log.text())) ==
          Texts{"a.log:4: record 4 is missing: removed before this line"});
  }
  SECTION("several removed") {
    log.lines.erase(log.lines.begin() + 3, log.lines.begin() + 6);
    CHECK(told(checked(log.text())) ==
          Texts{"a.log:4: records 4 to 6 are missing: removed before this line"});
  }
  SECTION("two swapped") {
    std::swap(log.lines[3], log.lines[4]);
    CHECK(told(checked(log.text())) == Texts{"a.log:4: record 4 and record 5 were swapped"});
  }
  SECTION("a copy inserted") {
    log.lines.insert(log.lines.begin() + 6, log.lines[2]);
    CHECK(told(checked(log.text())) ==
          Texts{"a.log:7: record 3 stands behind record 6: a line was put in or moved"});
  }
  SECTION("a forged one that follows the chain inserted") {
    AuditHead before{3, head_after({2, ""}, log.lines[2]).hash};
    log.lines.insert(log.lines.begin() + 3, audit_line(before, kTime, "decision", {{"uid", 0}}));
    CHECK_FALSE(told(checked(log.text())).empty());
    CHECK(told(checked(log.text()))[0].starts_with("a.log:5: record 4 stands behind record 4"));
  }
  SECTION("garbage inserted") {
    log.lines.insert(log.lines.begin() + 3, "garbage");
    CHECK(told(checked(log.text())) ==
          Texts{"a.log:4: a line that is no record was put in before record 4"});
  }
  SECTION("the beginning removed") {
    log.lines.erase(log.lines.begin(), log.lines.begin() + 2);
    CHECK(told(checked(log.text())) ==
          Texts{"a.log:1: records 1 to 2 are missing: removed from the beginning"});
    CHECK(told(checked(log.text(), {}, false)) == Texts{});
  }
}

TEST_CASE("what was cut off at the end is told by a noted head") {
  Log log(9);
  log.lines.resize(6);
  CHECK(told(checked(log.text())) == Texts{});
  CHECK(told(checked(log.text(), {log.head})) ==
        Texts{"a.log:6: records 7 to 9 are missing: removed from the end"});
  CHECK_FALSE(told(checked("", {log.head})).empty());
}

TEST_CASE("a chain that was computed anew is told by a noted head") {
  Log log(9);
  Log forged(3);
  forged.add("decision", {{"uid", 1000}});
  while (forged.lines.size() < 9) forged.add("decision", {{"uid", forged.lines.size()}});
  CHECK(told(checked(forged.text())) == Texts{});
  auto texts = told(
      checked(forged.text(), {log.head, AuditHead{3, head_after({2, ""}, log.lines[2]).hash}}));
  REQUIRE(texts.size() == 1);
  CHECK(texts[0].starts_with("a.log:9: record 9 is not the one whose head was noted"));
}

TEST_CASE("an incomplete last line is no fault by itself, and one that was told of none at all") {
  Log log(5);
  std::string half = log.lines[4].substr(0, 40);
  log.lines.resize(4);
  AuditCheck torn = checked(log.text() + half);
  CHECK(told(torn) == Texts{});
  CHECK(torn.torn() == half);
  CHECK(torn.head().seq == 4);

  Log mended(4);
  std::string text = mended.text() + half + "\n";
  size_t before = text.size();
  mended.add("torn", {{"bytes", half.size()}, {"sha256", base::sha256_hex(half)}});
  text += mended.lines.back() + "\n";
  CHECK(told(checked(text)) == Texts{});
  text[before - 3] ^= 1;
  CHECK(told(checked(text)).size() == 1);
}

TEST_CASE("a file that was pruned is told of in the chain") {
  Log log(3);
  AuditHead last = log.head;
  log.add("pruned", {{"file", "audit.000001.log"}, {"last", last.seq}, {"hash", last.hash}});
  log.lines.erase(log.lines.begin(), log.lines.begin() + 3);
  CHECK(told(checked(log.text())) == Texts{});
}

TEST_CASE("faults are counted up to a limit, and any bytes will do") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "x\n";
  text += std::string(3 * kMaxAuditLine, 'y') + "\n";
  CHECK(checked(text).faults().size() == AuditCheck::kMaxFaults);
}

}  // namespace
}  // namespace api
