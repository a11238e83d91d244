# zoned as a service of systemd 252, which manages the whole cgroup v2 tree: a Debian system in a pid and
# mount namespace stands for the host. Zones outlive restart, kill -9, reload (upgrade), and stop and
# start of the service, and systemd leaves them their controllers.
# needs: zone.tar
. ./checks.sh

host=/srv/host
mkdir -p $host
tar -C $host -xf zone.tar
mkdir -p $host/usr/libexec/zoned $host/srv/tree/bin
cp bin/zoned bin/zone bin/zone-* $host/usr/libexec/zoned/
ln -s ../libexec/zoned/zoned $host/usr/sbin/zoned
ln -s ../libexec/zoned/zone $host/usr/bin/zone
sed 's|@SBINDIR@|/usr/sbin|' zoned.service.in >$host/etc/systemd/system/zoned.service
ldd bin/zoned bin/zone-unpack | awk '$3 ~ /^\// { print $3 }' | sort -u |
  xargs cp -n -L -t $host/usr/lib/x86_64-linux-gnu
cp /bin/busybox $host/srv/tree/bin/sleep

ln -s /dev/null $host/etc/systemd/system/console-getty.service

cat >start.sh <<'END'
mount --rbind "$1" "$1" && cd "$1" || exit 1
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=0755 tmpfs dev
for device in null zero full random urandom tty; do
  touch dev/$device
  mount --bind /dev/$device dev/$device
done
ln -s null dev/console  # not the VM's
mkdir dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mkdir -p old && pivot_root . old
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /sbin/init
END
unshare --pid --mount --fork --kill-child bash start.sh $host </dev/null >host.log 2>&1 &

is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
first=
on_host() { nsenter -t "$first" -m -p -- "$@"; }
boot() {
  local state
  for _ in $(seq 100); do
    first=$(pgrep -x systemd | head -n 1)
    state=$([ -z "$first" ] || on_host systemctl is-system-running --wait 2>/dev/null)
    [ -z "$state" ] || break
    sleep 0.2
  done
  is "$state" running || { tail -n 20 host.log; return 1; }
}
zones() { on_host zone list | awk 'NR > 1 { print $1, $2, $NF }'; }
# The zone z is what it was, also when the service has just been asked to come back.
same() { is "$(zones)" "$seen" && is "$(on_host systemctl is-active zoned)" active; }
back() { for _ in $(seq 50); do same >/dev/null && break; sleep 0.2; done; same; }
has_controllers() {
  for controller in cpu io memory pids; do
    grep -qw $controller /sys/fs/cgroup/zoned/default/cgroup.subtree_control || return 1
  done
}

boot
check "systemd runs the host" is "$(on_host systemctl is-system-running)" running
check "the service starts" on_host systemctl start zoned
check "a zone boots" on_host zone create z --from dir:/srv/tree --boot \
  --set 'command=["/bin/sleep","100000"]'
seen=$(zones)
check "it is running" [ "${seen% *}" = "z running" ]
check "after a restart of the service it is there" on_host systemctl restart zoned
check "and the same" back
check "after kill -9 of the service it is there" on_host systemctl kill -s KILL --kill-who=main zoned
check "and the same, under the next daemon" back
check "the service is reloaded: upgraded in place" on_host systemctl reload zoned
check "it is the same still" back
check "the service stops" on_host systemctl stop zoned
check "systemd looks at its units again" on_host systemctl daemon-reload
check "the zone has its controllers" has_controllers
check "the service starts again" on_host systemctl start zoned
check "and finds the zone" back
check "a limit is set" on_host zone set z capped-memory.physical=64M
check "the kernel has it" is "$(cat /sys/fs/cgroup/zoned/default/z/memory.max)" 67108864
check "all stops" on_host zoned --stop-all
check "no cgroup of ours is left" [ ! -e /sys/fs/cgroup/zoned ]
# shellcheck disable=SC2154  # of checks.sh
[ "$failed" -eq 0 ] || on_host journalctl -u zoned --no-pager -n 40
finish
