"""P6: native and vm zones beside each other, all busy: what each got, against what it is entitled to."""
import json
import os
import shutil
import time

import guests
import machines
import networks
import ours as our_side

SECONDS = 20
SPIN = "while :; do :; done"
# (pool, its shares), then the pool's zones: (name, brand, cpu-shares).
CASES = (
    ("vm and native, one pool",
     ((("bench", 1), (("v3", "vm", 3), ("v1", "vm", 1), ("n2", "native", 2), ("n1", "native", 1))),)),
    ("vm and native, pools 3:1",
     ((("gold", 3), (("gv", "vm", 2), ("gn", "native", 1))),
      (("tin", 1), (("tv", "vm", 1), ("tn", "native", 1))))),
    # What the others are to be seen beside.
    ("native alone, pools 3:1",
     ((("silver", 3), (("s2", "native", 2), ("s1", "native", 1))),
      (("zinc", 1), (("z2", "native", 1), ("z1", "native", 1))))),
)


def usage_ns(pid):
    """CPU time so far of the cgroup that a process is in."""
    with open("/proc/%d/cgroup" % pid) as file:
        lines = [line.strip().split(":", 2) for line in file]
    for _, controllers, path in lines:
        if "cpuacct" in controllers.split(","):
            with open("/sys/fs/cgroup/cpuacct%s/cpuacct.usage" % path) as file:
                return int(file.read())
    own = next(path for number, _, path in lines if number == "0")
    with open("/sys/fs/cgroup%s/cpu.stat" % own) as file:
        return 1000 * next(int(line.split()[1]) for line in file if line.startswith("usage_usec"))


def busy_tree(folder):
    tree = folder + "/busy"
    for name in ("bin", "proc", "dev", "sys", "tmp"):
        os.makedirs(tree + "/" + name)
    shutil.copy("/bin/busybox", tree + "/bin/busybox")
    os.symlink("busybox", tree + "/bin/sh")
    return tree


def start_native(ours, name, settings, tree):
    """Two busy processes, as many as a guest has processors."""
    ours.ok("create", name, *settings, "--set",
            'command=["/bin/sh","-c","%s & %s"]' % (SPIN, SPIN), "--from", "dir:" + tree, "--boot")


def start_vm(ours, name, settings, guest):
    vm = guests.ZoneGuest(ours, name, guest, settings + ["vm.memory=128M", "vm.vcpus=2"])
    vm.boot()
    return vm


def measure_case(ours, title, pools, guest, tree, result):
    entitled, vms = {}, []
    total = sum(shares for (_, shares), _ in pools)
    for (pool, shares), zones in pools:
        ours.ok("pool", "create", pool, "shares=%d" % shares)
        inside = sum(zone[2] for zone in zones)
        for name, brand, zone_shares in zones:
            entitled[name] = 100 * shares / total * zone_shares / inside
            if brand == "vm":
                vms.append(start_vm(ours, name, ["pool=" + pool, "cpu-shares=%d" % zone_shares],
                                    guest))
    for (pool, _), zones in pools:
        for name, brand, zone_shares in zones:
            if brand == "native":
                start_native(ours, name, ["--set", "pool=" + pool, "--set",
                                          "cpu-shares=%d" % zone_shares], tree)
    for vm in vms:
        os.write(vm.attach().in_fd, ("%s & %s\n" % (SPIN, SPIN)).encode())
    got = measured(ours, entitled)
    for vm in vms:
        vm.halt()
    report(title, entitled, got, result)
    ours.ok("delete", "-F", *entitled)


def measured(ours, names):
    """Percent of what all of them used together."""
    pids = {zone["name"]: zone["pid"] for zone in json.loads(ours.ok("--json", "list"))}
    time.sleep(4)
    before = {name: usage_ns(pids[name]) for name in names}
    time.sleep(SECONDS)
    used = {name: usage_ns(pids[name]) - before[name] for name in names}
    return {name: 100 * used[name] / sum(used.values()) for name in names}


def report(title, entitled, got, result):
    shown = ", ".join("%s %.2f of %.2f %%" % (name, got[name], entitled[name]) for name in entitled)
    print("  P6 %s: %s" % (title, shown))
    result.add("P6 worst share, %s" % title, "points",
               [max(abs(got[name] - entitled[name]) for name in entitled)], "", None,
               {"ours": "%d s, all busy: %s" % (SECONDS, shown), "peer": ""}, "<= 0.5")


def measure_all(build, folder, result):
    with networks.own_network():
        os.mkdir(folder)
        tree = busy_tree(folder)
        ours = our_side.Ours(build, folder, tree)
        try:
            for title, pools in CASES:
                measure_case(ours, title, pools, machines.guest_folder(), tree, result)
        finally:
            ours.stop()
