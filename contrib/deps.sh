#!/bin/bash
# contrib/deps.sh GROUP...: installs the Debian packages of those groups of contrib/deps.txt that are
# missing. Quick when none is.
set -euo pipefail

list=$(dirname "$0")/deps.txt
[ $# -gt 0 ] || { echo "usage: $0 GROUP..." >&2; exit 2; }

packages_of() {
  awk -v group="[$1]" '/^\[/ { on = ($1 == group); next } on && NF && $1 !~ /^#/ { print $1 }' "$list"
}

wanted=()
for group in "$@"; do
  mapfile -t found < <(packages_of "$group")
  [ "${#found[@]}" -gt 0 ] || { echo "deps: no group '$group' in $list" >&2; exit 2; }
  wanted+=("${found[@]}")
done

have=" $(dpkg-query -W -f '${db:Status-Status}=${Package} ' 2>/dev/null || true)"
missing=()
for package in $(printf '%s\n' "${wanted[@]}" | sort -u); do
  [[ $have == *" installed=$package "* ]] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

echo "deps: missing for '$*': ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
  echo "deps: installing packages needs root" >&2
  echo "hint: run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "deps: updating the package lists"
apt-get -qq -o Acquire::Retries=3 update
echo "deps: installing ${#missing[@]} packages"
apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 install --no-install-recommends \
  "${missing[@]}" >/dev/null
echo "deps: done"
