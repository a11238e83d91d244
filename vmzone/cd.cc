// Ejecting and inserting CDs: a chain of requests, each sent when the one before has been answered.
#include <memory>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "vmzone/control.h"
#include "vmzone/fdset.h"

namespace vmzone {

using base::Code;
using base::make_error;
using nlohmann::json;

namespace {

struct Drive {
  bool tray_open = false;
  std::string node;  // the medium's; empty: none
};

const std::string* text_of(const json& object, const char* name) {
  auto it = object.is_object() ? object.find(name) : object.end();
  return it != object.end() ? it->get_ptr<const std::string*>() : nullptr;
}

base::Result<Drive> drive_from(const json& blocks, const std::string& device) {
  if (blocks.is_array()) {
    for (const json& block : blocks) {
      const std::string* id = text_of(block, "qdev");
      if (id == nullptr || *id != device) continue;
      auto open = block.find("tray_open");
      if (open == block.end() || !open->is_boolean()) break;  // a disk
      Drive drive{open->get<bool>(), ""};
      if (auto medium = block.find("inserted"); medium != block.end())
        if (const std::string* node = text_of(*medium, "node-name")) drive.node = *node;
      return drive;
    }
  }
  return make_error(Code::kNotFound, "there is no such CD drive",
                    "the first is cd0, if there is any");
}

class CdChange : public std::enable_shared_from_this<CdChange> {
 public:
  CdChange(Qmp* qmp, std::string device, bool force, OnDone on_done)
      : qmp_(qmp), device_(std::move(device)), force_(force), on_done_(std::move(on_done)) {}

  void start(base::UniqueFd image) {
    image_ = std::move(image);
    look([self = shared_from_this()](const Drive& drive) {
      if (drive.tray_open) return self->remove_medium(drive);
      self->step("blockdev-open-tray", {{"id", self->device_}, {"force", self->force_}},
                 [self] { self->check_open(); });
    });
  }

 private:
  void check_open() {
    look([self = shared_from_this()](const Drive& drive) {
      if (drive.tray_open) return self->remove_medium(drive);
      self->finish(make_error(Code::kBusy, "the guest holds the tray locked",
                              "eject it in the guest, or use force"));
    });
  }

  void remove_medium(const Drive& drive) {
    step("blockdev-remove-medium", {{"id", device_}},
         [self = shared_from_this(), node = drive.node] {
           if (node.empty()) return self->add_image();
           self->step("blockdev-del", {{"node-name", node}}, [self] { self->add_image(); });
         });
  }

  void add_image() {
    if (!image_) return finish({});
    add_fd(qmp_, image_.get(), [self = shared_from_this()](base::Result<int64_t> set) {
      if (!set) return self->finish(std::move(set).error());
      self->add_node(*set);
    });
  }

  // The node is named after the set, whose number QEMU gives to no other while this is open.
  void add_node(int64_t set) {
    std::string node = "medium-" + std::to_string(set);
    json file = {{"driver", "file"}, {"filename", fdset_path(set)}, {"locking", "off"}};
    json arguments = {
        {"driver", "raw"}, {"node-name", node}, {"read-only", true}, {"file", std::move(file)}};
    qmp_->execute("blockdev-add", std::move(arguments),
                  [self = shared_from_this(), set, node](base::Result<json> answer) {
                    remove_fdset(self->qmp_, set);
                    if (!answer) return self->finish(std::move(answer).error());
                    self->insert(node);
                  });
  }

  void insert(const std::string& node) {
    json arguments = {{"id", device_}, {"node-name", node}};
    qmp_->execute(
        "blockdev-insert-medium", std::move(arguments),
        [self = shared_from_this(), node](base::Result<json> answer) {
          if (!answer) {
            self->qmp_->execute("blockdev-del", {{"node-name", node}}, [](const auto&) {});
            return self->finish(std::move(answer).error());
          }
          self->step("blockdev-close-tray", {{"id", self->device_}}, [self] { self->finish({}); });
        });
  }

  template <typename Next>
  void look(Next next) {
    qmp_->execute("query-block", nullptr,
                  [self = shared_from_this(), next](base::Result<json> answer) {
                    if (!answer) return self->finish(std::move(answer).error());
                    auto drive = drive_from(*answer, self->device_);
                    if (!drive) return self->finish(std::move(drive).error());
                    next(*drive);
                  });
  }

  template <typename Next>
  void step(const char* command, json arguments, Next next) {
    qmp_->execute(command, std::move(arguments),
                  [self = shared_from_this(), next](base::Result<json> answer) {
                    if (!answer) return self->finish(std::move(answer).error());
                    next();
                  });
  }

  void finish(base::Status status) {
    image_.reset();
    if (status) return on_done_({});
    on_done_(std::move(status).error().context("CD drive " + base::quoted(device_)));
  }

  Qmp* qmp_;
  std::string device_;
  bool force_;
  OnDone on_done_;
  base::UniqueFd image_;  // empty: only eject
};

}  // namespace

void eject_cd(Qmp* qmp, std::string device, bool force, OnDone on_done) {
  std::make_shared<CdChange>(qmp, std::move(device), force, std::move(on_done))->start({});
}

void insert_cd(Qmp* qmp, std::string device, base::UniqueFd image, bool force, OnDone on_done) {
  std::make_shared<CdChange>(qmp, std::move(device), force, std::move(on_done))
      ->start(std::move(image));
}

}  // namespace vmzone
