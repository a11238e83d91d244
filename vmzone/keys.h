// Keys of a guest's keyboard, by QEMU's names (QKeyCode, qapi/ui.json of QEMU 7.2). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vmzone {

inline constexpr size_t kMaxChordKeys = 8;
inline constexpr size_t kMaxTypedText = 4096;  // characters

// Keys held down together, pressed in this order: QEMU's names ("ctrl", "alt", "delete").
using KeyChord = std::vector<std::string>;

// "ctrl-alt-delete", "f12", "shift-a": names as QEMU's, in any case, the usual other names (control,
// del, ins, return, enter, escape, space, super, win, pageup, pagedown), and of a US keyboard the
// characters `=[]\;',./ as they are. The key '-' is "minus". kInvalid: an unknown key (hint: the
// nearest), a key twice, more than kMaxChordKeys.
base::Result<KeyChord> key_chord_from(std::string_view text);

// Characters to type on a US keyboard: printable ASCII, newline (the return key), tab, backspace
// (0x08) and escape (0x1b). kInvalid: any other, or more than kMaxTypedText.
base::Result<std::vector<KeyChord>> key_chords_of_text(std::string_view text);

// Every name that key_chord_from takes, sorted; characters are left out.
std::vector<std::string> key_names();

}  // namespace vmzone
