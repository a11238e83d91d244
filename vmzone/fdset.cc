#include "vmzone/fdset.h"

#include <utility>

namespace vmzone {

using nlohmann::json;

void add_fd(Qmp* qmp, int fd, std::function<void(base::Result<int64_t>)> on_set) {
  qmp->execute(
      "add-fd", nullptr,
      [on_set = std::move(on_set)](base::Result<json> answer) {
        if (!answer) return on_set(std::move(answer).error());
        auto set = answer->is_object() ? answer->find("fdset-id") : answer->end();
        if (set == answer->end() || !set->is_number_integer())
          return on_set(base::make_error(base::Code::kIo, "QEMU names no set of descriptors"));
        on_set(set->get<int64_t>());
      },
      fd);
}

void remove_fdset(Qmp* qmp, int64_t set) {
  qmp->execute("remove-fd", {{"fdset-id", set}}, [](const auto&) {});
}

std::string fdset_path(int64_t set) { return "/dev/fdset/" + std::to_string(set); }

}  // namespace vmzone
