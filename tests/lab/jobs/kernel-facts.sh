# What the lab's kernel is, and that it has what the other jobs need: pure cgroup v2 above all.
. ./checks.sh

echo "kernel $(uname -r), $(nproc) CPUs, $(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB"
echo "cgroup v2 controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
echo "crun: $(crun --version | head -n 1), bubblewrap: $(bwrap --version)"

is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
has_controller() { grep -qw "$1" /sys/fs/cgroup/cgroup.controllers; }
# write_and_read FILE VALUE: in a new cgroup below one that delegates all.
write_and_read() {
  echo "$2" >"/sys/fs/cgroup/lab/one/$1" && is "$(cat "/sys/fs/cgroup/lab/one/$1")" "$2"
}
pids_limit_holds() {
  # The shell is the one process allowed there; it may not fork.
  bash -c 'echo $$ >/sys/fs/cgroup/lab/one/cgroup.procs; (:) & wait' 2>/dev/null
  grep '^max [1-9]' /sys/fs/cgroup/lab/one/pids.events
}
kill_works() {
  sleep 100 &
  echo $! >/sys/fs/cgroup/lab/one/cgroup.procs
  echo 1 >/sys/fs/cgroup/lab/one/cgroup.kill
  wait $! 2>/dev/null
  is $? 137
}
freeze_works() {
  sleep 100 &
  echo $! >/sys/fs/cgroup/lab/one/cgroup.procs
  echo 1 >/sys/fs/cgroup/lab/one/cgroup.freeze
  for _ in $(seq 50); do
    grep -q 'frozen 1' /sys/fs/cgroup/lab/one/cgroup.events && break
    sleep 0.1
  done
  grep -q 'frozen 1' /sys/fs/cgroup/lab/one/cgroup.events
  local frozen=$?
  echo 0 >/sys/fs/cgroup/lab/one/cgroup.freeze
  kill -9 $!
  wait $! 2>/dev/null
  return $frozen
}

check "only cgroup v2 is mounted" is "$(awk '$3 ~ /^cgroup/ { print $3 }' /proc/mounts)" cgroup2
for controller in cpu cpuset io memory pids; do
  check "controller $controller is there" has_controller "$controller"
done
echo "+cpu +cpuset +io +memory +pids" >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/lab
echo "+cpu +cpuset +io +memory +pids" >/sys/fs/cgroup/lab/cgroup.subtree_control
mkdir /sys/fs/cgroup/lab/one
check "a CPU weight is kept" write_and_read cpu.weight 300
check "a CPU cap is kept" write_and_read cpu.max "50000 100000"
check "a memory limit is kept" write_and_read memory.max 67108864
check "a CPU set is kept" write_and_read cpuset.cpus 0
check "cgroup.kill ends a process" kill_works
check "a cgroup freezes" freeze_works
check "a process limit is kept" write_and_read pids.max 1
check "a process limit holds" pids_limit_holds
check "a network namespace works" unshare -n ip link set lo up
check "a user namespace works" unshare -Ur true
check "overlay mounts work" unshare -m bash -c '
  mount -t tmpfs tmpfs /mnt && mkdir /mnt/{lower,upper,work,both} &&
  mount -t overlay overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work /mnt/both'
check "nftables works" unshare -n nft add table inet lab
sleep 0.1
rmdir /sys/fs/cgroup/lab/one /sys/fs/cgroup/lab
finish
