#!/usr/bin/env python3
"""make bench: our times beside our peers', interleaved in one run. Writes a JSON file and a table.

usage: bench.py --build DIR [--out FILE] [--only P1,P3,...] [--rounds N] [--idle N] [--where TEXT]
                [--peers-only]
       bench.py --merge FILE... --out FILE
"""
import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import machines  # noqa: E402
import labelled  # noqa: E402
import measure  # noqa: E402
import networks  # noqa: E402
import ours as our_side  # noqa: E402
import peers as peer_side  # noqa: E402
import read_down  # noqa: E402
import shares  # noqa: E402

RESTS = (("back to back", 0), ("after 100 ms", 100))


class Bench:
    def __init__(self, args, folder):
        self.args = args
        self.result = measure.Result(args.where)
        self.tree = folder + "/tree"
        for name in ("bin", "proc", "dev", "sys", "tmp", "etc", "run"):
            os.makedirs(self.tree + "/" + name)
        for source, name in (("idle", "true"), ("idle", "pause"), ("probe", "probe")):
            shutil.copy("%s/bench/%s" % (args.build, source), "%s/bin/%s" % (self.tree, name))
        with open(self.tree + "/etc/passwd", "w") as file:
            file.write("root:x:0:0:root:/:/bin/sh\n")
        self.peers = peer_side.Peers(folder, self.tree, args.build + "/bench")
        self.ours = None if args.peers_only else our_side.Ours(args.build, folder, self.tree)

    def stop(self):
        try:
            self.peers.stop()
        finally:
            if self.ours:
                self.ours.stop()

    def timed(self, name, make_ours, make_peers, api_goals, program_goals, once=None):
        for title, rest in RESTS:
            api, program = make_ours() if self.ours else (None, None)
            peers = make_peers()
            mine = [subject for subject in (api, program) if subject]
            rounds = self.args.rounds if not rest else max(10, self.args.rounds // 5)
            alive = measure.interleave(mine + peers, rounds, rest)
            peers = [peer for peer in peers if peer in alive]
            label = "%s, %s" % (name, title)
            # The goals are about back to back.
            self.result.compare(label + ", API", api, peers, api_goals if not rest else {})
            if program:
                self.result.compare(label + ", program", program, peers,
                                    program_goals if not rest else {})
            self.peers.stop()
            if once:
                once()
            for bundle in glob.glob(os.path.dirname(self.tree) + "/*-pause") + \
                    glob.glob(os.path.dirname(self.tree) + "/*-true"):
                shutil.rmtree(bundle)

    def p1(self):
        self.timed("P1 create to exit", lambda: self.ours.runs(), self.peers.runs,
                   {"floor": "<= 1.5"},
                   {"crun": "<= 0.4", "bwrap": "<= 0.75"})

    def p3(self):
        def end():
            if self.ours:
                self.ours.ok("halt", "held")
                self.ours.ok("delete", "held")
        self.timed("P3 exec", lambda: self.ours.execs(), self.peers.execs,
                   {"floor": "<= 1.3"}, {}, end)

    def p4(self):
        """Memory and boot time of many idle zones; P12 with them."""
        count = self.args.idle
        quiet = settle()
        before = measure.used_kib()
        bare_times, _ = self.peers.hold(count)
        time.sleep(1)
        bare = (measure.used_kib() - before) / count
        self.peers.release()
        commands = {"ours": "tests/bench/client.cc, boot %d" % count,
                    "peer": "tests/bench/floor.cc, hold %d" % count}
        if not self.ours:
            self.result.add("P4 memory of an idle zone", "KiB", None, "floor", [bare], commands)
            self.ends("P4 boot of the last 50", None, bare_times, commands)
            return
        quiet = settle() and quiet
        before = measure.used_kib()
        times = self.ours.boot_idle(count)
        time.sleep(1)
        zone = (measure.used_kib() - before) / count
        if self.ours.running() < count:
            raise RuntimeError("P4: only %d of %d zones run" % (self.ours.running(), count))
        if not quiet:
            print("  P4: this machine is not quiet: its memory figure is not judged")
        self.result.add("P4 memory of an idle zone", "KiB", [zone], "floor", [bare], commands,
                        "<= 1.25" if quiet else "")
        self.ends("P4 boot of the last 50", times, bare_times, commands)
        self.p12()
        self.ours.ok("halt", "--all")
        self.ours.ok("delete", "--all")

    def ends(self, name, times, bare_times, commands):
        edge = min(50, max(1, len(bare_times) // 2))
        for label, all_times, goal in (("first 50", times, "<= 1.2"), ("bare: first 50", bare_times, "")):
            if all_times:
                self.result.add(name, "ms", [t / 1e6 for t in all_times[-edge:]], label,
                                [t / 1e6 for t in all_times[:edge]], commands, goal)

    def p12(self):
        seconds = 10
        time.sleep(2)
        before = self.ours.wake_ups()
        time.sleep(seconds)
        woken = self.ours.wake_ups() - before
        self.result.add("P12 wake-ups of daemon and keepers", "1/s", [woken / seconds], "", None,
                        {"ours": "voluntary_ctxt_switches over %d s, %d idle zones"
                                 % (seconds, self.ours.running()), "peer": ""}, "<= 0")

    def p7(self):
        """What system calls cost (S27): the host at the same cgroup depth, then the zone."""
        host, zone = {}, {}
        command = [self.ours.build + "/zone", "--root", self.ours.root, "run", "--from",
                   "dir:" + self.tree, "--", "/bin/probe", "/bin/true"] if self.ours else None
        with SameDepth() as depth:
            for _ in range(max(3, self.args.rounds // 20)):
                collect(host, depth.run([self.tree + "/bin/probe",
                                         self.tree + "/bin/true"]))
                if command:
                    collect(zone, subprocess.run(command, stdin=subprocess.DEVNULL, check=True,
                                                 capture_output=True, text=True).stdout)
        for act in host:
            # 0.98 of the host's speed is 1.02 of its time.
            self.result.add("P7 " + act, "ns", zone.get(act), "host, same depth", host[act],
                            {"ours": " ".join(command or []), "peer": "tests/bench/probe.cc"},
                            "<= 1.02")


    def p10(self):
        """Zones on a network. The rules that held are kept beside the figures."""
        if not self.ours:
            return
        networks.measure_all(self.args.build, os.path.dirname(self.tree) + "/network", self.tree,
                             max(3, self.args.rounds // 20), self.args.idle, self.result,
                             self.args.out + ".nft")

    def p6(self):
        """Native and vm zones in one pool, and in two."""
        if self.ours:
            shares.measure_all(self.args.build, os.path.dirname(self.tree) + "/shares", self.result)

    def r1(self):
        """Files of a lower zone, read from above."""
        if self.ours:
            read_down.measure_all(self.ours, os.path.dirname(self.tree) + "/read_down",
                                  max(3, self.args.rounds // 20), self.result)

    def p8(self):
        """A vm zone beside the same QEMU; P9 with it, when the guest has worked."""
        if not self.ours:
            return
        with SameDepth() as depth:
            machines.measure_all(self.args.build, os.path.dirname(self.tree) + "/machines", self.tree,
                                 depth, max(3, self.args.rounds // 25), self.result)

    def labels(self):
        """What labels cost, and the channels that stay between them."""
        if self.ours:
            labelled.measure_all(self.args.build, os.path.dirname(self.tree) + "/labelled", self.tree,
                                 self.args.rounds, self.result)


class SameDepth:
    """Cgroups of the host as deep as a zone's: SUBTREE/POOL/ZONE (/payload on v2)."""

    def __enter__(self):
        trees = [t for t in ("cpu", "cpuacct", "memory", "pids")
                 if os.path.exists("/sys/fs/cgroup/%s/cgroup.procs" % t)]
        v2 = "/sys/fs/cgroup" if peer_side.is_pure_v2() else "/sys/fs/cgroup/unified"
        self.folders = ["/sys/fs/cgroup/%s/%s/pool/zone" % (t, peer_side.CGROUP) for t in trees]
        if os.path.exists(v2 + "/cgroup.procs"):
            self.folders.append("%s/%s/pool/zone/payload" % (v2, peer_side.CGROUP))
        for folder in self.folders:
            os.makedirs(folder)
        return self

    def __exit__(self, *_):
        for folder in self.folders:
            while os.path.basename(folder) != peer_side.CGROUP:
                peer_side.remove_cgroup(folder)
                folder = os.path.dirname(folder)
            peer_side.remove_cgroup(folder)

    def run(self, command):
        script = 'for f in $FOLDERS; do echo $$ >$f/cgroup.procs || exit 1; done; exec "$@"'
        return subprocess.run(["sh", "-c", script, "sh"] + command, check=True, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              env=dict(os.environ, FOLDERS=" ".join(self.folders))).stdout


def collect(values, text):
    for line in text.splitlines():
        act, nanoseconds = line.split()
        values.setdefault(act, []).append(float(nanoseconds))


def settle(limit=20):
    """Waits until the kernel has given back what ended: namespaces are freed in the background. False
    when memory still moves after that: somebody else is at work on this machine."""
    last = measure.used_kib()
    for _ in range(limit):
        time.sleep(1)
        now = measure.used_kib()
        if abs(now - last) < 1024:
            return True
        last = now
    return False


def merge(files, out):
    rows = []
    for name in files:
        with open(name) as file:
            rows += json.load(file)
    with open(out, "w") as file:
        json.dump(rows, file, indent=1)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--out", default="build/bench.json")
    parser.add_argument("--only", default="P1,P3,P4,P6,P7,P8,P10,R1,labels")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--where", default="this host")
    parser.add_argument("--peers-only", action="store_true")
    parser.add_argument("--merge", nargs="+")
    args = parser.parse_args()
    if args.merge:
        print(measure.table(merge(args.merge, args.out)))
        return 0
    args.build = os.path.abspath(args.build)
    if os.geteuid() != 0:
        sys.exit("bench: needs root")
    folder = tempfile.mkdtemp(prefix="zoned-bench.")
    os.chmod(folder, 0o711)
    steps = {"P1": Bench.p1, "P3": Bench.p3, "P4": Bench.p4, "P6": Bench.p6,
             "P7": Bench.p7, "P8": Bench.p8, "P10": Bench.p10, "R1": Bench.r1,
             "labels": Bench.labels}
    bench = None
    try:
        bench = Bench(args, folder)
        # P9 is measured with P8.
        for name in dict.fromkeys(args.only.replace("P9", "P8").split(",")):
            print("bench: %s (%s)" % (name, args.where), flush=True)
            steps[name](bench)
        bench.result.save(args.out)
    finally:
        if bench:
            bench.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(measure.table(bench.result.rows))
    shown = bench.result.machine
    print(", ".join("%s: %s" % item for item in shown.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
