# Runs the root tests listed in root-tests.txt under the same runner as on the host.
mapfile -t names < <(grep -v '^#' root-tests.txt)
[ "${#names[@]}" -gt 0 ] || exit 1
# Where the drivers start from, as on a machine whose init has enabled them.
for controller in cpu cpuset io memory pids; do
  echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
export ZONED_ROUNDS=10
exec python3 harness/run.py --skips skips.txt "${names[@]/#/bin/}"
