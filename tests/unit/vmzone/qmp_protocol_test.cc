#include "vmzone/qmp_protocol.h"

#include <catch2/catch.hpp>

namespace vmzone {
namespace {

using base::Code;
using nlohmann::json;

constexpr const char* kGreeting =
    R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"},)"
    R"( "capabilities": ["oob"]}})";

std::string nested(size_t depth) {
  return R"({"id": 1, "return": )" + std::string(depth - 1, '[') + std::string(depth - 1, ']') +
         "}";
}

std::string with_values(size_t count) {
  std::string text = R"({"id": 1, "return": [0)";
  for (size_t i = 1; i < count; ++i) text += ",0";
  return text + "]}";
}

TEST_CASE("a greeting, an answer, a failure and an event are told apart") {
  auto greeting = qmp_message_from(kGreeting);
  REQUIRE(greeting);
  CHECK(std::get<QmpGreeting>(*greeting).major == 7);
  CHECK(std::get<QmpGreeting>(*greeting).minor == 2);
  CHECK(std::get<QmpGreeting>(*greeting).micro == 22);

  auto answer = qmp_message_from(R"({"return": {"a": [1]}, "id": 3})");
  REQUIRE(answer);
  CHECK(std::get<QmpReturn>(*answer).id == 3);
  CHECK(std::get<QmpReturn>(*answer).value == json{{"a", {1}}});

  auto event = qmp_message_from(
      R"({"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RESET", "data": {"guest": true}})");
  REQUIRE(event);
  CHECK(std::get<QmpEvent>(*event).name == "RESET");
  CHECK(std::get<QmpEvent>(*event).data == json{{"guest", true}});

  auto bare = qmp_message_from(R"({"event": "STOP"})");
  REQUIRE(bare);
  CHECK(std::get<QmpEvent>(*bare).data == json::object());
}

TEST_CASE("a failure's class becomes a code, and its text is escaped and cut") {
  auto failure = [](const std::string& qmp_class, const std::string& text) {
    json body = {{"id", 1}, {"error", {{"class", qmp_class}, {"desc", text}}}};
    auto message = qmp_message_from(body.dump());
    REQUIRE(message);
    return std::get<QmpFailure>(*message).error;
  };
  CHECK(failure("CommandNotFound", "no").code == Code::kUnsupported);
  CHECK(failure("DeviceNotFound", "no").code == Code::kNotFound);
  CHECK(failure("DeviceNotActive", "no").code == Code::kState);
  CHECK(failure("GenericError", "no").code == Code::kIo);
  CHECK(failure("GenericError", "no\x1b[2J\nway").message == R"(QEMU says 'no\x1b[2J\nway')");
  CHECK(failure("GenericError", std::string(100'000, 'x')).message.size() < 2 * kMaxQmpText);
}

TEST_CASE("what is no well-formed message is refused") {
  for (const char* line :
       {"",
        "{",
        "null",
        "[]",
        "1",
        "\"QMP\"",
        "{}",
        R"({"id": 1})",
        R"({"return": {}})",
        R"({"return": {}, "id": -1})",
        R"({"return": {}, "id": 1.0})",
        R"({"return": {}, "id": "1"})",
        R"({"return": {}, "id": 18446744073709551616})",
        R"({"error": {}, "id": 1})",
        R"({"error": {"class": "GenericError", "desc": "x"}})",
        R"({"error": {"class": 1, "desc": "x"}, "id": 1})",
        R"({"error": "x", "id": 1})",
        R"({"event": 1})",
        R"({"event": ""})",
        R"({"event": "reset"})",
        R"({"event": "A B"})",
        R"({"event": "A\nB"})",
        R"({"event": "STOP", "data": 1})",
        R"({"QMP": {}})",
        R"({"QMP": {"version": {"qemu": {"major": 7, "minor": 2}}}})",
        R"({"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": -1}}}})",
        R"({"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 4294967296}}}})",
        "{\"event\": \"STOP\", \"data\": {\"a\": \"\xff\"}}",
        "{\"event\": \"STOP\"}\x01",
        R"({"event": "STOP"}{})",
        R"({"event": "STOP", "data": {"a": NaN}})"}) {
    INFO(line);
    auto message = qmp_message_from(line);
    REQUIRE_FALSE(message);
    CHECK(message.error().code == Code::kInvalid);
  }
}

TEST_CASE("depth, number of values and length are capped, and up to the cap all is well") {
  CHECK(qmp_message_from(nested(kMaxQmpDepth)));
  CHECK_FALSE(qmp_message_from(nested(kMaxQmpDepth + 1)));
  CHECK_FALSE(qmp_message_from(std::string(kMaxQmpMessage, '[')));
  CHECK(qmp_message_from(with_values(kMaxQmpValues - 2)));
  CHECK_FALSE(qmp_message_from(with_values(kMaxQmpValues)));
  // What looks like structure in a string is none.
  CHECK(qmp_message_from(R"({"id": 1, "return": ")" + std::string(100'000, '[') + R"(\"[,\\"})"));
  std::string long_line =
      R"({"id": 1, "return": ")" + std::string(kMaxQmpMessage - 23, 'x') + "\"}";
  REQUIRE(long_line.size() == kMaxQmpMessage);
  CHECK(qmp_message_from(long_line));
  CHECK_FALSE(qmp_message_from(long_line + " "));
}

TEST_CASE("a reader finds the same messages however the bytes are cut") {
  const std::string bytes = std::string(kGreeting) + "\r\n" + R"({"return": {}, "id": 1})" +
                            "\r\n\r\n" + R"({"event": "STOP"})" + "\n";
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    QmpReader reader;
    std::string kinds;
    for (size_t i = 0; i < bytes.size(); i += piece) {
      reader.feed(std::string_view(bytes).substr(i, piece));
      while (true) {
        auto message = reader.next();
        REQUIRE(message);
        if (!message->has_value()) break;
        kinds += std::to_string((*message)->index());
      }
    }
    CHECK(kinds == "013");
  }
}

TEST_CASE("a line without an end is refused once it is too long") {
  QmpReader reader;
  const std::string piece(64 << 10, ' ');
  for (size_t i = 0; i < kMaxQmpMessage / piece.size(); ++i) {
    reader.feed(piece);
    auto message = reader.next();
    REQUIRE(message);
    CHECK_FALSE(message->has_value());
  }
  reader.feed(" ");
  CHECK_FALSE(reader.next());
}

TEST_CASE("a request is one line of JSON, capped") {
  auto plain = qmp_request(7, "query-status", nullptr);
  REQUIRE(plain);
  CHECK(plain->back() == '\n');
  CHECK(json::parse(*plain) == json{{"execute", "query-status"}, {"id", 7}});
  auto full = qmp_request(8, "x", {{"text", "a\nb\xff"}});
  REQUIRE(full);
  CHECK(full->find('\n') == full->size() - 1);
  CHECK(json::parse(*full)["arguments"]["text"] == "a\nb\xef\xbf\xbd");
  auto long_request = qmp_request(9, "x", {{"text", std::string(kMaxQmpRequest, 'x')}});
  REQUIRE_FALSE(long_request);
  CHECK(long_request.error().code == Code::kInvalid);
}

}  // namespace
}  // namespace vmzone
