// The window: a stripe with the label's name and colour, a border of that colour, and inside of
// them the zone's picture. The stripe and the title are what zoned said; the zone has no say in
// either, nor in the window's size. GTK 3.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/view/decoder.h"
#include "cli/view/geometry.h"

namespace view {

struct Identity {
  std::string zone;
  std::string label;  // canonical name
  Colour colour;
};

// Shows the window until the user closes it: success. The display's own end is an error that says
// why. kUnsupported when there is no graphical session.
base::Status show_frame(const Identity& identity, const Decoder& decoder, const Canvas& canvas);

}  // namespace view
