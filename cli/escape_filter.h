// Filters a zone's console output for the host's terminal: text, colours and cursor moves pass;
// whatever could set or read anything outside the screen (titles, clipboard, reports that the
// terminal types back, printing, device control strings, mouse modes) is dropped. A pure state
// machine over ECMA-48 and xterm's ctlseqs; input may be cut anywhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cli {

class EscapeFilter {
 public:
  // What of `data` may reach the terminal. An unfinished sequence waits for its rest.
  std::string filter(std::string_view data);

 private:
  enum class State { kGround, kEscape, kCharset, kSkip, kCsi, kString, kStringEscape, kUtf8 };
  void step(unsigned char byte, std::string* out);
  void ground(unsigned char byte, std::string* out);
  void escape(unsigned char byte, std::string* out);
  void csi(unsigned char byte, std::string* out);
  void utf8(unsigned char byte, std::string* out);
  void c1(unsigned char code);
  bool csi_allowed(char final) const;

  State state_ = State::kGround;
  std::string pending_;    // CSI parameters or the bytes of a character
  size_t expected_ = 0;    // bytes of the character
  bool overlong_ = false;  // a CSI sequence over the cap: dropped whole
  bool bel_ends_ = false;  // of a string: OSC
};

}  // namespace cli
