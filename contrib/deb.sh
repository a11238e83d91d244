#!/bin/bash
# contrib/deb.sh STAGE VERSION OUT: makes the Debian package OUT of the tree that `make install` put
# into STAGE. Depends on the packages whose libraries the programs load, but for the window of `zone view`,
# which few servers want.
set -euo pipefail
stage=$1 version=$2 out=$3

libraries() {
  find "$stage/usr/libexec" "$stage/usr/bin" -type f ! -name zone-view -exec ldd {} + 2>/dev/null |
    awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u
}
# With merged /usr a library may be known under its old path alone.
depends=$(for library in $(libraries); do
  real=$(realpath "$library")
  dpkg-query -S "$real" 2>/dev/null || dpkg-query -S "${real#/usr}"
done | sed 's/:.*//' | sort -u | paste -sd, | sed 's/,/, /g')

mkdir -p "$stage/DEBIAN"
cat >"$stage/DEBIAN/control" <<CONTROL
Package: zoned
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: The zoned authors <zoned@localhost>
Section: admin
Priority: optional
Installed-Size: $(du -sk --exclude=DEBIAN "$stage" | cut -f1)
Depends: ${depends:-libc6}
Recommends: mmdebstrap, libgtk-3-0
Description: zones: isolated systems on one kernel, under shares and limits
 A daemon and a command that create, boot and watch zones in the manner of Solaris: each with its own
 users, processes, network stack and root file system, in pools with fair shares of the machine. The
 daemon may die or be upgraded while zones run.
CONTROL
dpkg-deb --root-owner-group --build "$stage" "$out" >/dev/null
echo "$out"
