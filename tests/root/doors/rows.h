// One row for each method of the interface. A method without a row fails the test of hidden zones:
// whoever adds one says here how it is called, and who may call it.
#pragma once

#include <string>
#include <vector>

#include "tests/root/doors/client.h"

namespace doors {

// Zones that the rows act on: hidden from all but `kMay` and root.
inline constexpr const char* kNative = "ghost";
inline constexpr const char* kVm = "ghostvm";
inline constexpr const char* kHiddenLabel = "SECRET ENG";
// May log in to them and manage them.
inline constexpr const char* kMay = "games";
// The [[admin]] tables of every zone: of those who may, and of some from whom it is hidden none the less.
inline constexpr const char* kGrants =
    "[[admin]]\nuser = \"daemon\"\nauths = [\"login\", \"manage\"]\n"
    "[[admin]]\nuser = \"sys\"\nauths = [\"login\", \"manage\"]\n"
    "[[admin]]\nuser = \"games\"\nauths = [\"login\", \"manage\"]\n";

struct Row {
  std::string method;
  Ask ask;  // a "number" is filled in: the last copy's
  // The positive control: this user gets a reply without an error.
  std::string who;
  std::string code = {};  // unless it has this error: what it is for is not the case here
};

// Parameters of Copy, out of kNative into a zone "shown" of the default label.
nlohmann::json copy_down();

// In an order in which all of them succeed, one after the other: kNative runs at first, kVm too; with
// two-person approval, and a first copy_down() of kMay's.
// tree: a busybox tree of the host.
std::vector<Row> rows(const std::string& tree);

}  // namespace doors
