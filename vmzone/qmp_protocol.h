// The QEMU Machine Protocol as bytes (docs/interop/qmp-spec.rst and docs/devel/qapi-code-gen of
// QEMU 7.2). Pure. A guest may have taken QEMU over, so that what it says is hostile: whatever is
// not well-formed is kInvalid, after which the connection must be closed.
//
// QEMU writes one JSON object a line, CR LF at its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace vmzone {

inline constexpr size_t kMaxQmpMessage = 1 << 20;   // bytes of one line
inline constexpr size_t kMaxQmpDepth = 32;          // nested arrays and objects
inline constexpr size_t kMaxQmpValues = 1 << 16;    // array elements and object members, in all
inline constexpr size_t kMaxQmpText = 200;          // of an error's text, once escaped
inline constexpr size_t kMaxQmpRequest = 64 << 10;  // bytes of one request of ours

// The first message of a connection: commands are taken after qmp_capabilities.
struct QmpGreeting {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned micro = 0;
};
struct QmpReturn {
  uint64_t id = 0;
  nlohmann::json value;
};
struct QmpFailure {
  uint64_t id = 0;
  // "QEMU says '<escaped, at most kMaxQmpText bytes>'". Code by class: CommandNotFound is
  // kUnsupported, DeviceNotFound kNotFound, DeviceNotActive and KVMMissingCap kState, else kIo.
  base::Error error;
};
struct QmpEvent {
  std::string name;     // [A-Z0-9_]{1,64}
  nlohmann::json data;  // an object, empty when the event has no data; its content is hostile
};
using QmpMessage = std::variant<QmpGreeting, QmpReturn, QmpFailure, QmpEvent>;

// One line without its end.
base::Result<QmpMessage> qmp_message_from(std::string_view line);

// Cuts what arrives into messages. Holds at most kMaxQmpMessage bytes and what was fed last.
class QmpReader {
 public:
  void feed(std::string_view bytes);
  // The oldest whole message; nullopt: more bytes are needed. Call until then after each feed().
  base::Result<std::optional<QmpMessage>> next();

 private:
  std::string buffer_;
  size_t begin_ = 0;    // of the line that comes next
  size_t scanned_ = 0;  // up to here there is no end of it
};

// {"execute": command, "arguments": arguments, "id": id} and a newline. arguments: an object, or
// null for none. Bytes that are no UTF-8 become U+FFFD. kInvalid: over kMaxQmpRequest.
base::Result<std::string> qmp_request(uint64_t id, std::string_view command,
                                      const nlohmann::json& arguments);

}  // namespace vmzone
