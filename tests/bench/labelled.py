"""What labels cost: the same acts in an instance where everything has one label, and in one where zones of
several labels run. Then the channels that stay between labels."""
import contextlib
import os
import shutil
import subprocess
import time

import covert
import measure
import networks
import ours as our_side

OTHERS = ("PUBLIC", "INTERNAL", "CONFIDENTIAL", "SECRET ENG", "SECRET OPS")
LABEL = "SECRET ENG OPS"
FILE_MB = 256


class Side:
    def __init__(self, build, folder, tree, label, subnet):
        os.mkdir(folder)
        self.subnet = subnet
        self.label = ["--set", "label=" + label] if label else []
        own = folder + ".tree"
        shutil.copytree(tree, own, symlinks=True)
        self.ours = our_side.Ours(build, folder, own)
        if label:
            self.ours.ok("label", "clear", own)
            self.ours.ok("label", "set", own, label)

    def settings(self, *more):
        return self.label + [word for setting in more for word in ("--set", setting)]

    def create(self, name, *more):
        self.ours.ok("create", name, "--set", 'command=["/bin/pause"]', *self.settings(*more), "--from",
                     "dir:" + self.ours.tree, "--boot")

    def run(self):
        return self.ours.spawn("zone run", ["run", "--from", "dir:" + self.ours.tree] + self.label +
                               ["--", "/bin/true"])

    def read_time(self, path):
        """ms/GB of a whole file, from the page cache; the exec is in it."""
        script = "for i in 1 2 3 4; do /bin/dd if=%s of=/dev/null bs=1M; done" % path
        begin = time.monotonic()
        subprocess.run(self.ours.zone + ["exec", "held", "--", "/bin/sh", "-c", script], check=True,
                       capture_output=True, timeout=120)
        return (time.monotonic() - begin) * 1000 / (4 * FILE_MB / 1000)


@contextlib.contextmanager
def both_sides(build, folder, tree):
    os.mkdir(folder)
    sides = []
    try:
        for name, label, subnet in (("labelled", LABEL, "10.8.0.0/16"), ("plain", "", "10.9.0.0/16")):
            sides.append(Side(build, folder + "/" + name, tree, label, subnet))
        yield sides
    finally:
        for side in sides:
            side.ours.stop()


def measure_all(build, folder, tree, rounds, result):
    os.makedirs(tree + "/export", exist_ok=True)
    for applet in ("dd", "sh"):
        shutil.copy("/bin/busybox", tree + "/bin/" + applet)
    with networks.own_network(), both_sides(build, folder, tree) as (labelled, plain):
        for number, label in enumerate(OTHERS):
            labelled.ours.ok("create", "other%d" % number, "--set", 'command=["/bin/pause"]', "--set",
                             "label=" + label, "--from", "dir:" + tree, "--boot")
        for side in (labelled, plain):
            side.ours.ok("net", "create", "bench", "subnet=" + side.subnet)
            side.create("held")
        acts(labelled, plain, rounds, result)
        packets(labelled, plain, max(3, rounds // 20), result)
        files(labelled, plain, result)
        channels(plain, result)


def acts(labelled, plain, rounds, result):
    for name, make in (("P1 zone run, labels", Side.run),
                       ("P3 zone exec, labels",
                        lambda side: side.ours.spawn("zone exec", ["exec", "held", "--", "/bin/true"]))):
        ours, peer = make(labelled), make(plain)
        peer.name = "one label"
        measure.interleave([ours, peer], rounds)
        result.compare(name, ours, [peer], {"one label": "<= 1.05"})


def pair_of(side):
    for name in ("one", "two"):
        side.create(name, "net.0.network=bench")
    return networks.pair_in(side.ours)


def packets(labelled, plain, rounds, result):
    pairs = [pair_of(side) for side in (labelled, plain)]
    seen = ([], [])
    for _ in range(rounds):
        for values, pair in zip(seen, pairs):
            values.append(networks.stream(pair, 1))
    result.add("P10 TCP, zone to zone, labels", "ms/GiB", seen[0], "one label", seen[1],
               {"ours": "iperf3 between zones of one label among zones of six", "peer": "the same, one"},
               "<= 1.05")


def files(labelled, plain, result):
    make = "dd if=/dev/zero of=%s bs=1M count=%d status=none"
    for side in (labelled, plain):
        path = side.ours.root + "/lib/zones/held/root/export/big"
        subprocess.run(["sh", "-c", make % (path, FILE_MB)], check=True)
    seen = ([], [])
    for _ in range(10):
        for values, side in zip(seen, (labelled, plain)):
            values.append(side.read_time("/export/big"))
    commands = {"ours": "dd if=/export/big of=/dev/null bs=1M", "peer": "the same"}
    result.add("file read, own tree, labels", "ms/GB", seen[0], "one label", seen[1], commands, "<= 1.05")


def channels(side, result):
    for channel, rows in covert.measure(side.ours).items():
        for slot, right, bits in rows:
            print("  %-8s slots of %4.1f ms, %5.1f %% right, %7.1f bit/s" % (channel, slot / 1000, right * 100,
                                                                         bits))
        best = max(rows, key=lambda row: row[2])
        result.add("channel %s, %s to %s, slots of %g ms" % (channel, covert.FROM, covert.TO,
                                                            best[0] / 1000),
                   "bit/s", [best[2]], "", None, {"ours": "tests/bench/covert.cc", "peer": ""})
