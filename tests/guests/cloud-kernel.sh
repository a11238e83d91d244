#!/bin/bash
# tests/guests/cloud-kernel.sh: fetches Debian's cloud kernel, or finds it, and prints its folder:
# build/guests/RELEASE with boot/vmlinuz-RELEASE and lib/modules, as the package holds them.
set -euo pipefail
cd "$(dirname "$0")/../.."

name() {
  apt-cache depends linux-image-cloud-amd64 2>/dev/null |
    awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }'
}
kernel=$(name)
if [ -z "$kernel" ]; then
  apt-get -qq -o Acquire::Retries=3 update
  kernel=$(name)
fi
out=build/guests/${kernel#linux-image-}
if ! [ -e "$out" ]; then
  mkdir -p build/guests
  work=$(mktemp -d build/guests/.work.XXXXXX)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get -qq -o Acquire::Retries=3 -o APT::Sandbox::User=root download "$kernel") >&2
  dpkg-deb -x "$work/$kernel"_*.deb "$work/kernel"
  # Somebody else may have been quicker.
  mv -T "$work/kernel" "$out" 2>/dev/null || [ -e "$out" ]
fi
echo "$out"
