// Whether the running Catch2 test case has failed so far (a CHECK counts too), and its name.
#pragma once

#include <string>

namespace harness {

bool current_test_failed();
std::string current_test_name();

}  // namespace harness
