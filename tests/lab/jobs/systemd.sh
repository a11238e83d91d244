# A Debian 12 zone with systemd on cgroup v2 alone, installed from a tar: it boots to `running` without
# a failed unit, divides what it has among its services, outlives a killed daemon, and ends by itself
# at `zone shutdown`. The times are printed.
# needs: zone.tar
. ./checks.sh

for controller in cpu cpuset io memory pids; do
  echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
export PATH=$PWD/bin:$PATH
group=/sys/fs/cgroup/zoned/default/deb

is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
has() { [[ $1 == *"$2"* ]] || { echo "no '$2' in: $1"; return 1; }; }
refused() { ! inside sh -c "$1" || { echo "it could"; return 1; }; }
gone() { ! [ -e "$1" ] || { echo "$1 is there"; return 1; }; }
now() { cut -d ' ' -f 1 /proc/uptime; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f", to - from }'; }
below() { awk -v is="$1" -v limit="$2" 'BEGIN { exit !(is < limit) }' || { echo "$1"; return 1; }; }
inside() { zone exec deb -- "$@"; }
# field NAME COMMAND...: NAME of the first zone that `zone --json COMMAND` tells of.
field() {
  zone --json "${@:2}" | python3 -c 'import json, sys
told = json.load(sys.stdin)
print((told["zones"] if "zones" in told else told)[0][sys.argv[1]])' "$1"
}
# Until systemd is there to be asked, and then until it has started everything.
state() {
  local told
  for _ in $(seq 100); do
    told=$(inside systemctl is-system-running --wait 2>/dev/null)
    [ -z "$told" ] || break
    sleep 0.2
  done
  echo "$told"
}
# service FILE SETTING: what the cgroup file of a service says that runs with this setting.
service() {
  # shellcheck disable=SC2016  # for the zone's shell
  inside systemd-run --quiet --wait --pipe -p "$2" \
    sh -c 'cat "/sys/fs/cgroup$(cut -d : -f 3 /proc/self/cgroup)/$0"' "$1"
}

check "zoned starts" zoned --background
start=$(now)
check "the tar is installed" zone create deb --from "tar:$PWD/zone.tar"
echo "install: $(since "$start") s"

start=$(now)
check "the zone boots" zone boot deb
came=$(since "$start")
check "systemd says running" is "$(state)" running
running=$(since "$start")
echo "boot: first process after $came s, running after $running s"
check "that took less than a minute" below "$running" 60
check "no unit has failed" is "$(inside systemctl list-units --failed --no-legend)" ""
check "journald and logind run" is \
  "$(inside systemctl is-active systemd-journald systemd-logind dbus | sort -u)" active

check "exec runs a command as the zone's root" is "$(inside id -u)" 0
check "exec gives the command's status" is "$(inside sh -c 'exit 7' || echo $?)" 7
check "the zone is Debian 12" has "$(inside cat /etc/os-release)" 'VERSION_ID="12"'
check "systemd is the first process" is "$(inside cat /proc/1/comm)" systemd
check "it is seen from outside at the payload's place" is \
  "$(cat "/proc/$(field pid list deb)/cgroup")" "0::/zoned/default/deb/payload/init.scope"
for controller in cpu io memory pids; do
  check "controller $controller is systemd's to use" has \
    " $(inside cat /sys/fs/cgroup/cgroup.controllers) " " $controller "
done
check "a service keeps to its memory" is "$(service memory.max MemoryMax=64M)" 67108864
check "a service keeps to its processes" is "$(service pids.max TasksMax=33)" 33
check "a service has its weight" is "$(service cpu.weight CPUWeight=250)" 250

check "a limit is set while it runs" zone set deb capped-memory.physical=512M
check "the kernel has that limit" is "$(cat $group/memory.max)" 536870912
check "the zone can't lift its own limits" refused "echo max >/sys/fs/cgroup/memory.max"
check "stat counts its processes" is "$(field processes stat deb)" "$(cat $group/pids.current)"
check "stat counts its memory" [ "$(field memory_bytes stat deb)" -gt 1000000 ]

pid=$(field pid list deb)
kill -9 "$(cat /run/zoned/zoned.pid)"
check "zoned starts again after kill -9" zoned --background
check "the zone did not notice" is "$(field pid list deb)" "$pid"
check "systemd still says running" is "$(inside systemctl is-system-running)" running

start=$(now)
check "the zone shuts down" zone shutdown deb
down=$(since "$start")
echo "shutdown: $down s"
check "that took less than 10 s" below "$down" 10
check "systemd ended by itself" has "$(zone logs deb -n 5)" "Powering off"
check "the zone is installed again" is "$(field state list deb)" installed
check "its cgroup is gone" gone "$group"
check "all stops" zoned --stop-all
check "nothing is left of our cgroups" gone /sys/fs/cgroup/zoned
finish
