"""The peers, statically configured: exact commands at their default and at their fastest."""
import glob
import json
import os
import shutil
import subprocess
import tempfile
import time

from measure import Subject

CGROUP = "bench-peers"
CAP_SYS_RESOURCE = 24
ID_BASE = 2000100000  # far from the ranges that zones use
# On a hybrid host crun wants to see cgroup v2 alone: a mount in a namespace of its own.
PURE_V2 = ["unshare", "--mount", "sh", "-c",
           'mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"', "sh"]


def is_pure_v2():
    return os.path.exists("/sys/fs/cgroup/cgroup.controllers")


class Peers:
    def __init__(self, folder, tree, bench):
        self.folder = folder
        self.tree = tree
        self.bench = bench  # folder of floor, spawn, ...
        self.running = []   # (command, id) to delete
        with open("/proc/self/status") as status:
            effective = next(int(x.split()[1], 16) for x in status if x.startswith("CapEff:"))
        self.may_raise_limits = effective >> CAP_SYS_RESOURCE & 1
        self.held = None

    def spawn(self, name, command, prefix=()):
        shown = " ".join(command)
        return Subject(name, list(prefix) + [self.bench + "/spawn"] + command, shown)

    def floor(self, mode, argument):
        command = [self.bench + "/floor", mode, argument]
        return Subject("floor", command, "tests/bench/floor.cc, " + mode)

    def bundle(self, tool, fast, program):
        """An OCI bundle of the tool's own `spec`, with a user namespace; fast: no more than needed."""
        path = "%s/%s-%s-%s" % (self.folder, tool, "fast" if fast else "default", program)
        os.mkdir(path)
        subprocess.run([tool, "spec"], cwd=path, check=True)
        with open(path + "/config.json") as file:
            config = json.load(file)
        ids = [{"containerID": 0, "hostID": ID_BASE, "size": 65536}]
        config["process"].update(terminal=False, args=["/bin/" + program])
        config["root"] = {"path": self.tree, "readonly": not fast}
        linux = config["linux"]
        kinds = {"pid", "network", "ipc", "uts", "mount", "user", "cgroup"}
        linux.update(namespaces=[{"type": kind} for kind in sorted(kinds)], uidMappings=ids,
                     gidMappings=ids, cgroupsPath="/%s/%s" % (CGROUP, os.path.basename(path)))
        # A cgroup mount inside needs controllers that a hybrid host keeps elsewhere.
        config["mounts"] = [m for m in config["mounts"] if m["type"] != "cgroup"]
        if fast:
            config["mounts"] = [m for m in config["mounts"] if m["destination"] in ("/proc", "/dev")]
            for key in ("maskedPaths", "readonlyPaths", "seccomp"):
                linux.pop(key, None)
        if fast or not self.may_raise_limits:
            # The device filter is an eBPF program, for which crun raises RLIMIT_MEMLOCK.
            linux.pop("resources", None)
        with open(path + "/config.json", "w") as file:
            json.dump(config, file)
        return path

    def _oci(self, tool, prefix, program, fast, verb):
        bundle = self.bundle(tool, fast, program)
        identity = os.path.basename(bundle)
        command = [tool, "--root", self.folder + "/state-" + tool]
        return command, verb + ["--bundle", bundle, identity], prefix, identity

    def tools(self):
        """(tool, prefix) of the OCI runtimes that can run here."""
        found = []
        if shutil.which("crun"):
            found.append(("crun", [] if is_pure_v2() else PURE_V2))
        if shutil.which("runc"):
            found.append(("runc", []))
        return found

    def runs(self):
        """A program in a fresh set of everything, to its end."""
        true = "/bin/true"
        subjects = [self.floor("run", self.tree)]
        namespaces = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--net", "--ipc",
                      "--uts", "--cgroup", "--time"]
        subjects.append(self.spawn("unshare", ["unshare"] + namespaces + ["--root", self.tree, true]))
        if shutil.which("bwrap"):
            bwrap = ["bwrap", "--unshare-all", "--bind", self.tree, "/"]
            subjects.append(self.spawn("bwrap fastest", bwrap + [true]))
            subjects.append(self.spawn("bwrap", bwrap + ["--proc", "/proc", "--dev", "/dev",
                                                         "--tmpfs", "/tmp", "--new-session", true]))
        for tool, prefix in self.tools():
            for fast in (True, False):
                command, verb, prefix, _ = self._oci(tool, prefix, "true", fast, ["run"])
                subjects.append(self.spawn(tool + (" fastest" if fast else ""), command + verb, prefix))
        return subjects

    def execs(self):
        """A program in a set of everything that runs already."""
        pid = self.hold(1)[1]
        subjects = [self.floor("exec", str(pid)),
                    self.spawn("nsenter", ["nsenter", "-t", str(pid), "-a", "/bin/true"])]
        for tool, prefix in self.tools():
            command, verb, prefix, identity = self._oci(tool, prefix, "pause", False,
                                                        ["run", "--detach"])
            self.running.append((prefix + command, identity))
            # Not a pipe: the container would hold it open. Not /dev/null: its root would get it.
            with tempfile.TemporaryFile("w+") as errors:
                started = subprocess.run(prefix + command + verb, stdin=errors,
                                         stdout=errors, stderr=errors)
                errors.seek(0)
                if started.returncode:
                    print("  left out: %s exec: %s" % (tool, errors.read().strip()[-300:]))
                    continue
            subjects.append(self.spawn(tool + " exec", command + ["exec", identity, "/bin/true"],
                                       prefix))
        return subjects

    def hold(self, count):
        """count bare sets of namespaces with one waiting process: their times (ns), the first pid."""
        self.release()
        self.held = subprocess.Popen([self.bench + "/floor", "hold", self.tree, str(count)],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        times = []
        for line in self.held.stdout:
            if line.startswith("pid "):
                return times, int(line.split()[1])
            if not line.strip().isdigit():
                raise RuntimeError("floor hold: " + line.strip())
            times.append(int(line))
        raise RuntimeError("floor hold ended early")

    def release(self):
        if self.held:
            self.held.communicate()
            self.held = None

    def stop(self):
        self.release()
        for command, identity in self.running:
            subprocess.run(command + ["delete", "--force", identity], stdin=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        self.running = []
        roots = ["/sys/fs/cgroup/" + CGROUP] + glob.glob("/sys/fs/cgroup/*/" + CGROUP)
        for root in roots:
            for folder, _, _ in os.walk(root, topdown=False):
                remove_cgroup(folder)


def remove_cgroup(folder, patience=5):
    """A killed process keeps its cgroup busy until it has been reaped."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return os.rmdir(folder)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
