"""A guest in a vm zone, and the same guest under the same QEMU outside of any zone."""
import ctypes
import fcntl
import json
import os
import re
import select
import socket
import struct
import subprocess
import time

import networks

TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
BARE_HOST, BARE_GUEST = "10.9.0.1", "10.9.0.2"
READY = b"guest: ready\n"
FIRST_SPARE_FD = 20


class Console:
    """A guest's serial console with a shell on it, read and written through descriptors."""

    def __init__(self, out_fd, in_fd):
        self.out_fd = out_fd
        self.in_fd = in_fd
        self.count = 0

    def expect(self, pattern, seconds=120):
        """Reads until the bytes of the pattern have come. Returns the match."""
        seen = b""
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern, seen)
            if match:
                return match
            if not select.select([self.out_fd], [], [], max(0, end - time.monotonic()))[0]:
                raise RuntimeError("no %r on the console within %d s: ...%r" %
                                   (pattern, seconds, seen[-300:]))
            data = os.read(self.out_fd, 65536)
            if not data:
                raise RuntimeError("the console ended: ...%r" % seen[-300:])
            seen += data.replace(b"\r", b"")

    def do(self, command):
        """Runs a command of the guest's shell and waits for its end. Returns nanoseconds."""
        self.count += 1
        start = time.monotonic_ns()
        # What the guest's terminal echoes must not look like the answer.
        os.write(self.in_fd, ("%s; echo do''ne%d=$?\n" % (command, self.count)).encode())
        status = self.expect(b"\ndone%d=(\\d+)\n" % self.count).group(1)
        took = time.monotonic_ns() - start
        if status != b"0":
            raise RuntimeError("in the guest: %s: status %s" % (command, status.decode()))
        return took


