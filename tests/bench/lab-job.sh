# Benchmarks in the lab VM: cgroup v2 alone, crun among the peers.
for controller in cpu cpuset io memory pids; do
  echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
exec python3 bench/bench.py --build bin --out out/bench.json --only "$(cat only)" \
  --rounds "$(cat rounds)" --where "lab VM, cgroup v2"
