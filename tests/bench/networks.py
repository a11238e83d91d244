"""P10: what a network of ours costs, beside a bare veth pair between two plain namespaces; what a port
costs at a boot, and beside many others."""
import contextlib
import ctypes
import json
import os
import statistics
import subprocess
import time

import measure
import ours as our_side

CLONE_NEWNET = 0x40000000
PORT = "5201"


def _call(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def own_network():
    """This process, and what it starts, in a network namespace of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call(libc.unshare(CLONE_NEWNET))
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        _call(libc.setns(before, CLONE_NEWNET))
        os.close(before)


class Pair:
    """Two namespaces between which packets pass: the commands that enter them, an address of the 2nd."""

    def __init__(self, first, second, address):
        self.first = ["nsenter", "--net=/proc/%d/ns/net" % first]
        self.second = ["nsenter", "--net=/proc/%d/ns/net" % second]
        self.address = address


@contextlib.contextmanager
def bare_holder():
    """The pid of a process in a network namespace of its own."""
    holder = subprocess.Popen(["unshare", "-n", "sleep", "3600"])
    try:
        while os.readlink("/proc/%d/ns/net" % holder.pid) == os.readlink("/proc/self/ns/net"):
            time.sleep(0.01)
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()


@contextlib.contextmanager
def bare_pair():
    """The peer: nothing but a veth pair."""
    with bare_holder() as first, bare_holder() as second:
        pair = Pair(first, second, "10.7.0.2")
        run = lambda *command: subprocess.run(command, check=True)  # noqa: E731
        run("ip", "link", "add", "bench0", "netns", str(first), "type", "veth",
            "peer", "name", "bench0", "netns", str(second))
        for enter, address in ((pair.first, "10.7.0.1/24"), (pair.second, "10.7.0.2/24")):
            run(*enter, "ip", "addr", "add", address, "dev", "bench0")
            run(*enter, "ip", "link", "set", "bench0", "up")
        yield pair


@contextlib.contextmanager
def bare_hop():
    """What routing itself costs: two veth pairs and a namespace that forwards, without any rule."""
    gateway = "169.254.1.1"
    with bare_holder() as first, bare_holder() as host, bare_holder() as second:
        pair = Pair(first, second, "10.6.0.2")
        inside = ["nsenter", "--net=/proc/%d/ns/net" % host]
        run = lambda *command: subprocess.run(command, check=True)  # noqa: E731
        for end, (zone, enter, address) in enumerate(((first, pair.first, "10.6.0.1"),
                                                      (second, pair.second, "10.6.0.2"))):
            link = "hop%d" % end
            run("ip", "link", "add", link, "netns", str(host), "type", "veth",
                "peer", "name", "bench0", "netns", str(zone))
            run(*inside, "ip", "addr", "add", gateway + "/32", "dev", link)
            run(*inside, "ip", "link", "set", link, "up")
            run(*enter, "ip", "addr", "add", address + "/32", "dev", "bench0")
            run(*enter, "ip", "link", "set", "bench0", "up")
            run(*enter, "ip", "route", "add", gateway, "dev", "bench0")
            run(*enter, "ip", "route", "add", "default", "via", gateway)
            run(*inside, "ip", "route", "add", address, "dev", link)
        run(*inside, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        yield pair


@contextlib.contextmanager
def zone_pair(ours):
    """Two zones on one network, with all protections."""
    ours.ok("net", "create", "bench", "subnet=10.8.0.0/16")
    for name in ("one", "two"):
        ours.ok("create", name, "--set", 'command=["/bin/pause"]', "--set", "net.0.network=bench",
                "--from", "dir:" + ours.tree, "--boot")
    yield pair_in(ours)


def pair_in(ours):
    """Of the zones "one" and "two"."""
    zones = {zone["name"]: zone["pid"] for zone in json.loads(ours.ok("--json", "list"))}
    port = json.loads(ours.ok("--json", "net", "ports", "two"))[0]
    return Pair(zones["one"], zones["two"], port["addresses"][0])


@contextlib.contextmanager
def server(command):
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def stream(pair, seconds):
    """Milliseconds that a GiB takes."""
    with server(pair.second + ["iperf3", "-s", "-p", PORT]):
        done = subprocess.run(pair.first + ["iperf3", "-c", pair.address, "-p", PORT, "-t",
                                            str(seconds), "-J"],
                              check=True, capture_output=True, text=True, timeout=60)
    bits = json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]
    return (8 << 30) / bits * 1000


def round_trip(pair, program):
    """Microseconds of one."""
    with server(pair.second + [program, "serve", PORT]):
        done = subprocess.run(pair.first + [program, "ask", pair.address, PORT, "10000"],
                              check=True, capture_output=True, text=True, timeout=60)
    return int(done.stdout) / 1000


def held_cap(ours, pair, bits):
    """The share of a cap on sending that TCP's payload gets."""
    ours.ok("set", "one", "net.0.bandwidth=%d" % bits)
    rate = (8 << 30) / stream(pair, 4) * 1000
    ours.ok("set", "one", "net.0.bandwidth=")
    return rate / bits


def boots(ours, rounds, result, title, goal="<= 0.5"):
    """A run with a port beside one without, each with one setting, in turns. After rests in which zoned makes
    namespaces ahead (prepared.h), and which the end of the run before is over in."""
    run = ["run", "--from", "dir:" + ours.tree, "--set"]
    subjects = [ours.spawn("with", run + ["net.0.network=bench", "--", "/bin/true"]),
                ours.spawn("without a port", run + ["hostname=bench", "--", "/bin/true"])]
    measure.interleave(subjects, rounds, 40)
    result.compare("P2 zone run with a port, " + title, subjects[0], [subjects[1]], {})
    extra = [statistics.median(subject.times) / 1e6 for subject in subjects]
    result.add("P2 what its port adds, " + title, "ms", [extra[0] - extra[1]], "", None,
               {"ours": "the difference of the medians", "peer": ""}, goal)


def prepared_links(rounds, result):
    """What a pool of links would do at a boot, beside making the pair where it is to be."""
    with bare_holder() as holder:
        def timed(*command):
            begin = time.monotonic_ns()
            subprocess.run(["ip", "link"] + list(command), check=True)
            return (time.monotonic_ns() - begin) / 1e6

        made, moved = [], []
        for _ in range(rounds):
            made.append(timed("add", "pool0", "type", "veth", "peer", "name", "pool1", "netns",
                              str(holder)))
            timed("del", "pool0")
            timed("add", "pool0", "type", "veth", "peer", "name", "pool1")
            moved.append(timed("set", "pool1", "netns", str(holder)))
            timed("del", "pool0")
    result.add("P2 a link, prepared and moved in", "ms", moved, "made at its place", made,
               {"ours": "ip link set pool1 netns PID", "peer": "ip link add pool0 type veth peer "
                "name pool1 netns PID"})


def many(ours, count, result):
    """Ports beyond the first: what the last boots take beside the first, memory, rules."""
    before = measure.used_kib()
    done = subprocess.run([ours.build + "/bench/client", "boot", ours.root, ours.tree, str(count),
                           "bench"], capture_output=True, text=True, timeout=1800)
    times = [int(line) / 1e6 for line in done.stdout.split()] if done.returncode == 0 else []
    if len(times) != count:
        raise RuntimeError("client boot: " + done.stdout[-200:] + done.stderr[-200:])
    time.sleep(1)
    commands = {"ours": "tests/bench/client.cc, boot %d NETWORK" % count, "peer": ""}
    edge = min(50, max(1, count // 2))
    result.add("P4 boot of the last %d of %d ports" % (edge, count), "ms", times[-edge:],
               "first %d" % edge, times[:edge], commands, "<= 1.2")
    memory = (measure.used_kib() - before) / count
    if memory > 0:  # else somebody else gave back more meanwhile
        result.add("P4 memory of an idle zone with a port", "KiB", [memory], "", None, commands)
    rules = subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True).stdout
    result.add("P4 rules, as nft(8) lists them", "KiB", [len(rules) / 1024], "", None, commands)
    ours.ok("halt", "--all")
    ours.ok("delete", "--all", "--force")


def measure_all(build, folder, tree, rounds, count, result, rules):
    with own_network():
        os.mkdir(folder)
        ours = our_side.Ours(build, folder, tree)
        try:
            with bare_pair() as bare, bare_hop() as hop, zone_pair(ours) as zones:
                program = build + "/bench/pingpong"
                seen = {"stream": ([], [], []), "ping": ([], [], [])}
                for _ in range(rounds):
                    for side, pair in enumerate((zones, bare, hop)):
                        seen["stream"][side].append(stream(pair, 1))
                        seen["ping"][side].append(round_trip(pair, program))
                with open(rules, "w") as file:
                    subprocess.run(["nft", "list", "ruleset"], check=True, stdout=file)
                add_rows(result, seen, program)
                boots(ours, rounds * 10, result, "made ahead")
                caps = [held_cap(ours, zones, bits) for bits in (50000000, 500000000)]
                for name, held in zip(("50M", "500M"), caps):
                    result.add("P10 payload of a cap of " + name, "", [held], "", None,
                               {"ours": "zone set one net.0.bandwidth=" + name, "peer": ""})
            prepared_links(rounds, result)
            many(ours, count, result)
        finally:
            ours.stop()
        without_stock(build, folder, tree, rounds, result)


def without_stock(build, folder, tree, rounds, result):
    os.mkdir(folder + "/0")
    ours = our_side.Ours(build, folder + "/0", tree, "prepared = 0")
    try:
        ours.ok("net", "create", "bench", "subnet=10.8.0.0/16")
        boots(ours, rounds * 10, result, "none ahead", "")
    finally:
        ours.stop()


def add_rows(result, seen, program):
    # 0.95 of the speed is 1.053 of the time.
    for side, peer, address, goal in ((1, "bare veth pair", "10.7.0.2", "<= 1.053"),
                                      (2, "a hop, no rules", "10.6.0.2", "")):
        result.add("P10 TCP, zone to zone", "ms/GiB", seen["stream"][0], peer, seen["stream"][side],
                   {"ours": "iperf3 -c ADDRESS -t 1, in the zones' namespaces",
                    "peer": "iperf3 -c %s -t 1" % address}, goal)
        result.add("P10 round trip of a byte", "us", seen["ping"][0], peer, seen["ping"][side],
                   {"ours": program + " ask ADDRESS 5201 10000",
                    "peer": program + " ask %s 5201 10000" % address})