def cpu_ns(pid):
    """CPU time of all threads, ended ones too: the process's clock, clock_getcpuclockid(3)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


class ZoneGuest:
    """A vm zone that is installed; `settings` are those of `zone create --set`."""

    def __init__(self, ours, name, guest, settings):
        self.ours = ours
        self.name = name
        self.reader = None
        options = [word for setting in settings for word in ("--set", setting)]
        ours.ok("create", name, "--brand", "vm", *options, "--from",
                "kernel:%s/vmlinuz,initrd=%s/initrd" % (guest, guest))

    def boot(self):
        """Returns nanoseconds to the prompt."""
        reader = subprocess.Popen(self.ours.zone + ["logs", "-f", self.name],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            log = Console(reader.stdout.fileno(), None)
            self._skip_old(reader.stdout.fileno())
            start = time.monotonic_ns()
            self.ours.ok("boot", self.name)
            log.expect(READY)
            return time.monotonic_ns() - start
        finally:
            reader.kill()
            reader.communicate()

    @staticmethod
    def _skip_old(log_fd):
        """What earlier boots have left in the log comes at once."""
        while select.select([log_fd], [], [], 0.5)[0] and os.read(log_fd, 65536):
            pass

    def attach(self):
        self.reader = subprocess.Popen(self.ours.zone + ["console", self.name],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return Console(self.reader.stdout.fileno(), self.reader.stdin.fileno())

    def pid(self):
        return json.loads(self.ours.ok("--json", "list", self.name))[0]["pid"]

    def command_line(self):
        with open("/proc/%d/cmdline" % self.pid()) as file:
            return file.read().split("\0")[:-1]

    def halt(self):
        if self.reader:
            self.reader.kill()
            self.reader.communicate()
            self.reader = None
        self.ours.ok("halt", self.name)


class BareGuest:
    """The QEMU of `argv`, a zone's own command line, with descriptors of the same kinds in the same
    places, in cgroups of the same depth (`depth`), as root and with nothing else around it."""

    def __init__(self, argv, guest, folder, depth, disk=None, tap_fd=None):
        files = {"/vm/kernel": guest + "/vmlinuz", "/vm/initrd": guest + "/initrd"}
        self.argv = [files.get(word, word) for word in argv]
        self.folder = folder
        self.depth = depth
        self.disk = disk
        self.tap_fd = tap_fd
        self.process = None
        self.keep = []

    def _place(self, kind, pattern):
        numbers = [m.group(1) for word in self.argv for m in re.finditer(pattern, word)]
        if len(numbers) != 1:
            raise RuntimeError("%d descriptors for %s on the command line" % (len(numbers), kind))
        return int(numbers[0])

    def boot(self):
        """Returns nanoseconds to the prompt; without its preparations, which a zone's boot has."""
        qmp, console, theirs, disk = self._prepare()
        places = {self._place("qmp", "id=qmp,fd=(\\d+)"): qmp.fileno(),
                  self._place("console", "id=console,fd=(\\d+)"): theirs.fileno()}
        if self.disk:
            places[self._place("disk", "^fd=(\\d+),set=")] = disk
        if self.tap_fd is not None:
            places[self._place("tap", '"fd":"(\\d+)"')] = self.tap_fd
        # High numbers, so that no move overwrites one that is still to be moved.
        spare = {place: fcntl.fcntl(fd, fcntl.F_DUPFD, FIRST_SPARE_FD) for place, fd in places.items()}
        moves = " ".join("%d<&%d %d<&-" % (place, fd, fd) for place, fd in spare.items())
        script = 'for f in %s; do echo $$ >$f/cgroup.procs || exit 1; done; exec %s; exec "$@"' % (
            " ".join(self.depth.folders), moves)
        start = time.monotonic_ns()
        self.process = subprocess.Popen(["bash", "-c", script, "bash"] + self.argv,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        pass_fds=list(spare.values()))
        self._continue()
        Console(console.fileno(), None).expect(READY)
        took = time.monotonic_ns() - start
        for fd in list(spare.values()) + ([disk] if disk is not None else []):
            os.close(fd)
        theirs.close()
        qmp.close()
        return took

    def _prepare(self):
        path = self.folder + "/qmp"
        if os.path.exists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        console, theirs = socket.socketpair()
        self.keep = [console]
        disk = os.open(self.disk, os.O_RDWR | os.O_CLOEXEC) if self.disk else None
        return listener, console, theirs, disk

    def _continue(self):
        """The command line says -S: QEMU waits for `cont`."""
        client = socket.socket(socket.AF_UNIX)
        client.connect(self.folder + "/qmp")
        self.keep.append(client)
        answers = client.makefile()
        answers.readline()  # the greeting
        for command in ("qmp_capabilities", "cont"):
            client.sendall(json.dumps({"execute": command}).encode())
            while "return" not in json.loads(answers.readline()):
                pass

    def attach(self):
        return Console(self.keep[0].fileno(), self.keep[0].fileno())

    def pid(self):
        return self.process.pid

    def halt(self):
        self.process.kill()
        self.process.wait()
        for end in self.keep:
            end.close()


class BareTap:
    """A tap with nothing but an address, in a network namespace of its own: what QEMU alone is given."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "3600"])
        own = os.readlink("/proc/self/ns/net")
        while os.readlink("/proc/%d/ns/net" % self.holder.pid) == own:
            time.sleep(0.01)
        self.enter = ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid]
        with InNetwork(self.holder.pid):
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
            fcntl.ioctl(self.fd, TUNSETIFF,
                        struct.pack("16sH14x", b"bench0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
            for command in ("addr add %s/24 dev bench0" % BARE_HOST, "link set bench0 up"):
                subprocess.run(["ip"] + command.split(), check=True)

    def close(self):
        os.close(self.fd)
        self.holder.kill()
        self.holder.wait()


class InNetwork:
    """This thread in the network namespace of a process; None is where it is already."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        self.before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if self.pid is not None:
            there = os.open("/proc/%d/ns/net" % self.pid, os.O_RDONLY | os.O_CLOEXEC)
            self._join(there)
            os.close(there)

    def __exit__(self, *_):
        self._join(self.before)
        os.close(self.before)

    @staticmethod
    def _join(fd):
        if ctypes.CDLL(None, use_errno=True).setns(fd, networks.CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
