#include <catch2/catch.hpp>

#include "cli/handlers.h"
#include "cli/logs.h"
#include "cli/progress.h"
#include "cli/stat_table.h"
#include "cli/table.h"

namespace {

using nlohmann::json;

TEST_CASE("a table pads its columns, counts characters and ends lines without spaces") {
  cli::Table table({{"NAME"}, {"N", cli::Table::Align::kRight}, {"POOL"}});
  table.add({"w\xc3\xbc", "5", "default"});
  table.add({"database", "1000", "a"});
  table.sort();
  CHECK(table.text() ==
        "NAME         N  POOL\n"
        "database  1000  a\n"
        "w\xc3\xbc           5  default\n");
}

TEST_CASE("figures are short") {
  CHECK(cli::percent(0.12345) == "12.3%");
  CHECK(cli::percent(1) == "100.0%");
  CHECK(cli::seconds(59.96) == "60.0");
  CHECK(cli::seconds(3725) == "1:02:05");
  CHECK(cli::dash("") == "-");
}

TEST_CASE("a progress line shows part and total, or a count, within the width") {
  CHECK(cli::progress_line("copy", 1 << 20, 2 << 20, 100) ==
        "copy       [###############...............]  50%  1M/2M");
  CHECK(cli::progress_line("copy", 1 << 20, 0, 100) == "copy       1M");
  CHECK(cli::progress_line("copy", 0, 0, 100) == "copy      ");
  CHECK(cli::progress_line("copy", 5, 4, 100).find("100%") != std::string::npos);
  CHECK(cli::progress_line("copy", 1, 2, 20).size() == 20);
}

TEST_CASE("stat tables are sorted and show entitlement beside use") {
  json reply = {{"zones",
                 {{{"name", "b"},
                   {"cpu_seconds", 12.5},
                   {"cpu_share", 0.25},
                   {"cpu_entitled", 1.5},
                   {"cpu_used", 0.5},
                   {"memory_bytes", 1 << 20},
                   {"processes", 3}},
                  {{"name", "a"}}}},
                {"pools", {{{"name", "web"}, {"shares", 3}, {"zones", 2}}}}};
  std::string text = cli::stat_tables(reply);
  CHECK(text.find("ENTITLED") != std::string::npos);
  CHECK(text.find("\na ") < text.find("\nb "));
  CHECK(text.find("12.5  25.0%      1.50  0.50      1M") != std::string::npos);
}

TEST_CASE("stat as JSON has every member for each zone and pool") {
  json out = cli::stat_json({{"zones", {{{"name", "b"}, {"cpu_used", 0.5}}, {{"name", "a"}}}},
                             {"pools", {{{"name", "p"}}}}});
  CHECK(out["zones"][0]["name"] == "a");
  CHECK(out["zones"][1]["cpu_used"] == 0.5);
  for (const char* member :
       {"cpu_seconds", "cpu_share", "cpu_entitled", "cpu_used", "memory_bytes", "processes",
        "io_read_bytes", "io_write_bytes", "net_rx_bytes", "net_tx_bytes"}) {
    CAPTURE(member);
    CHECK(out["zones"][0].contains(member));
    CHECK(out["pools"][0].contains(member));
  }
}

TEST_CASE("the last lines of a log are found") {
  CHECK(cli::last_lines("a\nb\nc\n", 2) == "b\nc\n");
  CHECK(cli::last_lines("a\nb\nc", 2) == "b\nc");
  CHECK(cli::last_lines("a\nb\n", 5) == "a\nb\n");
  CHECK(cli::last_lines("a\nb\n", 0) == "");
  CHECK(cli::last_lines("\n\n\n", 2) == "\n\n");
  CHECK(cli::last_lines("", 3) == "");
}

TEST_CASE("paths in sources become absolute, other sources stay") {
  CHECK(cli::absolute_source("dir:tree", "/here") == "dir:/here/tree");
  CHECK(cli::absolute_source("tar:../x.tar", "/") == "tar:/../x.tar");
  CHECK(cli::absolute_source("dir:/abs", "/here") == "dir:/abs");
  CHECK(cli::absolute_source("debian:bookworm", "/here") == "debian:bookworm");
  CHECK(cli::absolute_source("dir:", "/here") == "dir:");
  CHECK(cli::absolute_source("disk:d.qcow2", "/here") == "disk:/here/d.qcow2");
  CHECK(cli::absolute_source("iso:cd.iso", "/here") == "iso:/here/cd.iso");
  CHECK(cli::absolute_source("kernel:k", "/here") == "kernel:/here/k");
  CHECK(cli::absolute_source("kernel:k,initrd=i", "/here") == "kernel:/here/k,initrd=/here/i");
  CHECK(cli::absolute_source("kernel:/k,initrd=/i", "/here") == "kernel:/k,initrd=/i");
}

TEST_CASE("control characters of others never reach the terminal as they are") {
  CHECK(cli::shown("a\x1b[2Jb\n") == "a\\x1b[2Jb\\x0a");
  CHECK(cli::shown("gr\xc3\xbc") == "gr\xc3\xbc");
}

}  // namespace
