#include "zoned/core/source.h"

#include <algorithm>

#include "base/strings.h"

namespace core {
namespace {

using base::Code;
using base::make_error;
using base::quoted;
using base::Result;
using base::Status;

constexpr const char* kForms =
    "sources are dir:PATH, tar:FILE and debian:SUITE[,include=PACKAGE+...][,mirror=URL]; for vm "
    "zones kernel:IMAGE[,initrd=FILE], disk:IMAGE and iso:IMAGE";
constexpr std::string_view kInitrd = ",initrd=";
constexpr size_t kMaxPath = 4095;
constexpr size_t kMaxUrl = 512;
constexpr size_t kMaxPackages = 256;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

Status check_path(std::string_view path) {
  if (!path.starts_with('/'))
    return make_error(Code::kInvalid, quoted(path) + " is not an absolute path",
                      "start it with '/'");
  if (path.size() > kMaxPath) return make_error(Code::kInvalid, quoted(path) + " is too long");
  for (char c : path)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return make_error(Code::kInvalid, quoted(path) + " has a control character",
                        "rename the file");
  for (const std::string& part : base::split(path, '/'))
    if (part == "." || part == "..")
      return make_error(Code::kInvalid, quoted(path) + " has " + quoted(part) + " in it",
                        "write the path without '.' and '..'");
  return {};
}

// Debian policy 5.6.1: at least two characters of a-z, 0-9, '+', '-', '.', the first a letter or digit.
Status check_package(std::string_view name) {
  auto inner = [](char c) {
    return is_lower(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
  };
  bool good = name.size() >= 2 && name.size() <= 128 && (is_lower(name[0]) || is_digit(name[0])) &&
              std::all_of(name.begin(), name.end(), inner);
  if (good) return {};
  return make_error(Code::kInvalid, quoted(name) + " is not a package name",
                    "package names have two or more of a-z, 0-9, '+', '-' and '.'");
}

// One '+' separates, two belong to the name before them.
std::vector<std::string> split_packages(std::string_view text) {
  std::vector<std::string> names(1);
  for (size_t i = 0; i < text.size();) {
    size_t run = 0;
    while (i + run < text.size() && text[i + run] == '+') ++run;
    if (run == 0) {
      names.back() += text[i++];
      continue;
    }
    i += run;
    bool separates = run == 1 || run == 3;
    names.back().append(separates ? run - 1 : run, '+');
    if (separates) names.emplace_back();
  }
  return names;
}

Status check_mirror(std::string_view url) {
  bool scheme = url.starts_with("http://") || url.starts_with("https://");
  auto good = [](char c) {
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z') ||
           std::string_view("/:.-_~%+@").find(c) != std::string_view::npos;
  };
  size_t host = url.find("//") + 2;
  if (scheme && url.size() > host && url[host] != '/' && url.size() <= kMaxUrl &&
      std::all_of(url.begin(), url.end(), good))
    return {};
  return make_error(Code::kInvalid, quoted(url) + " is not a mirror",
                    "write it as mirror=http://HOST/debian");
}

Result<Source> parse_path_source(Source::Kind kind, std::string_view path) {
  TRY(check_path(path));
  Source source;
  source.kind = kind;
  source.path = path;
  return source;
}

Result<Source> parse_kernel(std::string_view text) {
  size_t comma = text.find(kInitrd);
  TRY_AS(Source source, parse_path_source(Source::Kind::kKernel, text.substr(0, comma)));
  if (comma == std::string_view::npos) return source;
  std::string_view initrd = text.substr(comma + kInitrd.size());
  if (initrd.find(kInitrd) != std::string_view::npos)
    return make_error(Code::kInvalid, "initrd= is given twice", "give one");
  TRY(check_path(initrd));
  source.initrd = initrd;
  return source;
}

Status parse_debian_option(std::string_view option, Source* source) {
  size_t equals = option.find('=');
  std::string_view key = option.substr(0, equals);
  std::string_view value = equals == std::string_view::npos ? "" : option.substr(equals + 1);
  if (key == "include") {
    for (std::string& name : split_packages(value)) {
      TRY(check_package(name));
      source->include.push_back(std::move(name));
    }
    if (source->include.size() > kMaxPackages)
      return make_error(Code::kInvalid, "more than " + std::to_string(kMaxPackages) + " packages");
    return {};
  }
  if (key == "mirror") {
    if (!source->mirror.empty())
      return make_error(Code::kInvalid, "mirror= is given twice", "give one");
    TRY(check_mirror(value));
    source->mirror = value;
    return {};
  }
  std::string near = base::nearest(key, {"include", "mirror"});
  return make_error(Code::kInvalid, "unknown option " + quoted(key),
                    near.empty() ? kForms : "did you mean " + near + "=?");
}

Result<Source> parse_debian(std::string_view text) {
  Source source;
  source.kind = Source::Kind::kDebian;
  std::vector<std::string> parts = base::split(text, ',');
  source.suite = parts.front();
  if (source.suite.empty() || source.suite.size() > 32 ||
      !std::all_of(source.suite.begin(), source.suite.end(), is_lower))
    return make_error(Code::kInvalid, quoted(source.suite) + " is not the name of a Debian suite",
                      "suites have names such as bookworm, trixie or sid");
  for (size_t i = 1; i < parts.size(); ++i) TRY(parse_debian_option(parts[i], &source));
  auto& include = source.include;
  std::sort(include.begin(), include.end());
  include.erase(std::unique(include.begin(), include.end()), include.end());
  return source;
}

base::Error unknown_kind(std::string_view kind) {
  for (std::string_view later : {"oci", "clone"})
    if (kind == later)
      return make_error(Code::kUnsupported,
                        "source " + quoted(kind) + " is not available in this version", kForms);
  std::string near = base::nearest(kind, {"dir", "tar", "debian", "kernel", "disk", "iso"});
  std::string hint = near.empty() ? kForms : "did you mean " + near + ":? " + kForms;
  return make_error(Code::kInvalid, quoted(kind) + " is not a kind of source", std::move(hint));
}

}  // namespace

Result<Source> parse_source(std::string_view text) {
  auto in_context = [text](Result<Source> result) -> Result<Source> {
    if (result) return result;
    return std::move(result).error().context("source " + quoted(text));
  };
  size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return make_error(Code::kInvalid, "source " + quoted(text) + " names no kind", kForms);
  std::string_view kind = text.substr(0, colon);
  std::string_view rest = text.substr(colon + 1);
  if (kind == "dir") return in_context(parse_path_source(Source::Kind::kDir, rest));
  if (kind == "tar") return in_context(parse_path_source(Source::Kind::kTar, rest));
  if (kind == "debian") return in_context(parse_debian(rest));
  if (kind == "kernel") return in_context(parse_kernel(rest));
  if (kind == "disk") return in_context(parse_path_source(Source::Kind::kDisk, rest));
  if (kind == "iso") return in_context(parse_path_source(Source::Kind::kIso, rest));
  return unknown_kind(kind);
}

std::string format_source(const Source& source) {
  switch (source.kind) {
    case Source::Kind::kDir:
      return "dir:" + source.path;
    case Source::Kind::kTar:
      return "tar:" + source.path;
    case Source::Kind::kDisk:
      return "disk:" + source.path;
    case Source::Kind::kIso:
      return "iso:" + source.path;
    case Source::Kind::kKernel:
      return "kernel:" + source.path +
             (source.initrd.empty() ? "" : std::string(kInitrd) + source.initrd);
    case Source::Kind::kDebian:
      break;
  }
  std::string text = "debian:" + source.suite;
  for (const std::string& name : source.include) text += ",include=" + name;
  if (!source.mirror.empty()) text += ",mirror=" + source.mirror;
  return text;
}

Status check_source_brand(const Source& source, Brand brand) {
  using Kind = Source::Kind;
  bool machine =
      source.kind == Kind::kKernel || source.kind == Kind::kDisk || source.kind == Kind::kIso;
  if (machine == (brand == Brand::kVm)) return {};
  std::string text = "source " + quoted(format_source(source));
  if (machine)
    return make_error(Code::kInvalid, text + " is for vm zones",
                      "create the zone with --brand vm, or install it from dir:, tar: or debian:");
  return make_error(Code::kInvalid, text + " is for native zones",
                    "a vm zone is installed from kernel:, disk: or iso:");
}

}  // namespace core
