"""P8 and P9: what a vm zone costs beside the same QEMU without a zone around it."""
import json
import os
import socket
import subprocess
import time

import guests
import networks
import ours as our_side

MEMORY_MIB = 256
DISK_MIB = 128
NET_MIB = 64
TOUCHED_MIB = 150
SINK, ECHO, SOURCE = 5000, 5001, 5002
LOOP = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
PASSES = 4  # so that the way of the console's answer does not count
TURNS = 2
PROGRAMS = {"sink": "cat >/dev/null", "source": "dd if=/dev/zero bs=64k count=%d" % (NET_MIB * 16)}
# KVM is not measured here.
PEER = "same QEMU bare (TCG)"


class Side:
    """A running guest of either kind, with a shell and servers on its network."""

    def __init__(self, vm, own, gateway, network):
        self.vm = vm
        self.own = own
        self.network = network  # pid in whose network namespace the host's end is; None: ours
        self.console = vm.attach()
        self.times = {}
        for command in ("dmesg -n 1", "ip addr replace %s/32 dev eth0" % own,
                        "ip route replace %s dev eth0" % gateway,
                        "ip route replace default via %s dev eth0 onlink" % gateway):
            self.console.do("busybox " + command)
        for name, text in PROGRAMS.items():
            self.console.do("printf '#!/bin/sh\\n%s 2>/dev/null\\n' >/bin/%s; busybox chmod 755 /bin/%s" %
                            (text, name, name))
        for port, program in ((SINK, "sink"), (ECHO, "cat"), (SOURCE, "source")):
            self.console.do("busybox nc -ll -p %d -e /bin/%s & true" % (port, program))

    def note(self, act, value):
        self.times.setdefault(act, []).append(value)

    def timed(self, act, work):
        """Wall time of the act, and CPU time of QEMU meanwhile, on which other load bears less."""
        pid = self.vm.pid()
        before, start = guests.cpu_ns(pid), time.monotonic_ns()
        work()
        self.note(act, (time.monotonic_ns() - start) / 1e6)
        self.note(act + ", QEMU's CPU", (guests.cpu_ns(pid) - before) / 1e6)

    def connect(self, port):
        with guests.InNetwork(self.network):
            return socket.create_connection((self.own, port), timeout=60)

    def to_guest(self):
        with self.connect(SINK) as there:
            block = bytes(1 << 20)
            for _ in range(NET_MIB):
                there.sendall(block)
            there.shutdown(socket.SHUT_WR)
            if there.recv(1):
                raise RuntimeError("the sink answers")

    def from_guest(self):
        left = NET_MIB << 20
        with self.connect(SOURCE) as there:
            while left > 0:
                data = there.recv(1 << 20)
                if not data:
                    raise RuntimeError("%d bytes are missing" % left)
                left -= len(data)

    def round_trip(self, program):
        """Microseconds of one byte to the guest and back."""
        enter = ["nsenter", "--net=/proc/%d/ns/net" % self.network] if self.network else []
        done = subprocess.run(enter + [program, "ask", self.own, str(ECHO), "1000"], check=True,
                              capture_output=True, text=True, timeout=60)
        self.note("round trip of a byte", int(done.stdout) / 1000)

    def disk(self, words):
        self.console.do("for p in %s; do dd bs=1M count=%d %s 2>/dev/null; done" %
                        (" ".join(map(str, range(PASSES))), DISK_MIB, words))

    def turn(self, program):
        self.timed("answer of the console", lambda: self.console.do("true"))
        self.timed("CPU", lambda: self.console.do(LOOP))
        self.timed("disk read", lambda: self.disk("if=/dev/vda of=/dev/null iflag=direct"))
        self.timed("disk write", lambda: self.disk("if=/dev/zero of=/dev/vda oflag=direct"))
        self.timed("TCP to the guest", self.to_guest)
        self.timed("TCP from the guest", self.from_guest)
        self.round_trip(program)


SHOWN = {"CPU": LOOP, "answer of the console": "true",
         "disk read": "%d times dd bs=1M count=%d iflag=direct" % (PASSES, DISK_MIB),
         "disk write": "%d times dd bs=1M count=%d oflag=direct" % (PASSES, DISK_MIB),
         "TCP to the guest": "%d MiB from the host's end" % NET_MIB,
         "TCP from the guest": "%d MiB to the host's end" % NET_MIB,
         "round trip of a byte": "tests/bench/pingpong.cc, 1000"}


def image(path):
    """A raw image whose blocks are all there."""
    with open(path, "wb") as file:
        for _ in range(DISK_MIB):
            file.write(bytes(1 << 20))
    return path


def alternate(pair, turn):
    """The pair in this round's order: nobody is always first."""
    return pair if turn % 2 == 0 else pair[::-1]


def boots(ours, guest, folder, depth, rounds, result):
    zone = guests.ZoneGuest(ours, "boots", guest, ["vm.memory=%dM" % MEMORY_MIB])
    zone.boot()
    bare = guests.BareGuest(zone.command_line(), guest, folder, depth)
    zone.halt()
    times = {zone: [], bare: []}
    for turn in range(rounds):
        for vm in alternate((zone, bare), turn):
            times[vm].append(vm.boot() / 1e6)
            vm.halt()
    # 0.99 of the speed is 1.0101 of the time.
    result.add("P8 boot to prompt", "ms", times[zone], PEER, times[bare],
               {"ours": "zone boot", "peer": " ".join(bare.argv)}, "<= 1.0101")
    ours.ok("delete", "-F", "boots")


