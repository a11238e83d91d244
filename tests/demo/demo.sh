#!/usr/bin/env bash
# The demonstration: prints commands and their real output, and checks each step from outside the
# daemon (processes, cgroup counters, answers of services). A check that fails ends it with an error.
# usage: demo.sh BUILD-FOLDER
set -euo pipefail

build=$(cd "$1" && pwd)
# Images stay in here, so that the second time is quick; everything else is removed at the end.
root=${ZONED_DEMO_ROOT:-/var/lib/zoned-demo}
export PATH=$build:$PATH ZONED_ROOT=$root
here=$(cd "$(dirname "$0")" && pwd)
pictures=$(dirname "$build")/pictures
mkdir -p "$pictures"
started=$(date +%s)

heading() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
run() {
  printf '\033[32m$\033[0m %s\n' "$*"
  "$@"
}
fail() {
  printf 'demo: check failed: %s\n' "$*" >&2
  exit 1
}
field() { zone --json list "$1" | jq -r ".[0].$2"; }
wait_for() { # SECONDS COMMAND...: until it succeeds
  local end=$(($(date +%s) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 0.1
  done
}
clean_up() {
  zoned --root "$root" --stop-all >/dev/null 2>&1 || true
  find "${root:?}" -mindepth 1 -maxdepth 1 ! -name lib ! -name lock -exec rm -rf {} +
  find "$root/lib" -mindepth 1 -maxdepth 1 ! -name images ! -name cells -exec rm -rf {} + 2>/dev/null || true
}
finish() {
  status=$?
  clean_up
  exit "$status"
}

mkdir -p "$root" && chmod 0700 "$root"
# One at a time; no process that the demo starts holds the lock.
if [ -z "${ZONED_DEMO_LOCKED:-}" ]; then
  status=0
  ZONED_DEMO_LOCKED=1 flock --nonblock --conflict-exit-code 75 --close "$root/lock" "$0" "$@" || status=$?
  [ "$status" -ne 75 ] || fail "another demo runs in $root"
  exit "$status"
fi
clean_up # what an earlier one left that was cut off
trap finish EXIT
heading "The daemon"
run zoned --root "$root" --background
run zone --version

heading "A network, and a busybox zone on it, from a folder"
run zone net create demo subnet=10.213.77.0/24
mkdir -p "$root/tree/bin"
cp /bin/busybox "$root/tree/bin/busybox"
for applet in sh ls id ps hostname sleep date cat seq wget ip ping arping init reboot poweroff; do ln -sf busybox "$root/tree/bin/$applet"; done
# shellcheck disable=SC2016  # for the zone's shell
run zone create bb --from "dir:$root/tree" --set 'command=["/bin/sh","-c","i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done"]' --set net.0.network=demo --boot
run zone exec bb -- /bin/sh -c 'hostname; id; ps'
pid=$(field bb pid)
[ "$(awk '/^Uid:/{print $2}' "/proc/$pid/status")" -ge 524288 ] || fail "the zone's root is not a uid of its own"
echo "seen from the host: pid $pid runs as uid $(awk '/^Uid:/{print $2}' "/proc/$pid/status")"

heading "A Debian zone that runs systemd and nginx"
run zone create deb --from debian:bookworm,include=nginx-light+curl --set net.0.network=demo --set 'net.0.publish=["127.0.0.1:18080:80"]' --boot
wait_for 30 sh -c 'zone exec deb -- systemctl is-system-running | grep -qx running' || {
  zone exec deb -- systemctl --failed --no-pager || true
  fail "systemd in the zone is not 'running'"
}
run zone exec deb -- systemctl is-system-running
run zone exec deb -- systemctl list-units --failed --no-legend
[ -z "$(zone exec deb -- systemctl list-units --failed --no-legend)" ] || fail "failed units"
run zone exec deb -- curl -s -o /dev/null -w 'nginx answers %{http_code}\n' http://127.0.0.1/
nginx=$(pgrep -f 'nginx: master' | head -1)
[ -n "$nginx" ] || fail "no nginx on the host's process list"
[ "$(readlink "/proc/$nginx/ns/net")" != "$(readlink /proc/self/ns/net)" ] || fail "nginx shares the host's network"

heading "Its page from another zone by name, and published on the host's loopback"
# shellcheck disable=SC2016  # for the zone's shell
run zone exec deb -- /bin/sh -c 'echo "a page of $(hostname)" >/var/www/html/index.html'
wait_for 10 zone exec bb -- /bin/wget -q -O /dev/null http://deb/ || fail "the page can't be fetched by name"
run zone exec bb -- /bin/wget -q -O - http://deb/ | tee "$root/page"
grep -qx "a page of deb" "$root/page" || fail "not the page"
run busybox wget -q -O - http://127.0.0.1:18080/ | tee "$root/page"
grep -qx "a page of deb" "$root/page" || fail "the published port does not lead to it"

heading "Root of a zone claims the other's address, with raw packets"
ln -sfn bin "$root/tree/sbin"
run zone create liar --from "dir:$root/tree" --set net.0.network=demo --boot
run zone exec liar -- /bin/ping -c 1 deb
address=$(zone --json net ports deb | jq -r '.[0].addresses[0]')
run zone exec liar -- /bin/sh -c "ip addr add $address/32 dev net0; arping -q -c 3 -U -I net0 $address" || true
run zone net ports
refused() { zone --json net ports liar | jq '.[0].refused["ip-nospoof"]'; }
[ "$(refused)" -ge 3 ] || fail "the claims were not refused"
# The host's own neighbour table still has the address where it belongs.
host_end=$(zone --json net ports deb | jq -r '.[0].host_name')
ip neigh show "$address" | grep -q "dev $host_end" || fail "the address has moved"
run zone delete -F liar

heading "Virtual machines: Debian's kernel, a BIOS guest on an IDE disk, a UEFI guest"
guest=$("$here/../guests/linux.sh")
run zone create vm --brand vm --set vm.memory=256M --set net.0.network=demo --from "kernel:$guest/vmlinuz,initrd=$guest/initrd" --boot
run zone create bios --brand vm --set vm.profile=generic-bios --set vm.memory=32M --from disk:/usr/lib/grub-rescue/grub-rescue-usb.img --boot
run zone create uefi --brand vm --set vm.profile=generic-uefi --set vm.memory=128M --from iso:/usr/lib/grub-rescue/grub-rescue-cdrom.iso --boot
pid=$(field vm pid)
echo "the machine of 'vm' as the host sees it:"
run grep -E '^(Name|Uid|CapBnd|NoNewPrivs|Seccomp):' "/proc/$pid/status"
grep -q $'^CapBnd:\t0*$' "/proc/$pid/status" || fail "the VMM could hold a capability"
[ "$(awk '/^Uid:/{print $2}' "/proc/$pid/status")" -ge 524288 ] || fail "the VMM is a user of the host"
run ls "/proc/$pid/root" "/proc/$pid/root/usr/bin"
[ "$(ls "/proc/$pid/root/usr/bin")" = qemu-system-x86_64 ] || fail "there is more in the cell than QEMU"
said() { zone logs "$1" | tr -d '\r' | grep -aq "$2"; }
wait_for 60 said vm 'guest: ready' || fail "the guest did not get to its prompt"
zone logs vm | tr -d '\r' | grep -a '^guest:\|^lease:'
said vm 'label PUBLIC' || fail "the guest can't read its label"
said vm "lease: eth0 $(zone --json net ports vm | jq -r '.[0].addresses[0]')" || fail "no address by DHCP"
echo "typed at its console: wget -q -O - http://deb/"
(sleep 1; echo 'wget -q -O - http://deb/'; sleep 3) | timeout 6 zone console vm >"$root/typed" || true
tr -d '\r' <"$root/typed" | grep -ax 'a page of deb' || fail "the guest did not get the page"
run zone net ports vm
wait_for 60 said uefi 'UEFI Interactive Shell' || fail "the UEFI guest did not get to its shell"
zone logs uefi | tr -d '\r' | grep -ao 'UEFI Interactive Shell.*' | head -n 1
shown() { zone -q screenshot bios -o "$pictures/bios.png" && screen-text "$pictures/bios.png" | grep -q "$1"; }
wait_for 60 shown 'GNU GRUB' || fail "the BIOS guest did not get to GRUB"
run zone screenshot bios -o "$pictures/bios.png"
run screen-text "$pictures/bios.png"
run zone key bios c
wait_for 10 shown 'grub>' || fail "GRUB did not take the key"
run zone screenshot bios -o "$pictures/bios.png"
zone exec vm true 2>&1 && fail "exec in a virtual machine"
run zone shutdown vm
[ ! -e "/proc/$pid" ] || fail "the VMM is still there"
said vm 'Power down' || fail "the guest was not asked to power off"
run zone delete -F vm bios uefi

# shellcheck source=tests/demo/labels.sh
. "$here/labels.sh"

heading "Two pools, 3 to 1, both busy"
run zone pool create gold --set shares=3
run zone pool create bronze --set shares=1
spin='command=["/bin/sh","-c","while :; do :; done & while :; do :; done"]'
run zone create g --set pool=gold --set "$spin" --from "dir:$root/tree" --boot
run zone create b --set pool=bronze --set "$spin" --from "dir:$root/tree" --boot
sleep 1
# The kernel's own counters, read by this script: clock ticks of every process of the zone.
ticks() {
  local sum=0 first ns p t
  first=$(field "$1" pid)
  ns=$(readlink "/proc/$first/ns/pid")
  for p in /proc/[0-9]*; do
    [ "$(readlink "$p/ns/pid" 2>/dev/null)" = "$ns" ] || continue
    t=$(awk '{print $14+$15}' "$p/stat" 2>/dev/null) || continue
    sum=$((sum + t))
  done
  echo "$sum"
}
g0=$(ticks g) b0=$(ticks b)
run zone stat g b --interval 4 --count 1
g1=$(ticks g) b1=$(ticks b)
measured=$(awk -v g=$((g1 - g0)) -v b=$((b1 - b0)) 'BEGIN{printf "%.1f", 100*g/(g+b)}')
echo "counted from outside: gold has $measured % of what both used; entitled to 75 %"
awk -v m="$measured" 'BEGIN{exit !(m>71 && m<79)}' || fail "gold got $measured %"
run zone halt g b

heading "kill -9 of the daemon; zones and consoles go on"
before=$(field bb pid) deb_before=$(field deb pid)
daemon=$(cat "$root/run/zoned.pid")
coproc console { exec zone console bb </dev/null; }
console_pid=$!
exec {console_out}<&"${console[0]}"  # the coprocess's own is closed in subshells
sleep 0.5
run kill -9 "$daemon"
sleep 1
kill -0 "$before" || fail "the busybox zone died with the daemon"
kill -0 "$deb_before" || fail "the Debian zone died with the daemon"
lines=$( (timeout 1 cat <&"$console_out" || true) | grep -c '^line')
[ "$lines" -ge 5 ] || fail "the console stopped ($lines lines)"
echo "without a daemon: both zones run, and the attached console has shown $lines lines"
kill "$console_pid" 2>/dev/null || true
run zoned --root "$root" --background
[ "$(field bb pid) $(field deb pid)" = "$before $deb_before" ] || fail "zones changed"
# shellcheck disable=SC2016
run zone exec bb -- /bin/sh -c 'echo still here, as $(hostname)'
# No line may be missing in the log.
zone logs bb | awk '/^line/{if (last && $2 != last+1) exit 1; last=$2} END{exit !last}' || fail "the log has a gap"

heading "All of it"
run zone list
run zone stat
run zone shutdown deb
[ ! -e "/proc/$deb_before" ] || fail "the zone's first process is still there"
run zoned --root "$root" --stop-all
ip -br link | grep -q "${host_end:0:7}" && fail "a link stayed"
! pgrep -f "zone-keeper --root-run $root" >/dev/null || fail "a keeper stayed"
printf '\ndemo: all checks passed in %s s\n' "$(($(date +%s) - started))"
