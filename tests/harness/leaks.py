"""What a test may leave behind on a host, as sets of names; the difference is a leak.

Processes are attributed exactly: the runner is a child subreaper, so whatever a program started and
did not end is a descendant of the runner. Other kinds are compared before and after.
"""
import glob
import json
import os
import signal
import struct
import subprocess
import time

KEPT = "KEPT"  # a sandbox that a failed test keeps on purpose holds a file of this name
GRACE_SECONDS = 5.0
ID_SLOTS_AT = 16 + 1024  # bytes before the slots of a block file: magic, owner


def _mountinfo():
    with open("/proc/self/mountinfo") as file:
        return [line.split() for line in file]


def mounts():
    return {"mount %s (%s)" % (f[4], f[f.index("-") + 1]) for f in _mountinfo()}


def cgroups():
    found = set()
    for fields in _mountinfo():
        if fields[fields.index("-") + 1] not in ("cgroup", "cgroup2"):
            continue
        for folder, names, _ in os.walk(fields[4]):
            ours = [n for n in names if "/zoned" in folder + "/" + n]
            found.update("cgroup %s/%s" % (folder, n) for n in ours)
    return found


def links():
    shown = subprocess.run(["ip", "-json", "link", "show"], capture_output=True, check=True)
    # The kernel's module ifb, loaded when a cap first needs it, brings two links of its own.
    brought = {"ifb0", "ifb1"}
    return {"network link " + link["ifname"] for link in json.loads(shown.stdout)
            if link["ifname"] not in brought}


def named_network_namespaces():
    return {"network namespace " + path for path in glob.glob("/run/netns/*")}


def tables():
    shown = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True)
    return {"nft " + line for line in shown.stdout.splitlines()}


def block_devices():
    loops = glob.glob("/sys/block/loop*/loop/backing_file")
    return {"block device " + path.split("/")[3] for path in loops + glob.glob("/sys/block/dm-*")}


def sockets():
    """Unix sockets with a name of ours, abstract ones (@) too."""
    with open("/proc/net/unix") as file:
        names = [line.split(None, 7)[7].strip() for line in file if len(line.split(None, 7)) > 7]
    return {"unix socket " + name for name in names if "zone" in name}


def id_leases():
    """Leased slots (value 1) in the block files of the id registry (zoned/core/id_registry.h)."""
    slots = 64
    found = set()
    for path in glob.glob("/run/zoned-ids/*"):
        with open(path, "rb") as file:
            text = file.read()
        if not text.startswith(b"zoned-ids-1\0") or len(text) < ID_SLOTS_AT + 8 * slots:
            continue
        values = struct.unpack_from("=%dQ" % slots, text, ID_SLOTS_AT)
        found.update("id lease %s:%d" % (path, n) for n, v in enumerate(values) if v == 1)
    return found


def files():
    return {"file " + path for path in glob.glob("/tmp/zoned-*")
            if not os.path.exists(os.path.join(path, KEPT))}


KINDS = (mounts, cgroups, links, named_network_namespaces, tables, block_devices, sockets, id_leases,
         files)


def snapshot():
    return {kind: kind() for kind in KINDS}


def _children():
    """Pids of living children of this process; zombies are reaped on the way."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return []
        if pid == 0:
            break
    with open("/proc/self/task/%d/children" % os.getpid()) as file:
        return [int(pid) for pid in file.read().split()]


def _command(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()[:120]
    except OSError:
        return "?"


def left_over(before):
    """Lines naming what was left, after a short grace; left processes are killed."""
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        processes = {pid: _command(pid) for pid in _children()}
        left = sorted(item for kind in KINDS for item in kind() - before[kind])
        if not processes and not left:
            return []
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    left += ["process %d: %s" % item for item in processes.items()]
    while processes:
        # Their children become ours in turn: until none is left.
        for pid in processes:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
        processes = {pid: "" for pid in _children()}
    return left
