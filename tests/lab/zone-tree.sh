#!/bin/bash
# tests/lab/zone-tree.sh: makes the tar of a Debian tree as source debian:bookworm installs it, or finds
# it, and prints its path: build/lab/zone-KEY.tar. The VM has no network, so zones there are installed
# from it. KEY is a hash of the packages, which are those of the product's own list.
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=bookworm
mapfile -t packages < <(sed -n '/kPackages\[\] = {/,/};/p' zoned/core/install_plan.cc |
  grep -o '"[^"]*"' | tr -d '"')
[ "${#packages[@]}" -gt 0 ] || { echo "lab: install_plan.cc lists no packages" >&2; exit 1; }
include=$(IFS=,; echo "${packages[*]}")
key=$(echo "$suite $include" | cat - tests/lab/zone-tree.sh | sha256sum | cut -c1-16)
out=build/lab/zone-$key.tar
if [ -e "$out" ]; then
  echo "$out"
  exit 0
fi
[ "$(id -u)" -eq 0 ] || { echo "lab: making the zone's tree needs root" >&2; exit 1; }

mkdir -p build/lab
work=$(mktemp -d build/lab/work.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
echo "lab: installing the zone's tree ($suite, a minute)" >&2
mmdebstrap --quiet --mode=root --variant=minbase --format=tar --include="$include" \
  "$suite" "$work/zone.tar" >&2
mv "$work/zone.tar" "$out"
# Older ones are of no more use.
find build/lab -mindepth 1 -maxdepth 1 -name 'zone-*.tar' ! -path "$out" -delete
echo "$out"
