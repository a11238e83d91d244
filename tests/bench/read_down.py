"""R1: a large file of a lower zone read at /zone, beside the zone's own reading of it."""
import os
import time

import shares

MIB = 100
SETTINGS = ("--set", 'command=["/bin/busybox","sleep","100000"]', "--set", "stop-timeout=0")


def forget(path):
    """Drops the file's pages."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def read_mib_s(ours, zone, path):
    start = time.monotonic()
    ours.ok("exec", zone, "--", "/bin/busybox", "dd", "if=" + path, "of=/dev/null", "bs=1M")
    return MIB / (time.monotonic() - start)


def measure_all(ours, folder, rounds, result):
    tree = shares.busy_tree(folder)
    os.mkdir(tree + "/export")
    for zone, label in (("low", "PUBLIC"), ("high", "SECRET")):
        ours.ok("create", zone, *SETTINGS, "--set", "label=" + label, "--from", "dir:" + tree)
    path = ours.root + "/lib/zones/low/root/export/big"
    with open(path, "wb") as file:
        for _ in range(MIB):
            file.write(os.urandom(1 << 20))
        os.fsync(file.fileno())
    ours.ok("boot", "low")
    ours.ok("boot", "high")
    above, cold, warm = [], [], []
    for _ in range(rounds):
        forget(path)
        above.append(read_mib_s(ours, "high", "/zone/low/export/big"))
        forget(path)
        cold.append(read_mib_s(ours, "low", "/export/big"))
        warm.append(read_mib_s(ours, "low", "/export/big"))
        time.sleep(0.1)
    ours.ok("halt", "high")
    ours.ok("halt", "low")
    shown = {"ours": "zone exec high -- dd bs=1M, %d MiB at /zone" % MIB, "peer": "zone exec low -- the same of /export"}
    result.add("R1 read-down", "MiB/s", above, "own file, from disk", cold, shown)
    result.add("R1 read-down", "MiB/s", above, "own file, from memory", warm, shown)