def work(ours, guest, folder, depth, rounds, result, program):
    """P8 but for the boot; then P9 of the zone's QEMU, which has worked by then."""
    ours.ok("net", "create", "bench", "subnet=10.8.0.0/16")
    settings = ["vm.memory=%dM" % MEMORY_MIB, "net.0.network=bench",
                "disk.0.path=" + image(folder + "/zone.raw")]
    ours.ok("label", "set", folder + "/zone.raw", "PUBLIC")
    zone = guests.ZoneGuest(ours, "works", guest, settings)
    disk = image(folder + "/bare.raw")
    times = ({}, {})
    # Several lives of each: where a QEMU's memory happens to lie moves its speed by a tenth.
    for life in range(max(2, rounds // TURNS)):
        zone.boot()
        tap = guests.BareTap()
        bare = guests.BareGuest(zone.command_line(), guest, folder, depth, disk, tap.fd)
        try:
            address = json.loads(ours.ok("--json", "net", "ports", "works"))[0]["addresses"][0]
            console = one_life(zone, bare, address, tap, life, program, times)
        finally:
            tap.close()
        if life == 0:
            memory(zone, console, result)
        zone.halt()
    rows(result, times, bare)


def one_life(zone, bare, address, tap, life, program, times):
    """Adds to the times of (zone, bare). Returns the zone's console."""
    bare.boot()
    try:
        sides = (Side(zone, address, "169.254.1.1", None),
                 Side(bare, guests.BARE_GUEST, guests.BARE_HOST, tap.holder.pid))
        for turn in range(TURNS + 1):
            for side in alternate(sides, turn + life):
                side.turn(program)
            if turn == 0:  # warmed up
                for side in sides:
                    side.times.clear()
    finally:
        bare.halt()
    for side, all_times in zip(sides, times):
        for act, values in side.times.items():
            all_times.setdefault(act, []).extend(values)
    return sides[0].console


def rows(result, times, bare):
    for act, ours in times[0].items():
        shown = SHOWN.get(act.split(",")[0])
        # Other programs on the machine bear on wall time: what is judged needs a quiet one.
        goal = "" if act.endswith("QEMU's CPU") or act.startswith("answer") else "<= 1.0101"
        unit = "us" if act == "round trip of a byte" else "ms"
        result.add("P8 " + act, unit, ours, PEER, times[1][act],
                   {"ours": shown + ", in a vm zone with all protections",
                    "peer": shown + ", in: " + " ".join(bare.argv)}, goal)


def kind_of(header, guest_kib):
    """What a mapping of QEMU (its first line in smaps, and its size) is for."""
    fields = header.split()
    if guest_kib == MEMORY_MIB << 10:
        return "guest"
    if "x" in fields[1] and "w" in fields[1]:
        return "translated code"
    return "program and libraries" if len(fields) > 5 and fields[5][0] == "/" else "heap and stacks"


def mapped(pid):
    """KiB by kind: (resident, this process's part of what is shared)."""
    found, kind = {}, None
    with open("/proc/%d/smaps" % pid) as file:
        for line in file:
            fields = line.split()
            if not fields[0].endswith(":"):
                header = line
            elif fields[0] == "Size:":
                kind = found.setdefault(kind_of(header, int(fields[1])), [0, 0])
            elif fields[0] in ("Rss:", "Pss:"):
                kind[fields[0] == "Pss:"] += int(fields[1])
    return found


def memory(zone, console, result):
    console.do("mkdir -p /ram; mount -t tmpfs -o size=%dm tmpfs /ram" % TOUCHED_MIB)
    console.do("dd if=/dev/zero of=/ram/x bs=1M count=%d" % TOUCHED_MIB)
    kinds = mapped(zone.pid())
    if kinds.get("guest", [0])[0] < TOUCHED_MIB << 10:
        raise RuntimeError("the guest's memory was not found: %s" % kinds)
    shown = {"ours": "/proc/PID/smaps, guest of %d MiB, after the acts of P8" % MEMORY_MIB, "peer": ""}

    def row(name, kib, goal=""):
        result.add("P9 " + name, "MiB", [kib / 1024], "", None, shown, goal)

    above = [kind for name, kind in kinds.items() if name != "guest"]
    row("QEMU over guest RAM (PSS)", sum(kind[1] for kind in above), "<= 60")
    row("QEMU over guest RAM, RSS", sum(kind[0] for kind in above))
    for name in sorted(kinds):
        row("of it " + name if name != "guest" else "guest RAM, resident", kinds[name][0])


def guest_folder():
    """Of Debian's kernel and the small initrd."""
    done = subprocess.run(["tests/guests/linux.sh"], check=True, capture_output=True, text=True)
    return os.path.abspath(done.stdout.strip())


def measure_all(build, folder, tree, depth, rounds, result):
    with networks.own_network():
        os.mkdir(folder)
        guest = guest_folder()
        ours = our_side.Ours(build, folder, tree)
        try:
            boots(ours, guest, folder, depth, rounds, result)
            work(ours, guest, folder, depth, rounds, result, build + "/bench/pingpong")
        finally:
            ours.stop()
