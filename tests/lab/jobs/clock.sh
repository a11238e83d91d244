# The wall clock jumps, ten years ahead and twenty back, while zones run and verbs are under way: no
# deadline fires early or never, nothing ends, and what is told of time stays sane. Not possible on a
# test's host: the wall clock belongs to all.
. ./checks.sh

for controller in cpu cpuset io memory pids; do
  echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
export PATH=$PWD/bin:$PATH
tree=/tmp/tree
mkdir -p $tree/bin $tree/dev $tree/etc $tree/proc $tree/run $tree/sys $tree/tmp
cp /bin/busybox $tree/bin/
for name in sh sleep true echo; do ln -s busybox $tree/bin/$name; done

jump() { date -s "@$(($(date +%s) + $1 * 31536000))" >/dev/null; }
now() { cut -d ' ' -f 1 /proc/uptime; }
state() { zone --json list "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["state"])'; }
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
between() { awk -v is="$3" -v from="$1" -v to="$2" 'BEGIN { exit !(is >= from && is <= to) }' || { echo "$3"; return 1; }; }
used() {
  zone --json stat steady --interval 1 --count 1 | python3 -c 'import json, sys
told = json.load(sys.stdin)
print((told["zones"] if "zones" in told else told)[0]["cpu_used"])'
}

check "zoned starts" zoned --background
check "its tree gets a label, for zone run" zone label set $tree PUBLIC
check "a zone" zone create steady --from dir:$tree --set 'command=["/bin/sh","-c","while :; do :; done"]' --boot
check "a zone that does not end when asked" zone create deaf --from dir:$tree \
  --set 'command=["/bin/sh","-c","trap true TERM; while :; do sleep 0.1; done"]' \
  --set stop-timeout=4s --boot
check "a zone that starts again" zone create again --from dir:$tree --set restart=always \
  --set 'command=["/bin/sleep","1"]' --boot

for years in 10 -20 10; do
  start=$(now)
  zone shutdown deaf &
  asked=$!
  sleep 1
  jump $years
  check "still running after a jump by $years years" is "$(state steady)" running
  check "exec after a jump by $years years" zone exec steady -- /bin/true
  wait $asked
  took=$(awk -v from="$start" -v to="$(now)" 'BEGIN { print to - from }')
  check "stop-timeout is of time that has passed, jump by $years years" between 3.9 12 "$took"
  check "boots again after a jump by $years years" zone boot deaf
  check "CPU use is that of one CPU, jump by $years years" between 0.05 1.01 "$(used)"
done
boots() { zone --json info again | python3 -c 'import json, sys; print(json.load(sys.stdin)["zone"]["boots"])'; }
before=$(boots)
sleep 8
check "restarts go on" between $((before + 1)) $((before + 100)) "$(boots)"
jump -5
check "a run right after a jump" zone run --from dir:$tree -- /bin/true
jump 5
kill -9 "$(cat /run/zoned/zoned.pid)"
check "zoned starts again" zoned --background
check "adopts what runs" is "$(state steady)" running
check "all ends" zoned --stop-all
finish
