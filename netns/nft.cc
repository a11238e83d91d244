#include "netns/nft.h"

#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <nftables/libnftables.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/strings.h"
#include "netns/netlink.h"
#include "netns/ruleset.h"

namespace netns {
namespace {

using base::Code;
using base::make_error;
using base::Result;
using base::Status;
using nlohmann::json;

constexpr const char* kFamilies[] = {"inet", "arp", "bridge"};

// "/dev/stdin:3:1-20: Error: Could not process rule: No such file or directory" -> what follows
// "Error: ", of the first line.
std::string first_message(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  size_t start = line.find("Error: ");
  if (start != std::string::npos) line = line.substr(start + 7);
  return line.empty() ? "nftables refused the rules" : line;
}

Code code_of(const std::string& message) {
  constexpr std::pair<std::string_view, Code> kCauses[] = {
      {"No such file or directory", Code::kNotFound},
      {"does not exist", Code::kNotFound},
      {"File exists", Code::kExists},
      {"Operation not permitted", Code::kDenied},
      {"Device or resource busy", Code::kBusy},
      {"Operation not supported", Code::kUnsupported},
      {"Protocol error", Code::kUnsupported},
      {"syntax error", Code::kInternal},
      {"Cannot allocate memory", Code::kNoSpace},
      {"No space left", Code::kNoSpace}};
  for (const auto& [text, code] : kCauses)
    if (message.find(text) != std::string::npos) return code;
  return Code::kIo;
}

// Calls visit with each object of that kind in nft's JSON.
Status each(const std::string& text, const char* kind,
            const std::function<void(const json&)>& visit) {
  try {
    const json document = json::parse(text);
    for (const json& item : document.at("nftables"))
      if (item.contains(kind)) visit(item.at(kind));
  } catch (const json::exception& failure) {
    return make_error(Code::kIo,
                      std::string("packet filter: unreadable answer: ") + failure.what());
  }
  return {};
}

}  // namespace

Result<Nft> Nft::open() {
  nft_ctx* context = nft_ctx_new(NFT_CTX_DEFAULT);
  if (context == nullptr) return make_error(Code::kNoSpace, "nftables: no context");
  nl_sock* socket = nl_socket_alloc();
  Nft nft(context, socket, nullptr);
  TRY_AS(nft.batches_, open_netlink(NETLINK_NETFILTER));
  if (socket == nullptr) return make_error(Code::kNoSpace, "netlink: no socket");
  if (int failed = nl_connect(socket, NETLINK_NETFILTER); failed < 0)
    return make_error(Code::kIo, std::string("netlink: ") + nl_geterror(failed));
  if (nft_ctx_buffer_output(context) != 0 || nft_ctx_buffer_error(context) != 0)
    return make_error(Code::kNoSpace, "nftables: no buffers");
  nft_ctx_output_set_flags(context, NFT_CTX_OUTPUT_JSON);
  return nft;
}

Nft::Nft(Nft&& other) noexcept
    : context_(std::exchange(other.context_, nullptr)),
      socket_(std::exchange(other.socket_, nullptr)),
      batches_(std::exchange(other.batches_, nullptr)) {}
Nft& Nft::operator=(Nft&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(socket_, other.socket_);
  std::swap(batches_, other.batches_);
  return *this;
}
Nft::~Nft() {
  if (context_ != nullptr) nft_ctx_free(context_);
  nl_socket_free(socket_);
  if (batches_ != nullptr) close_netlink(batches_);
}

Result<std::string> Nft::run(const std::string& text) {
  int failed = nft_run_cmd_from_buffer(context_, text.c_str());
  // Both buffers must be taken each time, else they grow.
  const char* out = nft_ctx_get_output_buffer(context_);
  const char* err = nft_ctx_get_error_buffer(context_);
  if (failed == 0) return std::string(out == nullptr ? "" : out);
  std::string message = first_message(err == nullptr ? "" : err);
  return make_error(code_of(message), "packet filter: " + message);
}

Status Nft::apply(const std::string& text) {
  auto done = run(text);
  if (!done) return std::move(done).error();
  return {};
}

Status Nft::check(const std::string& text) {
  nft_ctx_set_dry_run(context_, true);
  Status status = apply(text);
  nft_ctx_set_dry_run(context_, false);
  return status;
}

Result<bool> Nft::present(const Instance& instance) {
  TRY_AS(std::string text, run("list tables"));
  size_t found = 0;
  TRY(each(text, "table", [&](const json& table) {
    std::string family = table.at("family");
    if (table.at("name") == instance.table() && (family == "inet" || family == "arp")) ++found;
  }));
  return found == 2;
}

Result<DropCount> Nft::unknown_ports(const Instance& instance) {
  DropCount sum;
  for (const char* family : kFamilies) {
    auto text = run(std::string("list counter ") + family + " " + instance.table() + " unknown");
    if (!text && text.error().code == Code::kNotFound) continue;
    if (!text) return std::move(text).error();
    TRY(each(*text, "counter", [&](const json& counter) {
      sum.packets += counter.at("packets").get<uint64_t>();
      sum.bytes += counter.at("bytes").get<uint64_t>();
    }));
  }
  return sum;
}

Result<std::vector<std::string>> Nft::forward_drops(const Instance& instance) {
  TRY_AS(std::string text, run("list chains"));
  std::vector<std::string> drops;
  TRY(each(text, "chain", [&](const json& chain) {
    if (chain.value("hook", "") != "forward" || chain.value("policy", "") != "drop") return;
    std::string family = chain.at("family");
    std::string table = chain.at("table");
    if (table == instance.table() || family == "bridge") return;
    drops.push_back(family + " " + table + " " + chain.at("name").get<std::string>());
  }));
  return drops;
}

}  // namespace netns
