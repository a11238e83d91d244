"""The channels that stay between zones of different labels: bits per second by the processor, and by
counters of the host that every zone may read (covert.cc)."""
import math
import subprocess
import time

CHANNELS = ("cpu", "threads", "loadavg", "meminfo", "statfs")
SLOTS_US = (20000, 5000, 2000, 1000, 500, 200)
SECONDS = 3
FROM, TO = "SECRET ENG", "PUBLIC"  # down


def capacity(right, count, slot_us):
    """Bits per second of a binary symmetric channel with that many bits right (Shannon)."""
    error = min(max(1 - right / count, 1e-9), 0.5)
    entropy = -error * math.log2(error) - (1 - error) * math.log2(1 - error)
    return (1 - entropy) / (slot_us / 1e6)


def measure(ours):
    """{channel: [(slot in µs, share of bits right, bits per second)]}"""
    subprocess.run(["cp", ours.build + "/bench/covert", ours.tree + "/bin/covert"], check=True)
    for name, label in (("sender", FROM), ("receiver", TO)):
        ours.ok("create", name, "--set", "label=" + label, "--set", 'command=["/bin/pause"]', "--from",
                "dir:" + ours.tree, "--boot")
    return {channel: [attempt(ours, channel, slot) for slot in SLOTS_US] for channel in CHANNELS}


def attempt(ours, channel, slot):
    count = SECONDS * 1000000 // slot
    arguments = [channel, str(slot), str(count), str(int(time.time() * 1e6) + 1000000)]
    sender = subprocess.Popen(ours.zone + ["exec", "sender", "--", "/bin/covert", "send"] + arguments)
    right = int(ours.ok("exec", "receiver", "--", "/bin/covert", "receive", *arguments))
    if sender.wait():
        raise RuntimeError("covert send %s failed" % channel)
    return slot, right / count, capacity(right, count, slot)
