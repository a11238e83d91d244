// The process that speaks RFB with a zone. What a zone sends is hostile, so it is taken apart by a
// process that can do nothing else: it holds the zone's socket, the canvas and a socket to the
// frame; once confined it may read, write and end. If the zone takes it over, it can draw into the
// canvas, which is the zone's anyway, and say the few things below. The stripe, the window, the
// user's screen, keyboard and files are the frame's, another process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "cli/view/rfb.h"

namespace view {

// One message of a SOCK_SEQPACKET socket each. The frame believes none of them: it checks sizes and
// clips areas.
struct FromDecoder {
  enum Kind : uint32_t { kSize, kDamage, kEnded };
  uint32_t kind = kSize;
  Area area;             // kSize: only width and height
  char reason[96] = {};  // kEnded; with a NUL
};
struct ToDecoder {
  enum Kind : uint32_t { kKey, kPointer };
  uint32_t kind = kKey;
  uint32_t keysym = 0;   // kKey
  uint32_t pressed = 0;  // kKey: 0 or 1; kPointer: buttons
  uint32_t x = 0;        // kPointer, on the zone's screen
  uint32_t y = 0;
};

// Memory of both processes. Its size can't be changed by either.
class Canvas {
 public:
  static base::Result<Canvas> create();
  Canvas(Canvas&& other) noexcept;
  Canvas(const Canvas&) = delete;
  ~Canvas();

  uint8_t* data() const { return data_; }
  // For the frame, which only looks.
  base::Status make_read_only() const;

 private:
  explicit Canvas(uint8_t* data) : data_(data) {}
  uint8_t* data_;
};

// The decoder's walls as data, so that a test can take each away.
struct Confinement {
  bool close_descriptors = true;  // all but the two
  bool become_nobody = true;      // where we are root
  bool limits = true;             // no core, no file grows
  bool no_new_privs = true;
  bool filter = true;  // reading, writing, memory that can't be executed, the end; all else kills
};
// No new descriptors, files, processes or privileges for this process, for good.
base::Status confine(int server, int frame, const Confinement& walls = {});

// Speaks RFB until either end is over. server: a connected stream socket. Never returns.
[[noreturn]] void run_decoder(int server, int frame, const Canvas& canvas);

struct Decoder {
  pid_t pid = 0;
  base::UniqueFd socket;  // non-blocking
};
// Forks it; it takes the server's socket along. Before anything that makes threads.
base::Result<Decoder> start_decoder(base::UniqueFd server, const Canvas& canvas);

}  // namespace view
