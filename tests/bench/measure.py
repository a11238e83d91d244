"""Asking programs for rounds (serve.h), statistics, rows of the result."""
import json
import os
import platform
import statistics
import subprocess
import time


class Failed(Exception):
    pass


class Subject:
    """Something measured: a program that answers each line on stdin with nanoseconds."""

    def __init__(self, name, server, shown):
        self.name = name
        self.shown = shown  # the exact command, for people
        self.times = []     # nanoseconds
        self.process = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def once(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().strip()
        if not line.isdigit():
            self.process.kill()
            _, errors = self.process.communicate()
            raise Failed("%s: %s %s" % (self.name, line or "no answer", errors.strip()[-400:]))
        return int(line)

    def close(self):
        if self.process.poll() is None:
            self.process.communicate()


def interleave(subjects, rounds, rest_ms=0, warm_up=3):
    """Rounds of one turn each: what slows the machine down slows everybody. Returns who answered."""
    alive = list(subjects)
    for turn in range(warm_up + rounds):
        for subject in list(alive):
            if rest_ms:
                time.sleep(rest_ms / 1000)
            try:
                nanoseconds = subject.once()
            except (Failed, BrokenPipeError) as error:
                print("  left out: %s" % error)
                alive.remove(subject)
                continue
            if turn >= warm_up:
                subject.times.append(nanoseconds)
    for subject in subjects:
        subject.close()
    return alive


def summary(values):
    ordered = sorted(values)
    return {"min": ordered[0], "median": statistics.median(ordered),
            "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]}


def used_kib():
    """What processes and kernel objects take, without the page cache, which moves for other reasons."""
    kinds = ("AnonPages", "Shmem", "Slab", "KernelStack", "PageTables", "Percpu")
    with open("/proc/meminfo") as info:
        return sum(int(line.split()[1]) for line in info if line.split(":")[0] in kinds)


def _version(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
        return (done.stdout or done.stderr).splitlines()[0].strip()
    except (OSError, IndexError):
        return "absent"


def machine():
    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")),
                     "?")
    with open("/proc/meminfo") as info:
        mib = int(info.readline().split()[1]) // 1024
    return {"cpus": os.cpu_count(), "model": model, "memory_mib": mib,
            "kernel": platform.release(), "load": os.getloadavg()[0],
            "crun": _version("crun", "--version"), "runc": _version("runc", "--version"),
            "bwrap": _version("bwrap", "--version"), "unshare": _version("unshare", "--version"),
            "qemu": _version("qemu-system-x86_64", "--version")}


class Result:
    """Rows of `build/bench.json`, and the table."""

    def __init__(self, where):
        self.where = where
        self.rows = []
        self.machine = machine()

    def add(self, name, unit, ours, peer_name, peer, commands, goal=""):
        """ours, peer: lists of values in `unit`; ours None where only peers run. The ratio is ours to
        the peer's by medians; a goal is "<= LIMIT" of it, or of ours where there is no peer."""
        row = {"name": name, "unit": unit, "where": self.where,
               "ours": summary(ours) if ours else None,
               "peer": dict(summary(peer), name=peer_name) if peer else None,
               "ratio": None, "goal": goal, "met": None, "commands": commands,
               "machine": self.machine}
        if ours and peer and min(row["ours"]["median"], row["peer"]["median"]) <= 0:
            print("  %s: not above the noise of this machine" % name)
        elif ours and peer:
            row["ratio"] = round(row["ours"]["median"] / row["peer"]["median"], 3)
        value = row["ratio"] if peer else row["ours"]["median"]
        if goal and value is not None:
            limit = float(goal.split()[1])
            row["met"] = value <= limit
        self.rows.append(row)

    def compare(self, name, ours, peers, goals):
        """ours and peers: Subjects, in milliseconds; goals by the peer's name."""
        scale = 1e6
        mine = [t / scale for t in ours.times] if ours and ours.times else None
        for peer in peers:
            self.add(name, "ms", mine, peer.name, [t / scale for t in peer.times],
                     {"ours": ours.shown if ours else "", "peer": peer.shown},
                     goals.get(peer.name, ""))

    def save(self, path):
        with open(path + ".new", "w") as file:
            json.dump(self.rows, file, indent=1)
        os.rename(path + ".new", path)


def table(rows):
    def three(values):
        if not values:
            return "%9s %9s %9s" % ("-", "-", "-")
        return " ".join("%9.3f" % values[key] for key in ("min", "median", "p99"))

    lines = ["%-34s %-5s %29s   %-18s %29s  %6s  %s" % (
        "", "unit", "ours: min median p99", "peer", "min median p99", "ratio", "goal")]
    for row in rows:
        peer = row["peer"]
        verdict = {True: "met", False: "MISSED", None: ""}[row["met"]]
        lines.append("%-34s %-5s %s   %-18s %s  %6s  %s %s" % (
            row["name"], row["unit"], three(row["ours"]), peer["name"] if peer else "",
            three(peer), "-" if row["ratio"] is None else "%.3f" % row["ratio"], row["goal"], verdict))
    return "\n".join(lines)
