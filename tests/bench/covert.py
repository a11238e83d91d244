"""The timing channel that stays between zones: bits per second through the processors."""
import math
import subprocess
import time

SLOTS_US = (50000, 20000, 10000, 5000, 2000, 1000, 500)
SECONDS = 6


def capacity(right, count, slot_us):
    """Bits per second of a binary symmetric channel with that many bits right (Shannon)."""
    error = min(max(1 - right / count, 1e-9), 0.5)
    entropy = -error * math.log2(error) - (1 - error) * math.log2(1 - error)
    return (1 - entropy) / (slot_us / 1e6)


def measure(ours):
    """[(slot in µs, share of bits right, bits per second)] from one zone to another."""
    subprocess.run(["cp", ours.build + "/bench/covert", ours.tree + "/bin/covert"], check=True)
    for name in ("sender", "receiver"):
        ours.ok("create", name, "--set", 'command=["/bin/pause"]', "--from", "dir:" + ours.tree,
                "--boot")
    rows = []
    for slot in SLOTS_US:
        count = SECONDS * 1000000 // slot
        arguments = [str(slot), str(count), str(int(time.time()) + 2)]
        sender = subprocess.Popen(ours.zone + ["exec", "sender", "--", "/bin/covert", "send"] + arguments)
        right = int(ours.ok("exec", "receiver", "--", "/bin/covert", "receive", *arguments))
        sender.wait()
        rows.append((slot, right / count, capacity(right, count, slot)))
    return rows
